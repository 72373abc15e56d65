"""Update with start: one call that starts a workflow, or finds it, and updates it; and how it fails."""

import asyncio
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.errordetails.v1 import MultiOperationExecutionFailure
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.update.v1 import Input, Meta, Request
from temporalio.api.workflowservice.v1 import (
    ExecuteMultiOperationRequest,
    StartWorkflowExecutionRequest,
    UpdateWorkflowExecutionRequest,
)
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowUpdateFailedError,
    WorkflowUpdateStage,
)
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import ApplicationError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.account import Account, opened
from tests.functional.workers import all_of, events_of, names, new_worker

USE, FAIL = WorkflowIDConflictPolicy.USE_EXISTING, WorkflowIDConflictPolicy.FAIL


def starting(
    task_queue: str, workflow_id: str, conflict: WorkflowIDConflictPolicy = USE, **options: Any
) -> WithStartWorkflowOperation[Account, int]:
    """The start of an account."""
    return WithStartWorkflowOperation(
        Account.run, id=workflow_id, task_queue=task_queue, id_conflict_policy=conflict, **options
    )


async def test_a_workflow_is_started_with_its_first_update(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        start = starting(task_queue, workflow_id)
        assert await client.execute_update_with_start_workflow(Account.deposit, 5, start_workflow_operation=start) == 5
        handle = await start.workflow_handle()
        await handle.signal(Account.close)
        assert await handle.result() == 5
    assert names(await events_of(handle))[:5] == [
        "WORKFLOW_EXECUTION_STARTED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "WORKFLOW_EXECUTION_UPDATE_ACCEPTED",
    ]


async def test_an_open_run_is_updated(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        running = await opened(client, task_queue, workflow_id)
        start = starting(task_queue, workflow_id)
        assert await client.execute_update_with_start_workflow(Account.deposit, 5, start_workflow_operation=start) == 5
        assert (await start.workflow_handle()).result_run_id == running.result_run_id
        await running.terminate()


async def test_many_callers_share_one_run(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        results = await asyncio.gather(
            *(
                client.execute_update_with_start_workflow(
                    Account.deposit, 1, start_workflow_operation=starting(task_queue, workflow_id)
                )
                for _ in range(8)
            )
        )
        assert sorted(results) == list(range(1, 9))
        handle = client.get_workflow_handle_for(Account.run, workflow_id)
        await handle.signal(Account.close)
        assert await handle.result() == 8
    assert len(all_of(await events_of(handle), "WORKFLOW_EXECUTION_UPDATE_ACCEPTED")) == 8


async def test_the_caller_may_wait_for_acceptance_only(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        start = starting(task_queue, workflow_id)
        update = await client.start_update_with_start_workflow(
            Account.transfer, 5, wait_for_stage=WorkflowUpdateStage.ACCEPTED, start_workflow_operation=start
        )
        await (await start.workflow_handle()).signal(Account.clear)
        assert await update.result() == 5
        await (await start.workflow_handle()).terminate()


async def test_a_completed_update_is_answered_after_the_close_without_a_start(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        running = await opened(client, task_queue, workflow_id)
        assert await running.execute_update(Account.deposit, 5, id="the-same") == 5
        await running.signal(Account.close)
        await running.result()
        start = starting(task_queue, workflow_id)
        result = await client.execute_update_with_start_workflow(
            Account.deposit, 5, id="the-same", start_workflow_operation=start
        )
    assert result == 5
    assert (await start.workflow_handle()).result_run_id == running.result_run_id
    assert (await client.get_workflow_handle(workflow_id).describe()).run_id == running.result_run_id


async def test_a_rejected_update_leaves_the_started_workflow(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        start = starting(task_queue, workflow_id)
        with pytest.raises(WorkflowUpdateFailedError) as raised:
            await client.execute_update_with_start_workflow(Account.deposit, -5, start_workflow_operation=start)
        assert isinstance(raised.value.cause, ApplicationError)
        assert raised.value.cause.type == "Negative"
        handle = client.get_workflow_handle_for(Account.run, workflow_id)
        await handle.signal(Account.close)
        assert await handle.result() == 0
    assert not all_of(await events_of(handle), "WORKFLOW_EXECUTION_UPDATE_ACCEPTED")


async def test_a_start_the_policies_forbid_fails_both(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        running = await opened(client, task_queue, workflow_id)
        start = starting(task_queue, workflow_id, FAIL)
        with pytest.raises(WorkflowAlreadyStartedError) as raised:
            await client.execute_update_with_start_workflow(Account.deposit, 5, start_workflow_operation=start)
        assert raised.value.run_id == running.result_run_id
        with pytest.raises(WorkflowAlreadyStartedError):
            await start.workflow_handle()
        await running.signal(Account.close)
        assert await running.result() == 0
        again = starting(task_queue, workflow_id, id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE)
        with pytest.raises(WorkflowAlreadyStartedError):
            await client.execute_update_with_start_workflow(Account.deposit, 5, start_workflow_operation=again)


def operations(client: Client, task_queue: str, workflow_id: str) -> ExecuteMultiOperationRequest:
    """A call that is in order."""
    start = StartWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_id=workflow_id,
        workflow_type=WorkflowType(name="Account"),
        task_queue=TaskQueue(name=task_queue),
        request_id="the start",
    )
    update = UpdateWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=workflow_id),
        request=Request(meta=Meta(update_id="the-update"), input=Input(name="deposit")),
    )
    request = ExecuteMultiOperationRequest(namespace=client.namespace)
    request.operations.add(start_workflow=start)
    request.operations.add(update_workflow=update)
    return request


async def refusal_of(client: Client, request: ExecuteMultiOperationRequest) -> RPCError:
    """How a call is refused."""
    with pytest.raises(RPCError) as raised:
        await client.workflow_service.execute_multi_operation(request)
    return raised.value


async def test_only_a_start_and_an_update_go_together(client: Client, task_queue: str, workflow_id: str) -> None:
    request = operations(client, task_queue, workflow_id)
    del request.operations[0]
    error = await refusal_of(client, request)
    assert error.status == RPCStatusCode.INVALID_ARGUMENT
    assert error.message == "Operations have to be exactly [Start, Update]."
    assert not error.grpc_status.details


@pytest.mark.parametrize(
    ("spoil", "codes", "text"),
    [
        ("id", ["ABORTED", "INVALID_ARGUMENT"], "WorkflowId is not consistent with previous operation(s)."),
        ("cron", ["INVALID_ARGUMENT", "ABORTED"], "CronSchedule is not allowed."),
        ("type", ["INVALID_ARGUMENT", "ABORTED"], "WorkflowType is not set on request."),
        ("name", ["ABORTED", "INVALID_ARGUMENT"], "Update name is not set on request."),
    ],
)
async def test_each_operation_has_an_error_of_its_own(
    spoil: str, codes: list[str], text: str, client: Client, task_queue: str, workflow_id: str
) -> None:
    request = operations(client, task_queue, workflow_id)
    start, update = request.operations[0].start_workflow, request.operations[1].update_workflow
    if spoil == "id":
        update.workflow_execution.workflow_id = "another"
    elif spoil == "cron":
        start.cron_schedule = "@daily"
    elif spoil == "type":
        start.ClearField("workflow_type")
    else:
        update.request.input.name = ""
    error = await refusal_of(client, request)
    assert error.status == RPCStatusCode.INVALID_ARGUMENT
    failure = MultiOperationExecutionFailure()
    assert error.grpc_status.details[0].Unpack(failure)
    assert [RPCStatusCode(each.code).name for each in failure.statuses] == codes
    assert text in [each.message for each in failure.statuses]
    with pytest.raises(RPCError) as unknown:
        await client.get_workflow_handle(workflow_id).describe()
    assert unknown.value.status == RPCStatusCode.NOT_FOUND
