"""Limits that end a run or its workflow task instead of refusing a call, as a Temporal server does."""

from temporalio.api.enums.v1 import WorkflowTaskFailedCause

from orchestrator.core import closing, update, workflow_task
from orchestrator.core.run import Run

HISTORY_SIZE = "Workflow history size exceeds limit."
HISTORY_COUNT = "Workflow history count exceeds limit."
STATE_SIZE = "Workflow mutable state size exceeds limit."


def enforce_limits(run: Run) -> None:
    """Terminates a run whose history or state is too large, and ends a workflow task behind which too much waits.

    The sizes are those before this transition: what it adds is weighed when it is written. Updates in flight have a
    limit of their own.
    """
    state, limits = run.state, run.limits
    if not state.running:
        return
    if run.has_buffered and _too_much_buffered(run):
        task = state.workflow_task
        if task is not None and task.started_event_id:
            workflow_task.fail(
                run,
                cause=WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND,
                identity=workflow_task.SERVER_IDENTITY,
            )
            run.flush()
            workflow_task.schedule(run)
    if state.history_size > limits.history_size:
        closing.terminate(run, reason=HISTORY_SIZE, identity=workflow_task.SERVER_IDENTITY)
    elif state.next_event_id - 1 > limits.history_count:
        closing.terminate(run, reason=HISTORY_COUNT, identity=workflow_task.SERVER_IDENTITY)
    elif run.stored_size > limits.state_size and run.stored_size - update.bytes_in_flight(state) > limits.state_size:
        closing.terminate(run, reason=STATE_SIZE, identity=workflow_task.SERVER_IDENTITY)


def _too_much_buffered(run: Run) -> bool:
    events = run.buffer
    if len(events) > run.limits.buffered_events:
        return True
    return sum(event.ByteSize() for event in events) > run.limits.buffered_events_size
