"""A server with just enough behaviour to answer the benchmark's drivers: histories are counters in memory."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

import grpc.aio
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import CommandType
from temporalio.api.history.v1 import ActivityTaskCompletedEventAttributes, History, HistoryEvent
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueResponse,
    PollWorkflowTaskQueueResponse,
    RespondActivityTaskCompletedResponse,
    RespondWorkflowTaskCompletedResponse,
    StartWorkflowExecutionResponse,
    service_pb2_grpc,
)

# Generated for synchronous servers, and complete; this one is neither.
_Servicer: Any = service_pb2_grpc.WorkflowServiceServicer


class FakeTemporal(_Servicer):  # type: ignore[misc]
    """Runs workflows of the shape the drivers make; `refuse` fails that many starts first."""

    def __init__(self, refuse: int = 0) -> None:
        self.calls: Counter[str] = Counter()
        self.closed: list[str] = []
        self.refuse = refuse
        self._activities_done: Counter[str] = Counter()
        self._workflow_tasks: asyncio.Queue[str] = asyncio.Queue()
        self._activity_tasks: asyncio.Queue[str] = asyncio.Queue()

    async def serve(self) -> tuple[grpc.aio.Server, str]:
        """Listen on a free port."""
        server = grpc.aio.server()
        service_pb2_grpc.add_WorkflowServiceServicer_to_server(self, server)
        port = server.add_insecure_port("127.0.0.1:0")
        await server.start()
        return server, f"127.0.0.1:{port}"

    async def StartWorkflowExecution(self, request: Any, context: Any) -> Any:
        self.calls["start"] += 1
        if self.refuse:
            self.refuse -= 1
            await context.abort(grpc.StatusCode.UNAVAILABLE, "not now")
        if request.request_eager_execution:
            return StartWorkflowExecutionResponse(eager_workflow_task=self._task(request.workflow_id))
        self._workflow_tasks.put_nowait(request.workflow_id)
        return StartWorkflowExecutionResponse()

    async def PollWorkflowTaskQueue(self, request: Any, context: Any) -> Any:
        return self._task(await self._workflow_tasks.get())

    async def PollActivityTaskQueue(self, request: Any, context: Any) -> Any:
        return PollActivityTaskQueueResponse(task_token=(await self._activity_tasks.get()).encode())

    async def RespondWorkflowTaskCompleted(self, request: Any, context: Any) -> Any:
        workflow_id = request.task_token.decode()
        (command,) = request.commands
        if command.command_type == CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION:
            self.closed.append(workflow_id)
        elif command.schedule_activity_task_command_attributes.request_eager_execution:
            activity = PollActivityTaskQueueResponse(task_token=workflow_id.encode())
            return RespondWorkflowTaskCompletedResponse(activity_tasks=[activity])
        else:
            self._activity_tasks.put_nowait(workflow_id)
        return RespondWorkflowTaskCompletedResponse()

    async def RespondActivityTaskCompleted(self, request: Any, context: Any) -> Any:
        workflow_id = request.task_token.decode()
        self._activities_done[workflow_id] += 1
        self._workflow_tasks.put_nowait(workflow_id)
        return RespondActivityTaskCompletedResponse()

    def _task(self, workflow_id: str) -> PollWorkflowTaskQueueResponse:
        completed = HistoryEvent(activity_task_completed_event_attributes=ActivityTaskCompletedEventAttributes())
        return PollWorkflowTaskQueueResponse(
            task_token=workflow_id.encode(),
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            history=History(events=[completed] * self._activities_done[workflow_id]),
        )
