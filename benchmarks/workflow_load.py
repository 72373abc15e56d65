"""The load most figures are taken with: whole workflows as raw gRPC calls, no SDK in between.

One workflow is StartWorkflowExecution, PollWorkflowTaskQueue, RespondWorkflowTaskCompleted(ScheduleActivityTask),
PollActivityTaskQueue, RespondActivityTaskCompleted, PollWorkflowTaskQueue, RespondWorkflowTaskCompleted(Complete). Its
latency runs from the start call to the accepted completion.
"""

from __future__ import annotations

import asyncio
import time
import uuid
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import (
    Command,
    CompleteWorkflowExecutionCommandAttributes,
    ScheduleActivityTaskCommandAttributes,
)
from temporalio.api.common.v1 import ActivityType, WorkflowType
from temporalio.api.enums.v1 import CommandType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    RespondActivityTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    StartWorkflowExecutionRequest,
)

from benchmarks.load import Load, LoadOptions

POLL_DEADLINE = 70.0
"""Seconds; longer than a server holds a poll."""

SETTLE = 1.0
"""Seconds between the first polls and the first start, so that every poller waits at the server."""


class WorkflowLoad(Load):
    """`count` workflows, `concurrency` in flight, served by this process's own pollers."""

    def __init__(self, address: str, options: LoadOptions) -> None:
        super().__init__(address, options)
        self.task_queue = TaskQueue(name=f"bench-{self.run_name}")
        self._started: dict[str, float] = {}
        self._done: set[str] = set()
        self._failed_starts = 0
        self._slots = asyncio.Semaphore(options.concurrency)
        self._all_done = asyncio.Event()
        self._pollers: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        await super().open()
        for i in range(self.options.pollers):
            self._pollers.append(asyncio.create_task(self._poll_workflow_tasks(i)))
            if self.options.activities:
                self._pollers.append(asyncio.create_task(self._poll_activity_tasks(i)))
        await asyncio.sleep(SETTLE)

    async def run(self) -> None:
        sample = self.sample
        sample.began = time.perf_counter()
        try:
            async with asyncio.timeout(self.options.timeout):
                starts = set()
                for i in range(self.options.count):
                    await self._slots.acquire()
                    task = asyncio.create_task(self._start(i))
                    starts.add(task)
                    task.add_done_callback(starts.discard)
                await self._all_done.wait()
        except TimeoutError:
            sample.errors["run timed out"] += 1
        sample.ended = time.perf_counter()
        sample.finished = len(self._done)

    async def close(self) -> None:
        for poller in self._pollers:
            poller.cancel()
        await asyncio.gather(*self._pollers, return_exceptions=True)
        await super().close()

    async def _start(self, index: int) -> None:
        workflow_id = f"{self.run_name}-{index}"
        self._started[workflow_id] = time.perf_counter()
        request = StartWorkflowExecutionRequest(
            namespace=self.options.namespace,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="wf"),
            task_queue=self.task_queue,
            request_id=str(uuid.uuid4()),
            identity="bench",
            workflow_task_timeout=Duration(seconds=10),
            request_eager_execution=self.options.eager,
        )
        reply = await self.call("StartWorkflowExecution", index, request)
        if reply is None:
            self._failed_starts += 1
            self._release()
        elif reply.HasField("eager_workflow_task"):
            self.sample.events["eager workflow tasks"] += 1
            await self._workflow_task(index, reply.eager_workflow_task)

    async def _poll_workflow_tasks(self, index: int) -> None:
        request = PollWorkflowTaskQueueRequest(
            namespace=self.options.namespace, task_queue=self.task_queue, identity=f"b{index}"
        )
        while True:
            task = await self.call("PollWorkflowTaskQueue", index, request, POLL_DEADLINE)
            if task is None:
                await asyncio.sleep(0.01)
            elif task.task_token:
                await self._workflow_task(index, task)

    async def _poll_activity_tasks(self, index: int) -> None:
        request = PollActivityTaskQueueRequest(
            namespace=self.options.namespace, task_queue=self.task_queue, identity=f"b{index}"
        )
        while True:
            task = await self.call("PollActivityTaskQueue", index, request, POLL_DEADLINE)
            if task is None:
                await asyncio.sleep(0.01)
            elif task.task_token:
                await self._activity_task(index, task)

    async def _workflow_task(self, index: int, task: Any) -> None:
        """Schedule the next activity, or complete once all are in the history; both read off the history as it is."""
        completed = sum(
            1 for event in task.history.events if event.HasField("activity_task_completed_event_attributes")
        )
        last = completed >= self.options.activities
        reply = await self.call(
            "RespondWorkflowTaskCompleted",
            index,
            RespondWorkflowTaskCompletedRequest(
                task_token=task.task_token,
                commands=[COMPLETE if last else self._schedule(completed + 1)],
                identity=f"b{index}",
                namespace=self.options.namespace,
            ),
        )
        if reply is None:
            return
        for activity in reply.activity_tasks:
            self.sample.events["eager activities"] += 1
            await self._activity_task(index, activity)
        workflow_id = task.workflow_execution.workflow_id
        if last and workflow_id not in self._done:
            self._done.add(workflow_id)
            self.sample.latencies.append(time.perf_counter() - self._started[workflow_id])
            self._release()

    async def _activity_task(self, index: int, task: Any) -> None:
        request = RespondActivityTaskCompletedRequest(
            task_token=task.task_token, identity=f"b{index}", namespace=self.options.namespace
        )
        await self.call("RespondActivityTaskCompleted", index, request)

    def _schedule(self, number: int) -> Command:
        return Command(
            command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
            schedule_activity_task_command_attributes=ScheduleActivityTaskCommandAttributes(
                activity_id=str(number),
                activity_type=ActivityType(name="act"),
                task_queue=self.task_queue,
                start_to_close_timeout=Duration(seconds=60),
                schedule_to_close_timeout=Duration(seconds=120),
                request_eager_execution=self.options.eager,
            ),
        )

    def _release(self) -> None:
        self._slots.release()
        if len(self._done) + self._failed_starts >= self.options.count:
            self._all_done.set()


COMPLETE = Command(
    command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
    complete_workflow_execution_command_attributes=CompleteWorkflowExecutionCommandAttributes(),
)
