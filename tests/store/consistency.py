"""What must hold of a database, and of the memory of a process beside it, after whatever happened."""

from collections import Counter

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent

from orchestrator.core import state as states
from orchestrator.core.state import ExecutionState
from orchestrator.models import CurrentExecution, DispatchTask, Execution, HistoryNode, TimerTask, VisibilityRecord
from orchestrator.store.ports import RunKey
from tests.store.process import Process

_E = EventType


def events_of(run_id: str) -> list[HistoryEvent]:
    """The stored history of a run."""
    nodes = HistoryNode.objects.filter(branch_id=run_id).order_by("first_event_id")
    return [event for node in nodes for event in History.FromString(bytes(node.events)).events]


def current_run(workflow_id: str) -> str:
    """The id of the current run."""
    return str(CurrentExecution.objects.get(workflow_id=workflow_id).run_id)


def event_types(workflow_id: str) -> list[str]:
    """The event types of the current run, without their prefix."""
    events = events_of(current_run(workflow_id))
    return [_E.Name(event.event_type).removeprefix("EVENT_TYPE_").lower() for event in events]


def signals(workflow_id: str) -> list[str]:
    """The names of the signals in the history of the current run."""
    return [
        event.workflow_execution_signaled_event_attributes.signal_name
        for event in events_of(current_run(workflow_id))
        if event.event_type == _E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    ]


def check_database() -> None:
    """Every table tells the same story, and no part of it is missing."""
    runs = list(Execution.objects.all())
    records = {str(row.run_id): row for row in VisibilityRecord.objects.all()}
    wakes = {str(row.run_id): row.fire_time for row in TimerTask.objects.all()}
    tasks = {(str(row.run_id), row.kind, row.scheduled_event_id): row.stamp for row in DispatchTask.objects.all()}
    current = {str(row.run_id): row for row in CurrentExecution.objects.all()}
    open_runs: Counter[tuple[str, str]] = Counter()
    expected: dict[tuple[str, int, int], int] = {}
    for run in runs:
        state = states.decode(bytes(run.state))
        run_id = str(run.run_id)
        assert state.run_id == run_id
        ids = [event.event_id for event in events_of(run_id)]
        assert ids == list(range(1, state.next_event_id))
        assert records[run_id].status == state.status
        assert wakes.get(run_id, 0) == state.wake_time
        assert run.version >= 1
        if state.running:
            open_runs[state.namespace_id, state.workflow_id] += 1
            assert run_id in current
        expected |= _unstarted(state)
    assert tasks == expected
    assert len(records) == len(runs)
    assert {str(row.run_id) for row in current.values()} <= {str(run.run_id) for run in runs}
    assert len({(row.namespace_id, row.workflow_id) for row in runs}) == len(current)
    assert set(open_runs.values()) <= {1}


def check_memory(process: Process) -> None:
    """What a process remembers is what the database holds. Only for one that nobody writes beside."""
    for lane in process.lanes:
        for key in lane.cache.kept():
            loaded = lane.cache.get(key)
            assert loaded is not None
            row = Execution.objects.get(shard_id=key.shard_id, run_id=key.run_id)
            assert (loaded.version, loaded.snapshot()) == (row.version, bytes(row.state))
            assert loaded.stored_wake == loaded.state.wake_time
            if loaded.nodes:
                stored = process.store.read_nodes(RunKey(*key), loaded.nodes[0].first_event_id, 2**62)
                assert (loaded.nodes, loaded.size) == (stored, sum(len(node.events) for node in stored))
    open_runs = {str(row.run_id) for row in VisibilityRecord.objects.filter(status=states.RUNNING)}
    for queue in process.engine.matching._queues.values():
        for _, _, _, task in queue.backlog:
            stored = process.store.waiting_tasks(task.namespace_id, task.task_queue, task.kind, 10_000)
            # A note of a task that a close has buried is dropped by the poll that takes it.
            assert task in stored or task.run_id not in open_runs
        assert not (queue.waiting and (queue.pending or queue.orphans)), "a poll waits beside a task"


def _unstarted(state: ExecutionState) -> dict[tuple[str, int, int], int]:
    """The tasks of a run that must be stored, with their stamps."""
    if not state.running:
        return {}
    found: dict[tuple[str, int, int], int] = {}
    task = state.workflow_task
    if task is not None and not task.started_event_id:
        found[state.run_id, 1, task.scheduled_event_id] = task.stamp
    for activity in state.activities.values():
        if not activity.started_time and not activity.backing_off:
            found[state.run_id, 2, activity.scheduled_event_id] = activity.stamp
    return found
