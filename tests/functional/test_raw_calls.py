"""Calls as only a client without an SDK makes them: short deadlines, odd answers, fields nobody sends."""

import asyncio
import math
from datetime import timedelta

import pytest
from temporalio.api.common.v1 import Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import HistoryEventFilterType, QueryResultType, TaskQueueType
from temporalio.api.errordetails.v1 import QueryFailedFailure
from temporalio.api.namespace.v1 import UpdateNamespaceInfo
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.taskqueue.v1 import RateLimit, TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    GetWorkflowExecutionHistoryRequest,
    PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    QueryWorkflowRequest,
    RegisterNamespaceRequest,
    ResetWorkflowExecutionRequest,
    RespondQueryTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    StartWorkflowExecutionRequest,
    UpdateNamespaceRequest,
    UpdateTaskQueueConfigRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.workers import events_of, names

LARGE = Payloads(payloads=[Payload(metadata={"encoding": b"binary/plain"}, data=b"x" * (2 << 20))])
CLOSE_EVENT = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT


async def start(client: Client, queue: str, workflow_id: str) -> None:
    """Starts a run nobody works on."""
    request = StartWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_id=workflow_id,
        workflow_type=WorkflowType(name="Raw"),
        task_queue=TaskQueue(name=queue),
    )
    await client.workflow_service.start_workflow_execution(request)


async def poll(client: Client, queue: str) -> PollWorkflowTaskQueueResponse:
    """The next workflow task of a queue."""
    request = PollWorkflowTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=queue), identity="raw worker"
    )
    return await client.workflow_service.poll_workflow_task_queue(request, timeout=timedelta(seconds=10))


def completion(client: Client, task: PollWorkflowTaskQueueResponse) -> RespondWorkflowTaskCompletedRequest:
    """The completion of a task without commands."""
    return RespondWorkflowTaskCompletedRequest(namespace=client.namespace, task_token=task.task_token)


@pytest.mark.parametrize("only_close", [True, False])
async def test_a_long_poll_of_a_history_ends_before_its_caller_gives_up(
    client: Client, task_queue: str, workflow_id: str, only_close: bool
) -> None:
    await start(client, task_queue, workflow_id)
    request = GetWorkflowExecutionHistoryRequest(
        namespace=client.namespace, execution=WorkflowExecution(workflow_id=workflow_id), wait_new_event=True
    )
    if only_close:
        request.history_event_filter_type = CLOSE_EVENT
    else:
        known = await client.workflow_service.get_workflow_execution_history(request)
        assert len(known.history.events) == 2
        request.next_page_token = known.next_page_token
    reply = await client.workflow_service.get_workflow_execution_history(request, timeout=timedelta(seconds=1.5))
    assert not reply.history.events
    assert reply.next_page_token


async def test_a_query_answered_with_too_much_fails(client: Client, task_queue: str, workflow_id: str) -> None:
    await start(client, task_queue, workflow_id)
    await client.workflow_service.respond_workflow_task_completed(completion(client, await poll(client, task_queue)))
    query = QueryWorkflowRequest(
        namespace=client.namespace,
        execution=WorkflowExecution(workflow_id=workflow_id),
        query=WorkflowQuery(query_type="all"),
    )
    asked = asyncio.create_task(client.workflow_service.query_workflow(query))
    task = await poll(client, task_queue)
    answer = RespondQueryTaskCompletedRequest(
        namespace=client.namespace,
        task_token=task.task_token,
        completed_type=QueryResultType.QUERY_RESULT_TYPE_ANSWERED,
        query_result=LARGE,
    )
    await client.workflow_service.respond_query_task_completed(answer)
    with pytest.raises(RPCError, match="Blob data size exceeds limit") as raised:
        await asked
    assert raised.value.status == RPCStatusCode.INVALID_ARGUMENT
    detail = QueryFailedFailure()
    assert raised.value.grpc_status.details[0].Unpack(detail)
    assert not detail.HasField("failure")


