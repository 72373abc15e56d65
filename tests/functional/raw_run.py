"""A run whose worker is the test itself: raw calls, and the commands it may send."""

import uuid
from dataclasses import dataclass
from datetime import timedelta

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import (
    Command,
    RecordMarkerCommandAttributes,
    RequestCancelExternalWorkflowExecutionCommandAttributes,
    ScheduleActivityTaskCommandAttributes,
    SignalExternalWorkflowExecutionCommandAttributes,
    StartChildWorkflowExecutionCommandAttributes,
)
from temporalio.api.common.v1 import ActivityType, Header, Payload, Payloads, WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import CommandType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.workers import events_of

_C = CommandType


def payloads(size: int) -> Payloads:
    """Input of a size, nearly."""
    return Payloads(payloads=[Payload(metadata={"encoding": b"binary/plain"}, data=b"x" * size)])


def activity(number: int, size: int = 0) -> Command:
    """Schedules an activity nobody works on."""
    return Command(
        command_type=_C.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
        schedule_activity_task_command_attributes=ScheduleActivityTaskCommandAttributes(
            activity_id=str(number),
            activity_type=ActivityType(name="activity"),
            task_queue=TaskQueue(name="nobody"),
            start_to_close_timeout=Duration(seconds=60),
            input=payloads(size),
        ),
    )


def marker(size: int) -> Command:
    """Records a marker with details of a size."""
    return Command(
        command_type=_C.COMMAND_TYPE_RECORD_MARKER,
        record_marker_command_attributes=RecordMarkerCommandAttributes(
            marker_name="marker", details={"data": payloads(size)}
        ),
    )


def child(number: int) -> Command:
    """Starts a child nobody works on."""
    return Command(
        command_type=_C.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION,
        start_child_workflow_execution_command_attributes=StartChildWorkflowExecutionCommandAttributes(
            workflow_id=f"child-{number}-{uuid.uuid4().hex[:8]}",
            workflow_type=WorkflowType(name="Child"),
            task_queue=TaskQueue(name="nobody"),
        ),
    )


def external_signal(number: int) -> Command:
    """Signals a workflow that does not exist."""
    return Command(
        command_type=_C.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
        signal_external_workflow_execution_command_attributes=SignalExternalWorkflowExecutionCommandAttributes(
            execution=WorkflowExecution(workflow_id=f"nobody-{number}"), signal_name="signal"
        ),
    )


def external_cancel(number: int) -> Command:
    """Asks a workflow that does not exist to cancel itself."""
    attributes = RequestCancelExternalWorkflowExecutionCommandAttributes(workflow_id=f"nobody-{number}")
    return Command(
        command_type=_C.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION,
        request_cancel_external_workflow_execution_command_attributes=attributes,
    )


@dataclass
class Run:
    """A run whose worker is the test itself."""

    client: Client
    workflow_id: str
    queue: str

    async def start(self, **fields: object) -> None:
        """Starts it."""
        request = StartWorkflowExecutionRequest(
            namespace=self.client.namespace,
            workflow_id=self.workflow_id,
            workflow_type=WorkflowType(name="Raw"),
            task_queue=TaskQueue(name=self.queue),
            request_id=uuid.uuid4().hex,
            **fields,  # type: ignore[arg-type]
        )
        await self.client.workflow_service.start_workflow_execution(request)

    async def poll(self) -> PollWorkflowTaskQueueResponse:
        """Takes its workflow task."""
        request = PollWorkflowTaskQueueRequest(
            namespace=self.client.namespace, task_queue=TaskQueue(name=self.queue), identity="worker"
        )
        return await self.client.workflow_service.poll_workflow_task_queue(request, timeout=timedelta(seconds=10))

    async def complete(self, task: PollWorkflowTaskQueueResponse, *commands: Command, more: bool = False) -> None:
        """Completes the task."""
        request = RespondWorkflowTaskCompletedRequest(
            namespace=self.client.namespace,
            task_token=task.task_token,
            identity="worker",
            commands=commands,
            force_create_new_workflow_task=more,
        )
        await self.client.workflow_service.respond_workflow_task_completed(request)

    async def refused(self, task: PollWorkflowTaskQueueResponse, *commands: Command) -> str:
        """Completes the task with commands that cannot be borne; the text of the refusal."""
        with pytest.raises(RPCError) as raised:
            await self.complete(task, *commands)
        assert raised.value.status == RPCStatusCode.INVALID_ARGUMENT
        return raised.value.message

    async def signal(self, size: int = 0, header: int = 0) -> None:
        """Sends a signal with an input and a header of these sizes."""
        request = SignalWorkflowExecutionRequest(
            namespace=self.client.namespace,
            workflow_execution=WorkflowExecution(workflow_id=self.workflow_id),
            signal_name="signal",
            input=payloads(size),
            header=Header(fields={"header": Payload(data=b"x" * header)}),
        )
        await self.client.workflow_service.signal_workflow_execution(request)

    async def events(self) -> list[HistoryEvent]:
        """Its history."""
        return await events_of(self.client.get_workflow_handle(self.workflow_id))
