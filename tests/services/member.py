"""One process of several in one event loop: an engine over the default database, and calls to it."""

import asyncio
import os
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from functools import partial
from typing import Any

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import CommandType
from temporalio.api.taskqueue.v1 import StickyExecutionAttributes, TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)

from orchestrator.conf import HugoSettings
from orchestrator.core.run import WORKFLOW
from orchestrator.core.wire import SECOND, duration
from orchestrator.services.bootstrap import Cluster
from orchestrator.services.change_workflow import signal_workflow_execution
from orchestrator.services.engine import Engine, uuid7
from orchestrator.services.pollers import QueueKey
from orchestrator.services.queue import Queue
from orchestrator.services.start_workflow import start_workflow_execution
from orchestrator.services.transfer_kinds import pay
from orchestrator.services.workflow_tasks import poll_workflow_task_queue, respond_workflow_task_completed
from orchestrator.store.notifier import Notifier
from orchestrator.store.ports import Store
from tests.core import builders as build

PATIENCE_S = 30.0
NEVER_SWEPT = HugoSettings(sweep_interval=3600)
"""So that only messages and polls find tasks."""


class Member:
    """A process.

    Args:
        notifier: how it reaches the others.
        store: of the default database.
        cluster: what that was made for.
        settings: of the library.
    """

    def __init__(self, notifier: Notifier, store: Store, cluster: Cluster, settings: HugoSettings) -> None:
        self.engine = Engine(
            settings,
            cluster,
            store,
            token_key=b"a key of tests",
            new_uuid=lambda: uuid7(time.time_ns(), os.urandom(10)),
            notifier=notifier,
        )
        self.engine.transfers.pay = partial(pay, self.engine)

    async def start(self, workflow_id: str, queue: str, **fields: Any) -> str:
        """StartWorkflowExecution; returns the run id."""
        request = StartWorkflowExecutionRequest(
            namespace="default",
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="Order"),
            task_queue=TaskQueue(name=queue),
            **fields,
        )
        namespace = await self.engine.namespace("default")
        return (await self.engine.execute(start_workflow_execution(self.engine, namespace, request))).response.run_id

    async def signal(self, workflow_id: str) -> None:
        """SignalWorkflowExecution."""
        request = SignalWorkflowExecutionRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id=workflow_id), signal_name="paid"
        )
        namespace = await self.engine.namespace("default")
        await self.engine.execute(signal_workflow_execution(self.engine, namespace, request))

    async def poll(self, queue: str, seconds: float = PATIENCE_S, **fields: Any) -> PollWorkflowTaskQueueResponse:
        """PollWorkflowTaskQueue."""
        fields.setdefault("identity", "worker")
        request = PollWorkflowTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=queue), **fields)
        namespace = await self.engine.namespace("default")
        deadline = asyncio.get_running_loop().time() + seconds
        return await poll_workflow_task_queue(
            self.engine, namespace, request, deadline=deadline, client_gone=_never_gone
        )

    async def begin_poll(self, queue: str, **fields: Any) -> "asyncio.Task[PollWorkflowTaskQueueResponse]":
        """Begins a poll; returns once it waits, or has its task."""
        before = await self.waiting(queue)
        polling = asyncio.create_task(self.poll(queue, **fields))

        async def begun() -> bool:
            return polling.done() or await self.waiting(queue) > before

        await until(begun)
        return polling

    async def poll_in_vain(self, queue: str) -> None:
        """A poll that is cancelled while it waits."""
        polling = await self.begin_poll(queue)
        polling.cancel()
        await asyncio.wait([polling])

    async def complete(self, token: bytes, *, sticky: str = "", close: bool = True) -> None:
        """RespondWorkflowTaskCompleted, which closes the workflow or goes on, on a sticky queue if one is named."""
        done = Command(command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
        done.complete_workflow_execution_command_attributes.SetInParent()
        request = RespondWorkflowTaskCompletedRequest(
            namespace="default",
            task_token=token,
            identity="worker",
            commands=[done if close else build.record_marker()],
        )
        if sticky:
            request.sticky_attributes.CopyFrom(
                StickyExecutionAttributes(
                    worker_task_queue=TaskQueue(name=sticky), schedule_to_start_timeout=duration(5 * SECOND)
                )
            )
        namespace = await self.engine.namespace("default")
        await respond_workflow_task_completed(self.engine, namespace, request)

    async def key(self, queue: str) -> QueueKey:
        """The key of a workflow queue."""
        return QueueKey((await self.engine.namespace("default")).id, queue, WORKFLOW)

    async def queue(self, queue: str) -> Queue | None:
        """What it knows of a workflow queue."""
        return self.engine.matching.look(await self.key(queue))

    async def waiting(self, queue: str) -> int:
        """How many polls of a workflow queue wait in it."""
        found = await self.queue(queue)
        return len(found.waiting) if found is not None else 0


@asynccontextmanager
async def running(*members: Member) -> AsyncIterator[None]:
    """The members run, and know each other."""
    async with AsyncExitStack() as stack:
        for member in members:
            await member.engine.start()
            stack.push_async_callback(member.engine.stop)
            stack.callback(member.engine.drain)

        async def acquainted() -> bool:
            return all(len(each.engine.matching.presence.members) >= len(members) - 1 for each in members)

        await until(acquainted)
        yield


async def until(condition: Callable[[], Awaitable[Any]]) -> Any:
    """Returns what a condition says once that is true."""
    async with asyncio.timeout(PATIENCE_S):
        while not (found := await condition()):
            await asyncio.sleep(0.002)
        return found


async def _never_gone() -> bool:
    return False
