"""What the end of a parent does to a child."""

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import ParentClosePolicy

from orchestrator.core import closing, signals, workflow_task
from orchestrator.core.run import Run

TERMINATED_BY_PARENT = "by parent close policy"


def apply_policy(current: Run | None, first_run_id: str, policy: int, parent: WorkflowExecution) -> None:
    """Ends the current run of a child's workflow id, or asks it to end, if it is of the child's chain and open."""
    if current is None or current.state.first_run_id != first_run_id or not current.state.running:
        return
    match policy:
        case ParentClosePolicy.PARENT_CLOSE_POLICY_TERMINATE:
            closing.terminate(current, reason=TERMINATED_BY_PARENT, identity=workflow_task.SERVER_IDENTITY)
        case ParentClosePolicy.PARENT_CLOSE_POLICY_REQUEST_CANCEL:
            signals.request_cancel(current, reason="", identity=workflow_task.SERVER_IDENTITY, source=parent)
