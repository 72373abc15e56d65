"""DeleteWorkflowExecution: a run is ended if need be, and owes its own removal from then on.

The debt is a row of the commit that ends the run, so a process that stops in between leaves the rest to another one.
"""

from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest, DeleteWorkflowExecutionResponse

from orchestrator.core import closing, workflow_task
from orchestrator.core.request_checks import check_execution
from orchestrator.core.run import Transfer as Debt
from orchestrator.core.transfers import TransferKind
from orchestrator.errors import Unavailable
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.store.fencing import current_fence
from orchestrator.store.ports import RunKey, Transfer, WorkflowKey
from orchestrator.store.transition import Unit

REASON = "Delete workflow execution"


def delete_workflow_execution(
    engine: Engine, namespace: NamespaceEntry, request: DeleteWorkflowExecutionRequest
) -> Prepared[DeleteWorkflowExecutionResponse]:
    """Has a run removed soon; one that is open is terminated now.

    Raises:
        InvalidArgument: the request is wrong.
        NotFound: no such run.
    """
    execution = request.workflow_execution
    check_execution(execution if request.HasField("workflow_execution") else None)

    def operation(unit: Unit) -> DeleteWorkflowExecutionResponse:
        run = unit.run()
        if run.state.deleting:
            return DeleteWorkflowExecutionResponse()
        if run.state.running:
            closing.terminate(run, reason=REASON, identity=workflow_task.SERVER_IDENTITY)
        run.state.deleting = True
        run.changed = True
        run.transfers.append(Debt(TransferKind.DELETE))
        return DeleteWorkflowExecutionResponse()

    return Prepared(engine.key(namespace, execution.workflow_id), operation, execution.run_id)


async def remove(engine: Engine, transfer: Transfer) -> None:
    """Removes a run from the database; raises Unavailable while it still owes others something."""
    key = WorkflowKey(transfer.shard_id, transfer.namespace_id, transfer.workflow_id)
    run = RunKey(transfer.shard_id, transfer.run_id)
    if not await engine.run_db(engine.store.remove_run, key, run, int(TransferKind.DELETE), current_fence()):
        raise Unavailable("the run still owes something to others")
    engine.run_interest.deleted(transfer.run_id)