async def test_a_page_of_a_completion_is_refused_and_changes_nothing(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    await start(client, task_queue, workflow_id)
    request = completion(client, await poll(client, task_queue))
    request.intermediate_page = True
    with pytest.raises(RPCError, match="pagination is disabled") as raised:
        await client.workflow_service.respond_workflow_task_completed(request)
    assert raised.value.status == RPCStatusCode.FAILED_PRECONDITION
    request.intermediate_page = False
    await client.workflow_service.respond_workflow_task_completed(request)


async def test_a_reset_may_change_the_options_of_the_new_run(client: Client, task_queue: str, workflow_id: str) -> None:
    await start(client, task_queue, workflow_id)
    await client.workflow_service.respond_workflow_task_completed(completion(client, await poll(client, task_queue)))
    execution = WorkflowExecution(workflow_id=workflow_id)
    request = ResetWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=execution,
        workflow_task_finish_event_id=4,
        request_id=workflow_id,
    )
    request.post_reset_operations.add().signal_workflow.signal_name = "go"
    with pytest.raises(RPCError, match="unsupported post reset operation") as raised:
        await client.workflow_service.reset_workflow_execution(request)
    assert raised.value.status == RPCStatusCode.INVALID_ARGUMENT
    del request.post_reset_operations[:]
    change = request.post_reset_operations.add().update_workflow_options
    change.workflow_execution_options.priority.priority_key = 2
    change.update_mask.paths.append("priority")
    reply = await client.workflow_service.reset_workflow_execution(request)
    events = await events_of(client.get_workflow_handle(workflow_id, run_id=reply.run_id))
    assert names(events)[3:] == [
        "WORKFLOW_TASK_FAILED",
        "WORKFLOW_EXECUTION_OPTIONS_UPDATED",
        "WORKFLOW_TASK_SCHEDULED",
    ]
    assert (await poll(client, task_queue)).workflow_execution.run_id == reply.run_id
    description = await client.workflow_service.describe_workflow_execution(
        DescribeWorkflowExecutionRequest(namespace=client.namespace, execution=execution)
    )
    assert description.workflow_execution_info.priority.priority_key == 2


@pytest.mark.parametrize("kind", [-1, 2**15])
async def test_the_configuration_of_no_kind_of_queue_is_refused(client: Client, task_queue: str, kind: int) -> None:
    request = UpdateTaskQueueConfigRequest(
        namespace=client.namespace,
        task_queue=task_queue,
        task_queue_type=kind,  # type: ignore[arg-type]
        set_fairness_weight_overrides={"tenant": 2},
    )
    with pytest.raises(RPCError, match=f"unknown task queue type: {kind}") as raised:
        await client.workflow_service.update_task_queue_config(request)
    assert raised.value.status == RPCStatusCode.INVALID_ARGUMENT


async def test_a_rate_without_end_is_no_limit(client: Client, task_queue: str) -> None:
    request = UpdateTaskQueueConfigRequest(
        namespace=client.namespace,
        task_queue=task_queue,
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        update_queue_rate_limit=UpdateTaskQueueConfigRequest.RateLimitUpdate(
            rate_limit=RateLimit(requests_per_second=math.inf)
        ),
    )
    await client.workflow_service.update_task_queue_config(request)
    poll_activity = PollActivityTaskQueueRequest(namespace=client.namespace, task_queue=TaskQueue(name=task_queue))
    reply = await client.workflow_service.poll_activity_task_queue(poll_activity, timeout=timedelta(seconds=2.5))
    assert not reply.task_token


async def test_a_namespace_is_changed(client: Client, workflow_id: str) -> None:
    register = RegisterNamespaceRequest(namespace=workflow_id)
    register.workflow_execution_retention_period.FromSeconds(86_400)
    await client.workflow_service.register_namespace(register)
    update = UpdateNamespaceRequest(namespace=workflow_id, update_info=UpdateNamespaceInfo(description="new words"))
    reply = await client.workflow_service.update_namespace(update)
    assert reply.namespace_info.description == "new words"
