"""Keys and rows for the store's port, with just enough in them to be told apart; and what a database holds."""

import itertools
import uuid
from typing import Any

from orchestrator.models import (
    CurrentExecution,
    DispatchTask,
    Execution,
    HistoryNode,
    SignalRequests,
    TimerTask,
    TransferTask,
    VisibilityRecord,
)
from orchestrator.store.ports import Changes, Node, Record, RunKey, Task, Transfer, Wake, WorkflowKey

TABLES = (
    CurrentExecution,
    Execution,
    SignalRequests,
    HistoryNode,
    DispatchTask,
    TimerTask,
    TransferTask,
    VisibilityRecord,
)
NAMESPACE = str(uuid.UUID(int=7))
OPEN = 2**63 - 1
WORKFLOW, ACTIVITY = 1, 2
_numbers = itertools.count(1)


def workflow_key(workflow_id: str = "", shard: int = 1) -> WorkflowKey:
    """A workflow; without an id, one nobody has used."""
    return WorkflowKey(shard, NAMESPACE, workflow_id or f"workflow-{next(_numbers)}")


def run_key(shard: int = 1) -> RunKey:
    """A run nobody has used."""
    return RunKey(shard, str(uuid.uuid4()))


def node(first: int, last: int, events: bytes = b"events") -> Node:
    """A batch of events."""
    return Node(first, last, events)


def task(run: RunKey, event_id: int = 2, **fields: Any) -> Task:
    """A stored task."""
    basics: dict[str, Any] = {
        "shard_id": run.shard_id,
        "namespace_id": NAMESPACE,
        "task_queue": "queue",
        "kind": WORKFLOW,
        "priority": 3,
        "created_time": 1_000,
        "workflow_id": "workflow",
        "run_id": run.run_id,
        "scheduled_event_id": event_id,
        "stamp": 1,
    }
    return Task(**basics | fields)


def wake(run: RunKey, fire_time: int) -> Wake:
    """A wake-up."""
    return Wake(run.shard_id, run.run_id, NAMESPACE, "workflow", fire_time)


def transfer(run: RunKey, event_id: int, created_time: int = 1_000) -> Transfer:
    """A debt to another run."""
    return Transfer(run.shard_id, NAMESPACE, "workflow", run.run_id, 1, event_id, created_time)


def record(run: RunKey, **fields: Any) -> Record:
    """What lists show of an open run."""
    basics: dict[str, Any] = {
        "shard_id": run.shard_id,
        "run_id": run.run_id,
        "namespace_id": NAMESPACE,
        "workflow_id": "workflow",
        "workflow_type": "Order",
        "task_queue": "queue",
        "status": 1,
        "start_time": 10,
        "execution_time": 11,
        "close_time": OPEN,
        "execution_duration": None,
        "history_length": None,
        "history_size_bytes": None,
        "state_transition_count": None,
        "parent_workflow_id": "",
        "parent_run_id": "",
        "root_workflow_id": "workflow",
        "root_run_id": run.run_id,
        "memo": b"",
        "payloads": b"",
        "search_attributes": "{}",
        "namespace_division": "",
    }
    return Record(**basics | fields)


def creation(run: RunKey | None = None, workflow: WorkflowKey | None = None, blob: bytes = b"state") -> Changes:
    """The first run of a workflow, as a start writes it: a row of each kind."""
    run = run or run_key()
    workflow = workflow or workflow_key(shard=run.shard_id)
    changes = Changes()
    changes.current[workflow] = run.run_id
    changes.created.append((run, workflow, blob))
    changes.nodes.append((run, node(1, 2)))
    born = task(run)
    changes.tasks[run, born.kind, born.scheduled_event_id] = born
    changes.wakes.append(wake(run, 5_000))
    changes.new_records.append(record(run))
    return changes


def update(run: RunKey, version: int, blob: bytes = b"newer", **fields: Any) -> Changes:
    """A later state of a run."""
    changes = Changes(**fields)
    changes.updated.append((run, version, blob))
    return changes


def counts(alias: str) -> dict[str, int]:
    """How many rows each table of a transition has."""
    return {model._meta.db_table: model._default_manager.using(alias).count() for model in TABLES}
