"""Requests, commands and payloads as clients and workers send them, with just enough in them to be valid."""

from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.message import Message as AnyMessage
from temporalio.api.command import v1 as commands
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import (
    ActivityType,
    Memo,
    Payload,
    Payloads,
    RetryPolicy,
    SearchAttributes,
    WorkflowExecution,
    WorkflowType,
)
from temporalio.api.enums.v1 import CommandType, ContinueAsNewInitiator, TimeoutType
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure, TimeoutFailureInfo
from temporalio.api.protocol.v1 import Message
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.update.v1 import Acceptance, Input, Meta, Outcome, Rejection, Request, Response
from temporalio.api.workflowservice.v1 import (
    SignalWithStartWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)

from orchestrator.core.wire import SECOND

QUEUE = "queue"
_C = CommandType


def seconds(number: float) -> Duration:
    """A duration."""
    nanoseconds = round(number * SECOND)
    return Duration(seconds=nanoseconds // SECOND, nanos=nanoseconds % SECOND)


def payload(text: str) -> Payload:
    """A JSON value, already encoded."""
    return Payload(metadata={"encoding": b"json/plain"}, data=text.encode())


def payloads(text: str) -> Payloads:
    """One JSON value, already encoded."""
    return Payloads(payloads=[payload(text)])


def null() -> Payload:
    """A payload that holds nothing."""
    return Payload(metadata={"encoding": b"binary/null"})


def memo(**fields: str) -> Memo:
    """A memo of JSON values."""
    return Memo(fields={key: payload(text) for key, text in fields.items()})


def attributes(**fields: str) -> SearchAttributes:
    """Search attributes of JSON values."""
    return SearchAttributes(indexed_fields={key: payload(text) for key, text in fields.items()})


def start_request(**fields: Any) -> StartWorkflowExecutionRequest:
    """A start."""
    basics: dict[str, Any] = {
        "workflow_id": "workflow",
        "workflow_type": WorkflowType(name="Order"),
        "task_queue": TaskQueue(name=QUEUE),
        "identity": "client",
    }
    return StartWorkflowExecutionRequest(**basics | fields)


def signal_with_start_request(**fields: Any) -> SignalWithStartWorkflowExecutionRequest:
    """A signal with start."""
    basics: dict[str, Any] = {
        "workflow_id": "workflow",
        "workflow_type": WorkflowType(name="Order"),
        "task_queue": TaskQueue(name=QUEUE),
        "identity": "client",
        "signal_name": "signal",
    }
    return SignalWithStartWorkflowExecutionRequest(**basics | fields)


def schedule_activity(activity_id: str = "activity", **fields: Any) -> Command:
    """ScheduleActivityTask, with a start-to-close timeout of 10 s unless other timeouts are given."""
    basics: dict[str, Any] = {
        "activity_id": activity_id,
        "activity_type": ActivityType(name="Charge"),
        "task_queue": TaskQueue(name=QUEUE),
    }
    if not {"start_to_close_timeout", "schedule_to_close_timeout"} & set(fields):
        basics["start_to_close_timeout"] = seconds(10)
    return Command(
        command_type=_C.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK,
        schedule_activity_task_command_attributes=commands.ScheduleActivityTaskCommandAttributes(**basics | fields),
    )


def cancel_activity(scheduled_event_id: int) -> Command:
    """RequestCancelActivityTask."""
    return Command(
        command_type=_C.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK,
        request_cancel_activity_task_command_attributes=commands.RequestCancelActivityTaskCommandAttributes(
            scheduled_event_id=scheduled_event_id
        ),
    )


def start_timer(timer_id: str = "timer", timeout: float = 5) -> Command:
    """StartTimer."""
    return Command(
        command_type=_C.COMMAND_TYPE_START_TIMER,
        start_timer_command_attributes=commands.StartTimerCommandAttributes(
            timer_id=timer_id, start_to_fire_timeout=seconds(timeout)
        ),
    )


def cancel_timer(timer_id: str = "timer") -> Command:
    """CancelTimer."""
    return Command(
        command_type=_C.COMMAND_TYPE_CANCEL_TIMER,
        cancel_timer_command_attributes=commands.CancelTimerCommandAttributes(timer_id=timer_id),
    )


def record_marker(name: str = "marker", **fields: Any) -> Command:
    """RecordMarker."""
    return Command(
        command_type=_C.COMMAND_TYPE_RECORD_MARKER,
        record_marker_command_attributes=commands.RecordMarkerCommandAttributes(marker_name=name, **fields),
    )


def upsert(fields: SearchAttributes) -> Command:
    """UpsertWorkflowSearchAttributes."""
    return Command(
        command_type=_C.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        upsert_workflow_search_attributes_command_attributes=commands.UpsertWorkflowSearchAttributesCommandAttributes(
            search_attributes=fields
        ),
    )


def modify(fields: Memo) -> Command:
    """ModifyWorkflowProperties."""
    return Command(
        command_type=_C.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES,
        modify_workflow_properties_command_attributes=commands.ModifyWorkflowPropertiesCommandAttributes(
            upserted_memo=fields
        ),
    )


def complete_workflow(result: Payloads | None = None) -> Command:
    """CompleteWorkflowExecution."""
    return Command(
        command_type=_C.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
        complete_workflow_execution_command_attributes=commands.CompleteWorkflowExecutionCommandAttributes(
            result=result
        ),
    )


def fail_workflow(failure: Failure | None = None) -> Command:
    """FailWorkflowExecution."""
    return Command(
        command_type=_C.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
        fail_workflow_execution_command_attributes=commands.FailWorkflowExecutionCommandAttributes(
            failure=failure or application_failure()
        ),
    )


def cancel_workflow(details: Payloads | None = None) -> Command:
    """CancelWorkflowExecution."""
    return Command(
        command_type=_C.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION,
        cancel_workflow_execution_command_attributes=commands.CancelWorkflowExecutionCommandAttributes(details=details),
    )


def continue_as_new(**fields: Any) -> Command:
    """ContinueAsNewWorkflowExecution."""
    return Command(
        command_type=_C.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
        continue_as_new_workflow_execution_command_attributes=commands.ContinueAsNewWorkflowExecutionCommandAttributes(
            initiator=ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_WORKFLOW, **fields
        ),
    )


def start_child(workflow_id: str = "child", **fields: Any) -> Command:
    """StartChildWorkflowExecution."""
    basics: dict[str, Any] = {"workflow_id": workflow_id, "workflow_type": WorkflowType(name="Parcel")}
    return Command(
        command_type=_C.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION,
        start_child_workflow_execution_command_attributes=commands.StartChildWorkflowExecutionCommandAttributes(
            **basics | fields
        ),
    )


def signal_external(workflow_id: str = "other", run_id: str = "", **fields: Any) -> Command:
    """SignalExternalWorkflowExecution."""
    basics: dict[str, Any] = {
        "execution": WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
        "signal_name": "hello",
    }
    return Command(
        command_type=_C.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION,
        signal_external_workflow_execution_command_attributes=(
            commands.SignalExternalWorkflowExecutionCommandAttributes(**basics | fields)
        ),
    )


def cancel_external(workflow_id: str = "other", **fields: Any) -> Command:
    """RequestCancelExternalWorkflowExecution."""
    return Command(
        command_type=_C.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION,
        request_cancel_external_workflow_execution_command_attributes=(
            commands.RequestCancelExternalWorkflowExecutionCommandAttributes(workflow_id=workflow_id, **fields)
        ),
    )


def update_request(update_id: str = "update", **fields: Any) -> Request:
    """An update."""
    return Request(
        meta=Meta(update_id=update_id, identity="client"), input=Input(name="change", args=payloads("1"), **fields)
    )


def acceptance(update_id: str = "update", **fields: Any) -> Message:
    """A worker accepts an update."""
    basics: dict[str, Any] = {
        "accepted_request_message_id": f"{update_id}/request",
        "accepted_request_sequencing_event_id": 5,
    }
    return _message(f"{update_id}/accept", update_id, Acceptance(**basics | fields))


def rejection(update_id: str = "update", **fields: Any) -> Message:
    """A worker rejects an update."""
    basics: dict[str, Any] = {
        "rejected_request_message_id": f"{update_id}/request",
        "failure": application_failure("not now"),
    }
    return _message(f"{update_id}/reject", update_id, Rejection(**basics | fields))


def response(update_id: str = "update", **fields: Any) -> Message:
    """A worker completes an update."""
    basics: dict[str, Any] = {"meta": Meta(update_id=update_id), "outcome": Outcome(success=payloads("2"))}
    return _message(f"{update_id}/complete", update_id, Response(**basics | fields))


def _message(message_id: str, update_id: str, body: AnyMessage) -> Message:
    message = Message(id=message_id, protocol_instance_id=update_id)
    message.body.Pack(body)
    return message


def protocol_message(message_id: str) -> Command:
    """ProtocolMessage: the place of a message among the commands."""
    return Command(
        command_type=_C.COMMAND_TYPE_PROTOCOL_MESSAGE,
        protocol_message_command_attributes=commands.ProtocolMessageCommandAttributes(message_id=message_id),
    )


def application_failure(message: str = "oops", **info: Any) -> Failure:
    """A failure of user code."""
    return Failure(message=message, application_failure_info=ApplicationFailureInfo(**info))


def timed_out(kind: TimeoutType.ValueType) -> Failure:
    """A failure by timeout."""
    return Failure(timeout_failure_info=TimeoutFailureInfo(timeout_type=kind))


def retry_policy(initial: float = 1, **fields: Any) -> RetryPolicy:
    """A retry policy."""
    return RetryPolicy(initial_interval=seconds(initial), **fields)
