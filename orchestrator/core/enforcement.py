"""Limits that end a run or its workflow task, as a Temporal server enforces them."""

from temporalio.api.enums.v1 import WorkflowTaskFailedCause

from orchestrator.core import update, workflow_task
from orchestrator.core.run import Run
from orchestrator.errors import InvalidArgument

HISTORY_SIZE = "Workflow history size exceeds limit."
HISTORY_COUNT = "Workflow history count exceeds limit."
STATE_SIZE = "Workflow mutable state size exceeds limit."
TRANSACTION_SIZE = "Transaction size exceeds limit."


class OverLimit(InvalidArgument):
    """A run cannot go on: the transition is refused, and the run is terminated instead.

    Attributes:
        run_id: the run.
        reason: told in the event that ends it.
    """

    def __init__(self, run_id: str, reason: str, message: str = "") -> None:
        super().__init__(message or reason)
        self.run_id = run_id
        self.reason = reason


def enforce_limits(run: Run) -> None:
    """Ends a workflow task behind which too much waits, and refuses to go on with a run that has become too large.

    The sizes in bytes are those before this transition: what it adds is weighed when it is written. Events count with
    those of this transition, but for those that have no id yet. Updates in flight have a limit of their own. A new run
    is not weighed.

    Raises:
        OverLimit: its history or its state is too large.
    """
    state, limits = run.state, run.limits
    if not state.running or not run.stored_size:
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
        raise OverLimit(state.run_id, HISTORY_SIZE)
    if state.next_event_id - 1 > limits.history_count:
        raise OverLimit(state.run_id, HISTORY_COUNT)
    if run.stored_size > limits.state_size and run.stored_size - update.bytes_in_flight(state) > limits.state_size:
        raise OverLimit(state.run_id, STATE_SIZE)


def _too_much_buffered(run: Run) -> bool:
    events = run.buffer
    if len(events) > run.limits.buffered_events:
        return True
    return sum(event.ByteSize() for event in events) > run.limits.buffered_events_size
