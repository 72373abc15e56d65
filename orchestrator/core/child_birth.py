"""The birth of a child: its STARTED event from its parent's INITIATED event, and the release of its first task.

A child begins without a workflow task. It gets its first one when its parent knows that it has started, so that it
cannot end before.
"""

from temporalio.api.common.v1 import Memo, Priority, SearchAttributes, WorkflowExecution
from temporalio.api.enums.v1 import ContinueAsNewInitiator
from temporalio.api.history.v1 import (
    HistoryEvent,
    StartChildWorkflowExecutionInitiatedEventAttributes,
    WorkflowExecutionStartedEventAttributes,
)

from orchestrator.core import birth, cron, priority, search_attributes, workflow_task
from orchestrator.core.birth import Identity
from orchestrator.core.limits import Limits
from orchestrator.core.run import Run, Transfer
from orchestrator.core.start import is_null
from orchestrator.core.state import Parent
from orchestrator.core.transfers import TransferKind
from orchestrator.core.wire import after, duration, length_ns, timestamp


def begin(
    identity: Identity,
    initiated: HistoryEvent,
    *,
    parent: Parent,
    parent_namespace: str,
    parent_priority: bytes,
    root: WorkflowExecution,
    now: int,
    limits: Limits,
) -> Run:
    """Makes the first run of a child.

    Args:
        identity: of the child.
        initiated: the event of the parent.
        parent: who asks for it.
        parent_namespace: its name.
        parent_priority: serialized; the child has what its own does not set.
        root: the run at the top of the family.
        now: nanoseconds since the epoch.
        limits: in force.
    """
    attributes = initiated.start_child_workflow_execution_initiated_event_attributes
    started = _started(identity, attributes, now)
    started.parent_workflow_namespace = parent_namespace
    started.parent_workflow_namespace_id = parent.namespace_id
    started.parent_workflow_execution.CopyFrom(WorkflowExecution(workflow_id=parent.workflow_id, run_id=parent.run_id))
    started.parent_initiated_event_id = parent.initiated_event_id
    started.root_workflow_execution.CopyFrom(root)
    own = attributes.priority if attributes.HasField("priority") else None
    if both := priority.merged(parent_priority, own):
        started.priority.CopyFrom(Priority.FromString(both))
    run = birth.begin(
        identity,
        started,
        now=now,
        limits=limits,
        user_metadata=initiated.user_metadata if initiated.HasField("user_metadata") else None,
        with_task=False,
    )
    run.transfers.append(Transfer(TransferKind.RELEASE_CHILD))
    return run


def release(run: Run) -> None:
    """Schedules the first workflow task, unless a signal did, or it has to wait for its time."""
    state = run.state
    if state.running and not state.backoff_until and state.workflow_task is None and not state.completed_workflow_tasks:
        workflow_task.schedule(run)


def _started(
    identity: Identity, initiated: StartChildWorkflowExecutionInitiatedEventAttributes, now: int
) -> WorkflowExecutionStartedEventAttributes:
    """What the child takes over as it is; times and schedules are counted from now."""
    started = WorkflowExecutionStartedEventAttributes(
        workflow_id=initiated.workflow_id,
        workflow_type=initiated.workflow_type,
        task_queue=initiated.task_queue,
        workflow_run_timeout=initiated.workflow_run_timeout,
        workflow_task_timeout=initiated.workflow_task_timeout,
        original_execution_run_id=identity.run_id,
        first_execution_run_id=identity.run_id,
        attempt=1,
        cron_schedule=initiated.cron_schedule,
        first_workflow_task_backoff=duration(0),
    )
    if initiated.cron_schedule:
        started.initiator = ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE
        backoff = cron.backoff(cron.parse(initiated.cron_schedule), now, now)
        started.first_workflow_task_backoff.CopyFrom(duration(backoff))
    if initiated.HasField("workflow_execution_timeout"):
        started.workflow_execution_timeout.CopyFrom(initiated.workflow_execution_timeout)
        expiration = after(now, length_ns(initiated.workflow_execution_timeout))
        started.workflow_execution_expiration_time.CopyFrom(timestamp(expiration))
    for field in ("input", "header", "retry_policy"):
        if initiated.HasField(field):
            getattr(started, field).CopyFrom(getattr(initiated, field))
    if memo := {key: value for key, value in initiated.memo.fields.items() if not is_null(value)}:
        started.memo.CopyFrom(Memo(fields=memo))
    given = initiated.search_attributes.indexed_fields
    if kept := {key: value for key, value in given.items() if not search_attributes.is_empty(value)}:
        started.search_attributes.CopyFrom(SearchAttributes(indexed_fields=kept))
    return started
