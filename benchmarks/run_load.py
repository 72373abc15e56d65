"""What loads share that are about few runs with much in them: one worker that remembers runs, as SDK workers do."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import AsyncGenerator, Sequence
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import StickyExecutionAttributes, TaskQueue
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    PollWorkflowTaskQueueRequest,
    RespondWorkflowTaskCompletedRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)

from benchmarks.load import Load, LoadOptions

POLL_DEADLINE = 70.0
"""Seconds; longer than a server holds a poll."""


class RunLoad(Load):
    """Calls about runs of one task queue. What a subclass starts is terminated at the end unless it is `forget`-ed."""

    def __init__(self, address: str, options: LoadOptions) -> None:
        super().__init__(address, options)
        self.task_queue = TaskQueue(name=f"bench-{self.run_name}")
        self.sticky_queue = TaskQueue(
            name=f"sticky-{self.run_name}",
            kind=TaskQueueKind.TASK_QUEUE_KIND_STICKY,
            normal_name=self.task_queue.name,
        )
        self._open: dict[str, None] = {}
        self._background: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        for task in self._background:
            task.cancel()
        await asyncio.gather(*self._background, return_exceptions=True)
        for i, workflow_id in enumerate(self._open):
            await self.call(
                "TerminateWorkflowExecution",
                i,
                TerminateWorkflowExecutionRequest(
                    namespace=self.options.namespace, workflow_execution=WorkflowExecution(workflow_id=workflow_id)
                ),
            )
        await super().close()

    async def timed(self, work: Any) -> None:
        """Does the measured work: takes the time, and gives up after the timeout."""
        self.sample.began = time.perf_counter()
        try:
            async with asyncio.timeout(self.options.timeout):
                await work
        except TimeoutError:
            self.sample.errors["run timed out"] += 1
        self.sample.ended = time.perf_counter()

    def behind(self, work: Any) -> None:
        """Lets something go on until the load is closed."""
        self._background.add(task := asyncio.create_task(work))
        task.add_done_callback(self._background.discard)

    async def start(self, index: int, workflow_id: str) -> bool:
        """Starts a run; whether it worked."""
        self._open[workflow_id] = None
        request = StartWorkflowExecutionRequest(
            namespace=self.options.namespace,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="wf"),
            task_queue=self.task_queue,
            request_id=str(uuid.uuid4()),
            identity="bench",
            workflow_task_timeout=Duration(seconds=10),
        )
        return await self.call("StartWorkflowExecution", index, request) is not None

    def forget(self, workflow_id: str) -> None:
        """A run has closed."""
        self._open.pop(workflow_id, None)

    async def signal(self, index: int, workflow_id: str) -> bool:
        """Sends a signal, with a request id as SDKs do; whether it worked."""
        request = SignalWorkflowExecutionRequest(
            namespace=self.options.namespace,
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            signal_name="s",
            request_id=str(uuid.uuid4()),
            identity="bench",
        )
        return await self.call("SignalWorkflowExecution", index, request) is not None

    async def tasks(self, index: int, *, sticky: bool = False) -> AsyncGenerator[Any, None]:
        """Workflow tasks, one after the other."""
        request = PollWorkflowTaskQueueRequest(
            namespace=self.options.namespace,
            task_queue=self.sticky_queue if sticky else self.task_queue,
            identity=f"b{index}",
        )
        while True:
            task = await self.call("PollWorkflowTaskQueue", index, request, POLL_DEADLINE)
            if task is None:
                await asyncio.sleep(0.01)
            elif task.task_token:
                yield task

    async def complete(
        self, index: int, task: Any, commands: Sequence[Command] = (), messages: Sequence[Any] = (), sticky: bool = True
    ) -> Any | None:
        """Completes a workflow task."""
        request = RespondWorkflowTaskCompletedRequest(
            task_token=task.task_token,
            commands=commands,
            messages=messages,
            identity=f"b{index}",
            namespace=self.options.namespace,
        )
        if sticky:
            request.sticky_attributes.CopyFrom(
                StickyExecutionAttributes(
                    worker_task_queue=self.sticky_queue, schedule_to_start_timeout=Duration(seconds=10)
                )
            )
        return await self.call("RespondWorkflowTaskCompleted", index, request)

    async def events(self, index: int, task: Any) -> list[HistoryEvent]:
        """All events that belong to a task."""
        found = list(task.history.events)
        request = GetWorkflowExecutionHistoryRequest(
            namespace=self.options.namespace,
            execution=task.workflow_execution,
            next_page_token=task.next_page_token,
        )
        while request.next_page_token:
            page = await self.call("GetWorkflowExecutionHistory", index, request)
            if page is None:
                break
            found += page.history.events
            request.next_page_token = page.next_page_token
        return found
