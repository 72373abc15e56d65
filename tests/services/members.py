"""Members of a cluster in one event loop: engines over the default database that hear each other through a hub."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
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
from orchestrator.services.engine import Engine, uuid7
from orchestrator.services.transfer_kinds import pay
from tests.store.process import ALIAS
from tests.support.hub import Hub

T = TypeVar("T")
NEVER = 3600.0
PATIENCE_S = 30.0
QUEUE = "orders"


class Member:
    """One of them.

    Args:
        hub: connects it with the others; None for a process that hears nobody.
        name: its name.
        cluster: what the database was made for.
        settings: of the library; by default no look at the runs that are waited for, so that only messages tell.
    """

    def __init__(self, hub: Hub | None, name: str, cluster: Cluster, settings: HugoSettings | None = None) -> None:
        self.engine = Engine(
            settings or HugoSettings(sweep_interval=0.05, waiters_interval=NEVER),
            cluster,
            store_of(ALIAS, cluster.shard_count),
            token_key=b"a key of tests",
            new_uuid=lambda: uuid7(time.time_ns(), os.urandom(10)),
            notifier=hub.notifier(name) if hub is not None else None,
        )
        self.engine.transfers.pay = partial(pay, self.engine)

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

    async def signal(self, execution: WorkflowExecution, name: str = "paid") -> None:
        """SignalWorkflowExecution."""
        request = SignalWorkflowExecutionRequest(workflow_execution=execution, signal_name=name)
        await self.call("SignalWorkflowExecution", request, SignalWorkflowExecutionResponse)

    async def terminate(self, execution: WorkflowExecution) -> None:
        """TerminateWorkflowExecution."""
        request = TerminateWorkflowExecutionRequest(workflow_execution=execution, reason="test")
        await self.call("TerminateWorkflowExecution", request, TerminateWorkflowExecutionResponse)

    async def poll(self, queue: str = QUEUE) -> PollWorkflowTaskQueueResponse:
        """PollWorkflowTaskQueue: a workflow task, or a query."""
        request = PollWorkflowTaskQueueRequest(task_queue=TaskQueue(name=queue), identity="worker")
        return await self.call("PollWorkflowTaskQueue", request, PollWorkflowTaskQueueResponse)

    async def complete(self, task: PollWorkflowTaskQueueResponse, *commands: Command, **fields: Any) -> None:
        """RespondWorkflowTaskCompleted."""
        request = RespondWorkflowTaskCompletedRequest(
            task_token=task.task_token, identity="worker", commands=commands, **fields
        )
        await self.call("RespondWorkflowTaskCompleted", request, RespondWorkflowTaskCompletedResponse)

    async def finish(self, execution: WorkflowExecution) -> None:
        """Works on the run until it is completed."""
        task = await self.poll()
        assert task.workflow_execution == execution
        await self.complete(task, END)


END = Command(command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
END.complete_workflow_execution_command_attributes.SetInParent()


@asynccontextmanager
async def running(*members: Member) -> AsyncIterator[None]:
    """Runs members, and ends them."""
    async with AsyncExitStack() as stack:
        for member in members:
            await member.engine.start()
            stack.push_async_callback(_stop, member)
        yield


async def _stop(member: Member) -> None:
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
