"""Histories with large events can be read by a client that accepts no more than gRPC's 4 MiB in a message."""

from collections.abc import AsyncIterator

import grpc.aio
import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
    PollWorkflowTaskQueueRequest,
    service_pb2_grpc,
)
from temporalio.client import Client

from tests.functional.raw_run import Run, activity
from tests.support.server import Server

MIB = 1 << 20


@pytest.fixture
async def stub(server: Server) -> AsyncIterator[service_pb2_grpc.WorkflowServiceStub]:
    """A plain client."""
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        yield service_pb2_grpc.WorkflowServiceStub(channel)


@pytest.fixture
async def run(client: Client, task_queue: str, workflow_id: str) -> Run:
    """A run with signals of 10 MiB and a completion of nearly 4 MiB behind them, and a workflow task."""
    made = Run(client, workflow_id, task_queue)
    await made.start()
    for _ in range(10):
        await made.signal(MIB)
    task = await made.poll()
    await made.complete(task, *(activity(i, MIB * 13 // 10) for i in range(3)), more=True)
    return made


async def test_forwards(stub: service_pb2_grpc.WorkflowServiceStub, run: Run) -> None:
    request = GetWorkflowExecutionHistoryRequest(
        namespace="default", execution=WorkflowExecution(workflow_id=run.workflow_id)
    )
    assert await _pages(stub.GetWorkflowExecutionHistory, request) == list(range(1, 19))


async def test_backwards(stub: service_pb2_grpc.WorkflowServiceStub, run: Run) -> None:
    request = GetWorkflowExecutionHistoryReverseRequest(
        namespace="default", execution=WorkflowExecution(workflow_id=run.workflow_id)
    )
    assert await _pages(stub.GetWorkflowExecutionHistoryReverse, request) == list(range(18, 0, -1))


async def test_by_a_worker(stub: service_pb2_grpc.WorkflowServiceStub, run: Run) -> None:
    poll = PollWorkflowTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=run.queue))
    task = await stub.PollWorkflowTaskQueue(poll, timeout=10)
    first = [event.event_id for event in task.history.events]
    request = GetWorkflowExecutionHistoryRequest(
        namespace="default", execution=task.workflow_execution, next_page_token=task.next_page_token
    )
    assert first + await _pages(stub.GetWorkflowExecutionHistory, request) == list(range(1, 20))


async def _pages(call: object, request: object) -> list[int]:
    """The ids of the events of all pages from a request on."""
    found: list[int] = []
    while True:
        reply = await call(request)  # type: ignore[operator]
        found += [event.event_id for event in reply.history.events]
        if not reply.next_page_token:
            return found
        request.next_page_token = reply.next_page_token  # type: ignore[attr-defined]
