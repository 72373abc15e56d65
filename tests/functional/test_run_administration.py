"""What operators do to whole runs: change their options, delete them."""

from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio import workflow
from temporalio.api.common.v1 import Priority, WorkflowExecution
from temporalio.api.workflow.v1 import WorkflowExecutionOptions
from temporalio.api.workflowservice.v1 import (
    DeleteWorkflowExecutionRequest,
    UpdateWorkflowExecutionOptionsRequest,
    UpdateWorkflowExecutionOptionsResponse,
)
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.workers import events_of, eventually, has_event, new_worker, only


@workflow.defn
class Waits:
    """Ends by a signal."""

    def __init__(self) -> None:
        self._end = False

    @workflow.run
    async def run(self) -> int | None:
        await workflow.wait_condition(lambda: self._end)
        return workflow.info().priority.priority_key

    @workflow.signal
    def end(self) -> None:
        self._end = True


async def change_priority(
    client: Client, workflow_id: str, priority: Priority
) -> UpdateWorkflowExecutionOptionsResponse:
    """Changes the priority of the current run of a workflow."""
    return await client.workflow_service.update_workflow_execution_options(
        UpdateWorkflowExecutionOptionsRequest(
            namespace=client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            workflow_execution_options=WorkflowExecutionOptions(priority=priority),
            update_mask=FieldMask(paths=["priority"]),
            identity="operator",
        )
    )


async def test_the_priority_of_an_open_run_changes(client: Client, task_queue: str, workflow_id: str) -> None:
    wanted = Priority(priority_key=1, fairness_key="urgent")
    async with new_worker(client, task_queue, workflows=[Waits]):
        handle = await client.start_workflow(Waits.run, id=workflow_id, task_queue=task_queue)
        await eventually(lambda: has_event(handle, "WORKFLOW_TASK_COMPLETED"))
        reply = await change_priority(client, workflow_id, wanted)
        assert reply.workflow_execution_options.priority == wanted
        assert (await handle.describe()).raw_info.priority == wanted
        await handle.signal(Waits.end)
        await handle.result()
    changed = only(await events_of(handle), "WORKFLOW_EXECUTION_OPTIONS_UPDATED")
    attributes = changed.workflow_execution_options_updated_event_attributes
    assert (attributes.priority, attributes.identity) == (wanted, "operator")


async def test_the_options_of_a_closed_run_are_fixed(client: Client, task_queue: str, workflow_id: str) -> None:
    handle = await client.start_workflow(Waits.run, id=workflow_id, task_queue=task_queue)
    await handle.terminate()
    with pytest.raises(RPCError) as raised:
        await change_priority(client, workflow_id, Priority(priority_key=1))
    assert raised.value.status == RPCStatusCode.NOT_FOUND


async def gone(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether nobody knows a run any more."""
    try:
        await handle.describe()
    except RPCError as error:
        if error.status != RPCStatusCode.NOT_FOUND:
            raise
        return True
    return False


async def delete(client: Client, handle: WorkflowHandle[Any, Any]) -> None:
    """Deletes a run, and returns when it is gone."""
    execution = WorkflowExecution(workflow_id=handle.id, run_id=handle.run_id or "")
    await client.workflow_service.delete_workflow_execution(
        DeleteWorkflowExecutionRequest(namespace=client.namespace, workflow_execution=execution)
    )
    await eventually(lambda: gone(handle))


@pytest.mark.parametrize("how", ["open", "completed", "terminated"])
async def test_a_deleted_run_leaves_nothing(how: str, client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Waits]):
        handle = await client.start_workflow(Waits.run, id=workflow_id, task_queue=task_queue)
        if how == "completed":
            await handle.signal(Waits.end)
            await handle.result()
        elif how == "terminated":
            await handle.terminate()
        await delete(client, handle)
        with pytest.raises(RPCError) as raised:
            await events_of(handle)
        assert raised.value.status == RPCStatusCode.NOT_FOUND
        assert [run async for run in client.list_workflows(f'WorkflowId = "{workflow_id}"')] == []
        again = await client.start_workflow(Waits.run, id=workflow_id, task_queue=task_queue)
        await again.signal(Waits.end)
        await again.result()


async def test_an_older_run_is_deleted_and_the_current_one_stays(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    older = await client.start_workflow(Waits.run, id=workflow_id, task_queue=task_queue)
    await older.terminate()
    current = await client.start_workflow(Waits.run, id=workflow_id, task_queue=task_queue)
    await delete(client, client.get_workflow_handle(workflow_id, run_id=older.result_run_id))
    assert (await current.describe()).status == WorkflowExecutionStatus.RUNNING
    (shown,) = [run async for run in client.list_workflows(f'WorkflowId = "{workflow_id}"')]
    assert shown.run_id == current.result_run_id
    await current.terminate()


async def test_an_unknown_run_cannot_be_deleted(client: Client, workflow_id: str) -> None:
    with pytest.raises(RPCError) as raised:
        await delete(client, client.get_workflow_handle(workflow_id))
    assert raised.value.status == RPCStatusCode.NOT_FOUND
