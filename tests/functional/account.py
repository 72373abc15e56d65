"""The workflow that updates are tried on, and what tests ask of its updates."""

from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import UpdateWorkflowExecutionLifecycleStage
from temporalio.api.update.v1 import UpdateRef
from temporalio.api.workflowservice.v1 import PollWorkflowExecutionUpdateRequest
from temporalio.client import Client, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.workers import eventually, has_event

ADMITTED, ACCEPTED, COMPLETED = (
    UpdateWorkflowExecutionLifecycleStage.Value(f"UPDATE_WORKFLOW_EXECUTION_LIFECYCLE_STAGE_{name}")
    for name in ("ADMITTED", "ACCEPTED", "COMPLETED")
)


@workflow.defn
class Account:
    """An account that is filled by updates until it is closed."""

    def __init__(self) -> None:
        self._balance = 0
        self._cleared = False
        self._closed = False

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: self._closed)
        return self._balance

    @workflow.update
    def deposit(self, amount: int) -> int:
        self._balance += amount
        return self._balance

    @deposit.validator
    def check(self, amount: int) -> None:
        if amount < 0:
            raise ApplicationError("a deposit is positive", type="Negative")

    @workflow.update
    async def transfer(self, amount: int) -> int:
        await workflow.wait_condition(lambda: self._cleared)
        return self.deposit(amount)

    @workflow.update
    async def overdraw(self) -> None:
        raise ApplicationError("no credit", type="Credit")

    @workflow.signal
    def clear(self) -> None:
        self._cleared = True

    @workflow.signal
    def close(self) -> None:
        self._closed = True


async def stage_of(client: Client, workflow_id: str, update_id: str) -> int | None:
    """The stage of an update as a poll that waits for nothing tells it; None when there is no such update."""
    update = UpdateRef(workflow_execution=WorkflowExecution(workflow_id=workflow_id), update_id=update_id)
    request = PollWorkflowExecutionUpdateRequest(namespace=client.namespace, update_ref=update)
    try:
        return (await client.workflow_service.poll_workflow_execution_update(request)).stage
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return None


async def opened(client: Client, task_queue: str, workflow_id: str) -> WorkflowHandle[Account, int]:
    """An account whose first workflow task is done."""
    handle = await client.start_workflow(Account.run, id=workflow_id, task_queue=task_queue)
    await eventually(lambda: has_event(handle, "WORKFLOW_TASK_COMPLETED"))
    return handle
