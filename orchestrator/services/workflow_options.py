"""UpdateWorkflowExecutionOptions: the priority and the versioning override of an open run."""

from temporalio.api.workflowservice.v1 import (
    UpdateWorkflowExecutionOptionsRequest,
    UpdateWorkflowExecutionOptionsResponse,
)

from orchestrator.core import execution_options
from orchestrator.core.request_checks import check_execution
from orchestrator.errors import InvalidArgument, WorkflowClosed
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.store.transition import Unit


def update_workflow_execution_options(
    engine: Engine, namespace: NamespaceEntry, request: UpdateWorkflowExecutionOptionsRequest
) -> Prepared[UpdateWorkflowExecutionOptionsResponse]:
    """Changes what the mask names; later tasks of the run have the new priority.

    Raises:
        InvalidArgument: the request is wrong.
        FailedPrecondition: it pins a version that no worker has.
        NotFound: no such run, or it is closed.
    """
    execution, wanted = request.workflow_execution, request.workflow_execution_options
    if not execution.workflow_id:
        raise InvalidArgument("WorkflowId is not set on request.")
    check_execution(execution)
    if not request.HasField("workflow_execution_options"):
        raise InvalidArgument("WorkflowExecutionOptions is required")
    if not request.HasField("update_mask"):
        raise InvalidArgument("UpdateMask is required")
    execution_options.check(wanted, request.update_mask)

    def operation(unit: Unit) -> UpdateWorkflowExecutionOptionsResponse:
        run = unit.run()
        if not run.state.running:
            raise WorkflowClosed()
        execution_options.check_version(wanted, request.update_mask, run.state.task_queue)
        options = execution_options.update(run, wanted, request.update_mask.paths, request.identity)
        return UpdateWorkflowExecutionOptionsResponse(workflow_execution_options=options)

    return Prepared(engine.key(namespace, execution.workflow_id), operation, execution.run_id)
