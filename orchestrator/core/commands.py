"""Applies the commands of a completed workflow task, one by one and in order.

Each command type is a row of COMMANDS: the cause its failure is reported with, its check, and its effect.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Memo, Payload
from temporalio.api.enums.v1 import CommandType, EventType, WorkflowTaskFailedCause
from temporalio.api.history.v1 import (
    MarkerRecordedEventAttributes,
    UpsertWorkflowSearchAttributesEventAttributes,
    WorkflowPropertiesModifiedEventAttributes,
)

from orchestrator.core import (
    activity,
    chain,
    closing,
    continue_as_new,
    external,
    search_attributes,
    start_child,
    timer,
    update_messages,
)
from orchestrator.core import command_checks as checks
from orchestrator.core.command_checks import CommandFailed
from orchestrator.core.completion import Completion
from orchestrator.core.run import Run
from orchestrator.core.start import is_null
from orchestrator.errors import InvalidArgument

_C = CommandType
_F = WorkflowTaskFailedCause


def apply(run: Run, commands: list[Command], completion: Completion) -> None:
    """Applies the commands.

    Raises:
        CommandFailed: one is bad; the run is left half changed and must be thrown away.
        InvalidArgument: one is of a type no server knows.
    """
    for command in commands:
        row = COMMANDS.get(command.command_type)
        if row is None:
            raise _unknown(command)
        checks.check_attributes(command, row.cause, row.field)
        row.check(command, run.limits)
        if command.command_type in checks.CLOSING and len(run.buffer) > completion.cancelled:
            # Something came that the worker has not seen. What its own commands led to does not count.
            raise CommandFailed(_F.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND)
        row.apply(run, command, completion)


def _start_timer(run: Run, command: Command, completion: Completion) -> None:
    attributes = command.start_timer_command_attributes
    metadata = command.user_metadata if command.HasField("user_metadata") else None
    try:
        timer.start(run, attributes, completion.event_id, metadata)
    except KeyError:
        raise CommandFailed(
            _F.WORKFLOW_TASK_FAILED_CAUSE_START_TIMER_DUPLICATE_ID,
            f"invalid history builder state for action: add-timer-started-event, TimerID: {attributes.timer_id}",
        ) from None


def _cancel_timer(run: Run, command: Command, completion: Completion) -> None:
    timer_id = command.cancel_timer_command_attributes.timer_id
    try:
        timer.cancel(run, timer_id, completion.event_id, completion.identity)
    except KeyError:
        raise CommandFailed(
            _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_TIMER_ATTRIBUTES,
            f"invalid history builder state for action: add-timer-canceled-event, TimerID: {timer_id}",
        ) from None


def _schedule_activity(run: Run, command: Command, completion: Completion) -> None:
    attributes = command.schedule_activity_task_command_attributes
    checks.too_large(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES,
        "ScheduleActivityTaskCommandAttributes.Input",
        attributes.input.ByteSize(),
        run.limits.blob_size,
    )
    limit = run.limits.pending_activities
    if len(run.state.activities) >= limit:
        raise CommandFailed(
            _F.WORKFLOW_TASK_FAILED_CAUSE_PENDING_ACTIVITIES_LIMIT_EXCEEDED,
            f"the number of pending activities, {len(run.state.activities)}, "
            f"has reached the per-workflow limit of {limit}",
        )
    pending = run.state.activities.values()
    ids = completion.activity_ids
    if ids is None:
        ids = completion.activity_ids = {each.activity_id for each in pending}
    # One that was pending may have been cancelled by an earlier command.
    if attributes.activity_id in ids and any(each.activity_id == attributes.activity_id for each in pending):
        raise CommandFailed(
            _F.WORKFLOW_TASK_FAILED_CAUSE_SCHEDULE_ACTIVITY_DUPLICATE_ID,
            "invalid history builder state for action: add-activitytask-scheduled-event, "
            f"ActivityID: {attributes.activity_id}",
        )
    ids.add(attributes.activity_id)
    eager = completion.allow_eager and attributes.request_eager_execution
    metadata = command.user_metadata if command.HasField("user_metadata") else None
    scheduled = activity.schedule(run, attributes, completion.event_id, metadata, dispatch=not eager)
    if eager:
        completion.eager.append(scheduled)


def _cancel_activity(run: Run, command: Command, completion: Completion) -> None:
    scheduled_event_id = command.request_cancel_activity_task_command_attributes.scheduled_event_id
    try:
        cancelled = activity.request_cancel(run, scheduled_event_id, completion.event_id, completion.identity)
    except KeyError:
        raise CommandFailed(
            _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES,
            "invalid history builder state for action: add-activitytask-cancel-requested-event, "
            f"ScheduledEventID: {scheduled_event_id}",
        ) from None
    if cancelled:
        completion.eager[:] = [each for each in completion.eager if each.scheduled_event_id != scheduled_event_id]
        completion.cancelled += 1


def _record_marker(run: Run, command: Command, completion: Completion) -> None:
    attributes = command.record_marker_command_attributes
    checks.too_large(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES,
        "RecordMarkerCommandAttributes.Details",
        sum(each.ByteSize() for each in attributes.details.values()),
        run.limits.blob_size,
    )
    run.add(
        EventType.EVENT_TYPE_MARKER_RECORDED,
        "marker_recorded_event_attributes",
        MarkerRecordedEventAttributes(
            marker_name=attributes.marker_name,
            details=attributes.details,
            header=attributes.header if attributes.HasField("header") else None,
            failure=attributes.failure if attributes.HasField("failure") else None,
            workflow_task_completed_event_id=completion.event_id,
        ),
        user_metadata=command.user_metadata if command.HasField("user_metadata") else None,
    )


def _complete(run: Run, command: Command, completion: Completion) -> None:
    attributes = command.complete_workflow_execution_command_attributes
    checks.too_large(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES,
        "CompleteWorkflowExecutionCommandAttributes.Result",
        attributes.result.ByteSize(),
        run.limits.blob_size,
    )
    chain.complete(run, attributes.result if attributes.HasField("result") else None, completion.event_id)


def _fail(run: Run, command: Command, completion: Completion) -> None:
    failure = command.fail_workflow_execution_command_attributes.failure
    checks.too_large(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES,
        "FailWorkflowExecutionCommandAttributes.Failure",
        failure.ByteSize(),
        run.limits.blob_size,
    )
    chain.fail(run, failure, completion.event_id)


def _cancel(run: Run, command: Command, completion: Completion) -> None:
    attributes = command.cancel_workflow_execution_command_attributes
    closing.cancel(run, attributes.details if attributes.HasField("details") else None, completion.event_id)


def _upsert_search_attributes(run: Run, command: Command, completion: Completion) -> None:
    cause = _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES
    attributes = command.upsert_workflow_search_attributes_command_attributes.search_attributes
    if not attributes.indexed_fields:
        raise CommandFailed(cause, "IndexedFields is not set on UpsertWorkflowSearchAttributesCommand.")
    fields = attributes.indexed_fields
    try:
        search_attributes.validate(fields, completion.search_attribute_types, completion.namespace, run.limits)
    except InvalidArgument as error:
        raise CommandFailed(cause, error.message) from None
    try:
        search_attributes.check_size(fields, run.limits)
    except InvalidArgument as error:
        raise CommandFailed(cause, error.message, terminates=True) from None
    typed = search_attributes.typed(fields, completion.search_attribute_types)
    run.add(
        EventType.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES,
        "upsert_workflow_search_attributes_event_attributes",
        UpsertWorkflowSearchAttributesEventAttributes(
            workflow_task_completed_event_id=completion.event_id, search_attributes=typed
        ),
    )
    merge(run.state.search_attributes, typed.indexed_fields, search_attributes.is_empty)
    run.visible = True


def _modify_properties(run: Run, command: Command, completion: Completion) -> None:
    cause = _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES
    memo: Memo = command.modify_workflow_properties_command_attributes.upserted_memo
    checks.too_large(cause, "ModifyWorkflowPropertiesCommandAttributes", memo.ByteSize(), run.limits.blob_size)
    size = memo.ByteSize() + sum(len(key) + len(value) for key, value in run.state.memo.items())
    checks.too_large(cause, "ModifyWorkflowPropertiesCommandAttributes. Memo", size, run.limits.memo_size)
    run.add(
        EventType.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED,
        "workflow_properties_modified_event_attributes",
        WorkflowPropertiesModifiedEventAttributes(
            workflow_task_completed_event_id=completion.event_id, upserted_memo=memo
        ),
    )
    merge(run.state.memo, memo.fields, is_null)
    run.visible = True


def _process_message(run: Run, command: Command, completion: Completion) -> None:
    message_id = command.protocol_message_command_attributes.message_id
    for message in completion.messages:
        if message.id == message_id:
            completion.messages.remove(message)
            update_messages.process(run, message, completion)
            return
    raise CommandFailed(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE,
        f"ProtocolMessageCommand referenced absent message ID {message_id}",
    )


def merge(kept: dict[str, bytes], changes: Mapping[str, Payload], empty: Callable[[Payload], bool]) -> None:
    """Sets each key, or deletes it when its payload holds nothing."""
    for key, payload in changes.items():
        if empty(payload):
            kept.pop(key, None)
        else:
            kept[key] = payload.SerializeToString()


def _unknown(command: Command) -> InvalidArgument | CommandFailed:
    kind = command.command_type
    if kind not in _C.values() or kind == _C.COMMAND_TYPE_UNSPECIFIED:
        return InvalidArgument(f"unknown command type: {checks.command_name(kind)}")
    return CommandFailed(
        _F.WORKFLOW_TASK_FAILED_CAUSE_FEATURE_DISABLED,
        f"{checks.command_name(kind)} is not supported by this server",
    )


class Row(NamedTuple):
    """One command type."""

    cause: WorkflowTaskFailedCause.ValueType
    field: str
    check: checks.Check
    apply: Callable[[Run, Command, Completion], None]


COMMANDS: dict[CommandType.ValueType, Row] = {
    _C.COMMAND_TYPE_START_TIMER: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_START_TIMER_ATTRIBUTES,
        "start_timer_command_attributes",
        checks.check_timer,
        _start_timer,
    ),
    _C.COMMAND_TYPE_CANCEL_TIMER: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_TIMER_ATTRIBUTES,
        "cancel_timer_command_attributes",
        checks.check_cancel_timer,
        _cancel_timer,
    ),
    _C.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES,
        "schedule_activity_task_command_attributes",
        checks.check_activity,
        _schedule_activity,
    ),
    _C.COMMAND_TYPE_REQUEST_CANCEL_ACTIVITY_TASK: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES,
        "request_cancel_activity_task_command_attributes",
        checks.check_cancel_activity,
        _cancel_activity,
    ),
    _C.COMMAND_TYPE_RECORD_MARKER: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES,
        "record_marker_command_attributes",
        checks.check_marker,
        _record_marker,
    ),
    _C.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES,
        "complete_workflow_execution_command_attributes",
        checks.check_nothing,
        _complete,
    ),
    _C.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES,
        "fail_workflow_execution_command_attributes",
        checks.check_fail,
        _fail,
    ),
    _C.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_WORKFLOW_EXECUTION_ATTRIBUTES,
        "cancel_workflow_execution_command_attributes",
        checks.check_nothing,
        _cancel,
    ),
    _C.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES,
        "continue_as_new_workflow_execution_command_attributes",
        checks.check_nothing,
        continue_as_new.apply,
    ),
    _C.COMMAND_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES,
        "upsert_workflow_search_attributes_command_attributes",
        checks.check_nothing,
        _upsert_search_attributes,
    ),
    _C.COMMAND_TYPE_MODIFY_WORKFLOW_PROPERTIES: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES,
        "modify_workflow_properties_command_attributes",
        checks.check_properties,
        _modify_properties,
    ),
    _C.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES,
        "start_child_workflow_execution_command_attributes",
        checks.check_nothing,
        start_child.apply,
    ),
    _C.COMMAND_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
        "signal_external_workflow_execution_command_attributes",
        external.check_signal,
        external.signal,
    ),
    _C.COMMAND_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES,
        "request_cancel_external_workflow_execution_command_attributes",
        external.check_cancel,
        external.cancel,
    ),
    _C.COMMAND_TYPE_PROTOCOL_MESSAGE: Row(
        _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE,
        "protocol_message_command_attributes",
        checks.check_nothing,
        _process_message,
    ),
}
