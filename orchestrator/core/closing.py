"""How a run ends: by its own command, by a terminate, or by running out of time."""

from temporalio.api.common.v1 import Link, Payloads
from temporalio.api.enums.v1 import EventType, RetryState, TimeoutType, WorkflowExecutionStatus, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure, TimeoutFailureInfo
from temporalio.api.history.v1 import (
    WorkflowExecutionCanceledEventAttributes,
    WorkflowExecutionCompletedEventAttributes,
    WorkflowExecutionFailedEventAttributes,
    WorkflowExecutionTerminatedEventAttributes,
    WorkflowExecutionTimedOutEventAttributes,
)

from orchestrator.core import transfers, update, workflow_task
from orchestrator.core.run import ACTIVITY, WORKFLOW, Run

DEFAULT_REASON = "terminated by user via frontend"
DEFAULT_IDENTITY = "frontend-service"

_S = WorkflowExecutionStatus


def complete(run: Run, result: Payloads | None, completed_event_id: int, new_run_id: str = "") -> None:
    """The workflow returned; `new_run_id` names the run that goes on."""
    attributes = WorkflowExecutionCompletedEventAttributes(
        result=result, workflow_task_completed_event_id=completed_event_id, new_execution_run_id=new_run_id
    )
    run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, "workflow_execution_completed_event_attributes", attributes
    )
    close(run, _S.WORKFLOW_EXECUTION_STATUS_COMPLETED)


def fail(
    run: Run,
    failure: Failure,
    retry_state: RetryState.ValueType,
    completed_event_id: int,
    new_run_id: str = "",
) -> None:
    """The workflow raised; `new_run_id` names the run that tries again or waits for the next cron tick."""
    attributes = WorkflowExecutionFailedEventAttributes(
        failure=failure,
        retry_state=retry_state,
        workflow_task_completed_event_id=completed_event_id,
        new_execution_run_id=new_run_id,
    )
    run.add(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED, "workflow_execution_failed_event_attributes", attributes)
    close(run, _S.WORKFLOW_EXECUTION_STATUS_FAILED)


def cancel(run: Run, details: Payloads | None, completed_event_id: int) -> None:
    """The workflow obeyed a cancel request."""
    attributes = WorkflowExecutionCanceledEventAttributes(
        details=details, workflow_task_completed_event_id=completed_event_id
    )
    run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, "workflow_execution_canceled_event_attributes", attributes
    )
    close(run, _S.WORKFLOW_EXECUTION_STATUS_CANCELED)


def terminate(
    run: Run,
    *,
    reason: str = "",
    details: Payloads | None = None,
    identity: str = "",
    links: list[Link] | None = None,
    replaced: bool = False,
) -> None:
    """Ends the run from outside, whatever it is doing.

    Args:
        run: open.
        reason: told in the event.
        details: likewise.
        identity: of who ends it.
        links: kept with the event.
        replaced: whether a reset put another run in its place, which its family then belongs to.
    """
    _force_task_end(run)
    run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        "workflow_execution_terminated_event_attributes",
        WorkflowExecutionTerminatedEventAttributes(
            reason=reason or DEFAULT_REASON, details=details, identity=identity or DEFAULT_IDENTITY
        ),
        links=links or (),
    )
    close(run, _S.WORKFLOW_EXECUTION_STATUS_TERMINATED, replaced=replaced)


def timeout_failure() -> Failure:
    """What a run that timed out failed with."""
    return Failure(
        message="workflow timeout",
        source="Server",
        timeout_failure_info=TimeoutFailureInfo(timeout_type=TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE),
    )


def time_out(run: Run, retry_state: RetryState.ValueType, new_run_id: str = "") -> None:
    """Ends the run because its run or execution timeout passed; `new_run_id` names the run that goes on."""
    _force_task_end(run)
    run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        "workflow_execution_timed_out_event_attributes",
        WorkflowExecutionTimedOutEventAttributes(retry_state=retry_state, new_execution_run_id=new_run_id),
    )
    close(run, _S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT)


def _force_task_end(run: Run) -> None:
    """A worker that holds the workflow task loses it, and what was buffered meanwhile is written."""
    task = run.state.workflow_task
    if task is not None and task.started_event_id:
        workflow_task.fail(
            run,
            cause=WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
            identity=workflow_task.SERVER_IDENTITY,
        )
    run.flush()


def close(run: Run, status: WorkflowExecutionStatus.ValueType, *, replaced: bool = False) -> None:
    """Makes the state that of a closed run; its close event has been written, and its successor is known.

    What it knows of its children stays, for what is still to be done about them.
    """
    state = run.state
    if not replaced:
        transfers.owe_at_close(run)
    state.status = status
    state.close_time = run.now
    if state.workflow_task is not None:
        run.buried.append((WORKFLOW, state.workflow_task.scheduled_event_id))
        state.workflow_task = None
    run.buried.extend(
        (ACTIVITY, each.scheduled_event_id) for each in state.activities.values() if not each.started_time
    )
    run.dispatches.clear()
    state.activities = {}
    state.timers = {}
    state.backoff_until = 0
    state.sticky_queue = ""
    state.sticky_timeout = 0
    run.buffer.clear()
    if state.updates:
        update.close(run)
    run.visible = True
    run.changed = True
