"""Members of a cluster that take any RPC, as a transport gives it to them."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import SimpleNamespace
from typing import Any, TypeVar

from google.protobuf.message import Message
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import CommandType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse,
    SignalWorkflowExecutionRequest,
    SignalWorkflowExecutionResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
    TerminateWorkflowExecutionRequest,
    TerminateWorkflowExecutionResponse,
)

from orchestrator.conf import HugoSettings
from orchestrator.grpc.handlers import WORKFLOW_METHODS
from orchestrator.services.bootstrap import Cluster
from orchestrator.services.composition import store_of
from orchestrator.store.notifier import Silence
from tests.services.member import PATIENCE_S, Member
from tests.store.process import ALIAS
from tests.support.hub import Hub

T = TypeVar("T")
NEVER = 3600.0
QUEUE = "orders"


class Caller(Member):
    """A process of several in one event loop.

    Args:
        hub: connects it with the others; None for a process that hears nobody.
        name: its name.
        cluster: what the database was made for.
        settings: of the library; by default no look at the runs that are waited for, so that only messages tell.
    """

    def __init__(self, hub: Hub | None, name: str, cluster: Cluster, settings: HugoSettings | None = None) -> None:
        super().__init__(
            hub.notifier(name) if hub is not None else Silence(),
            store_of(ALIAS, cluster.shard_count),
            cluster,
            settings or HugoSettings(sweep_interval=0.05, waiters_interval=NEVER),
        )

    async def call(self, method: str, request: Message, reply: type[T], seconds: float = PATIENCE_S) -> T:
        """The reply of an RPC; raises the ServiceError of the handler."""
        request.namespace = "default"  # type: ignore[attr-defined]
        deadline = asyncio.get_running_loop().time() + seconds
        caller: Any = SimpleNamespace(metadata={}, deadline=deadline, client_gone=_stays)
        answer: Any = await WORKFLOW_METHODS[method].answer(self.engine, caller, request)
        assert isinstance(answer, reply)
        return answer

    def begin(self, method: str, request: Message, reply: type[T], seconds: float = PATIENCE_S) -> "asyncio.Task[T]":
        """Begins an RPC."""
        return asyncio.create_task(self.call(method, request, reply, seconds))

    async def start_workflow(self, workflow_id: str) -> WorkflowExecution:
        """StartWorkflowExecution."""
        request = StartWorkflowExecutionRequest(
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="Order"),
            task_queue=TaskQueue(name=QUEUE),
            request_id=workflow_id,
        )
        started = await self.call("StartWorkflowExecution", request, StartWorkflowExecutionResponse)
        return WorkflowExecution(workflow_id=workflow_id, run_id=started.run_id)

    async def signal_run(self, execution: WorkflowExecution, name: str = "paid") -> None:
        """SignalWorkflowExecution."""
        request = SignalWorkflowExecutionRequest(workflow_execution=execution, signal_name=name)
        await self.call("SignalWorkflowExecution", request, SignalWorkflowExecutionResponse)

    async def terminate(self, execution: WorkflowExecution) -> None:
        """TerminateWorkflowExecution."""
        request = TerminateWorkflowExecutionRequest(workflow_execution=execution, reason="test")
        await self.call("TerminateWorkflowExecution", request, TerminateWorkflowExecutionResponse)

    async def take(self, queue: str = QUEUE) -> PollWorkflowTaskQueueResponse:
        """PollWorkflowTaskQueue: a workflow task, or a query."""
        request = PollWorkflowTaskQueueRequest(task_queue=TaskQueue(name=queue), identity="worker")
        return await self.call("PollWorkflowTaskQueue", request, PollWorkflowTaskQueueResponse)

    async def answer(self, task: PollWorkflowTaskQueueResponse, *commands: Command, **fields: Any) -> None:
        """RespondWorkflowTaskCompleted."""
        request = RespondWorkflowTaskCompletedRequest(
            task_token=task.task_token, identity="worker", commands=commands, **fields
        )
        await self.call("RespondWorkflowTaskCompleted", request, RespondWorkflowTaskCompletedResponse)

    async def finish(self, execution: WorkflowExecution) -> None:
        """Works on the run until it is completed."""
        task = await self.take()
        assert task.workflow_execution == execution
        await self.answer(task, END)


END = Command(command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
END.complete_workflow_execution_command_attributes.SetInParent()


@asynccontextmanager
async def running(*members: Caller) -> AsyncIterator[None]:
    """Runs members, and ends them."""
    async with AsyncExitStack() as stack:
        for member in members:
            await member.engine.start()
            stack.push_async_callback(_stop, member)
        yield


async def _stop(member: Caller) -> None:
    member.engine.drain()
    await member.engine.stop()


async def _stays() -> bool:
    return False


async def until(condition: Callable[[], object], what: str = "the condition") -> None:
    """Returns once a condition holds; fails when it never does."""
    async with asyncio.timeout(PATIENCE_S):
        while not condition():
            await asyncio.sleep(0.005)


async def done(waited: Awaitable[T]) -> T:
    """The result of what must end soon."""
    async with asyncio.timeout(PATIENCE_S):
        return await waited
