"""The checks of workflow commands before they are applied, with a Temporal server's causes and texts.

A failed check fails the workflow task; the names below go into the texts as users know them.
"""

from collections.abc import Callable

from google.protobuf.duration_pb2 import Duration
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import CommandType, WorkflowTaskFailedCause

from orchestrator.core import priority, retry
from orchestrator.core.limits import Limits
from orchestrator.core.request_checks import NUL, check_task_queue, duration_problem, too_long
from orchestrator.errors import InvalidArgument

_C = CommandType
_F = WorkflowTaskFailedCause


class CommandFailed(Exception):
    """A command that fails the workflow task.

    Attributes:
        cause: the cause in the WORKFLOW_TASK_FAILED event.
        text: what is wrong; the event and the caller see it behind the name of the cause.
        terminates: whether the run cannot go on at all.
    """

    def __init__(self, cause: WorkflowTaskFailedCause.ValueType, text: str = "", *, terminates: bool = False) -> None:
        super().__init__(text)
        self.cause = cause
        self.text = text
        self.terminates = terminates

    @property
    def message(self) -> str:
        """`<Cause>: <text>`, or the name of the cause alone."""
        name = cause_name(self.cause)
        return f"{name}: {self.text}" if self.text else name


def cause_name(cause: WorkflowTaskFailedCause.ValueType) -> str:
    """WORKFLOW_TASK_FAILED_CAUSE_BAD_START_TIMER_ATTRIBUTES -> BadStartTimerAttributes; an unknown number as it is."""
    if cause not in _F.values():
        return str(int(cause))
    words = _F.Name(cause).removeprefix("WORKFLOW_TASK_FAILED_CAUSE_").split("_")
    return "".join(word.capitalize() for word in words)


def command_name(kind: CommandType.ValueType) -> str:
    """COMMAND_TYPE_START_TIMER -> StartTimer; a number nobody knows is shown as it is."""
    if kind not in _C.values():
        return str(int(kind))
    words = _C.Name(kind).removeprefix("COMMAND_TYPE_").split("_")
    return "".join(word.capitalize() for word in words)


CLOSING = frozenset(
    {
        _C.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION,
        _C.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION,
        _C.COMMAND_TYPE_CANCEL_WORKFLOW_EXECUTION,
        _C.COMMAND_TYPE_CONTINUE_AS_NEW_WORKFLOW_EXECUTION,
    }
)
"""Commands that end the run; nothing may follow one."""


def check_sequence(commands: list[Command]) -> None:
    """Raises InvalidArgument when a closing command is not the last one."""
    for command in commands[:-1]:
        if command.command_type in CLOSING:
            names = ", ".join(command_name(each.command_type) for each in commands)
            closing = command_name(command.command_type)
            raise InvalidArgument(f"invalid command sequence: [{names}], command {closing} must be the last command.")


def attributes_field(command: Command) -> str:
    """The field of a command's attributes by its type: `start_timer_command_attributes`."""
    return _C.Name(command.command_type).removeprefix("COMMAND_TYPE_").lower() + "_command_attributes"


def check_attributes(command: Command, cause: WorkflowTaskFailedCause.ValueType, field: str) -> None:
    """Raises CommandFailed when the attributes of the command's own type are missing."""
    if command.WhichOneof("attributes") != field:
        name = command_name(command.command_type)
        attributes = "".join(word.capitalize() for word in field.split("_"))
        raise CommandFailed(cause, f"{attributes} is not set on {name}Command.")


def check_timer(command: Command, limits: Limits) -> None:
    """StartTimer."""
    cause = _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_START_TIMER_ATTRIBUTES
    attributes = command.start_timer_command_attributes
    if not attributes.timer_id:
        raise CommandFailed(cause, "TimerId is not set on StartTimerCommand.")
    timer_id = attributes.timer_id
    if problem := name_problem("TimerId on StartTimerCommand", f"TimerId={timer_id}", timer_id, limits):
        raise CommandFailed(cause, problem)
    if problem := duration_problem(attributes.start_to_fire_timeout):
        raise CommandFailed(
            cause,
            f"An invalid StartToFireTimeout is set on StartTimerCommand: {problem}. TimerId={timer_id}",
        )


def check_cancel_timer(command: Command, limits: Limits) -> None:
    """CancelTimer."""
    cause = _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_CANCEL_TIMER_ATTRIBUTES
    timer_id = command.cancel_timer_command_attributes.timer_id
    if not timer_id:
        raise CommandFailed(cause, "TimerId is not set on CancelTimerCommand.")
    if problem := name_problem("TimerId on CancelTimerCommand", f"TimerId={timer_id}", timer_id, limits):
        raise CommandFailed(cause, problem)


def check_activity(command: Command, limits: Limits) -> None:
    """ScheduleActivityTask."""
    cause = _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_SCHEDULE_ACTIVITY_ATTRIBUTES
    attributes = command.schedule_activity_task_command_attributes
    activity_id, activity_type = attributes.activity_id, attributes.activity_type.name
    where = f"ActivityId={activity_id} ActivityType={activity_type}"
    try:
        check_task_queue(attributes.task_queue if attributes.HasField("task_queue") else None, limits)
        if not activity_id:
            raise InvalidArgument(f"ActivityId is not set. ActivityType={activity_type}")
        if not activity_type:
            raise InvalidArgument(f"ActivityType is not set. ActivityID={activity_id}")
        if attributes.HasField("retry_policy"):
            retry.validate(attributes.retry_policy)
    except InvalidArgument as error:
        raise CommandFailed(cause, error.message) from None
    if attributes.HasField("priority"):
        try:
            priority.validate(attributes.priority)
        except InvalidArgument as error:
            raise CommandFailed(cause, f"Invalid Priorities: {error.message} {where}") from None
    for name, value in (("ActivityId", activity_id), ("ActivityType", activity_type)):
        if problem := name_problem(name, where, value, limits):
            raise CommandFailed(cause, problem)
    for name, timeout in (
        ("ScheduleToCloseTimeout", attributes.schedule_to_close_timeout),
        ("ScheduleToStartTimeout", attributes.schedule_to_start_timeout),
        ("StartToCloseTimeout", attributes.start_to_close_timeout),
        ("HeartbeatTimeout", attributes.heartbeat_timeout),
    ):
        if problem := duration_problem(timeout):
            raise CommandFailed(cause, f"Invalid {name}: {problem} {where}")
    if not _set(attributes.schedule_to_close_timeout) and not _set(attributes.start_to_close_timeout):
        raise CommandFailed(
            cause, f"A valid StartToClose or ScheduleToCloseTimeout is not set on ScheduleActivityTaskCommand. {where}"
        )


def check_cancel_activity(command: Command, limits: Limits) -> None:
    """RequestCancelActivityTask."""
    if command.request_cancel_activity_task_command_attributes.scheduled_event_id <= 0:
        raise CommandFailed(
            _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES,
            "ScheduledEventId is not set on RequestCancelActivityTaskCommand.",
        )


def check_marker(command: Command, limits: Limits) -> None:
    """RecordMarker."""
    cause = _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_RECORD_MARKER_ATTRIBUTES
    name = command.record_marker_command_attributes.marker_name
    if not name:
        raise CommandFailed(cause, "MarkerName is not set on RecordMarkerCommand.")
    if problem := name_problem("MarkerName on RecordMarkerCommand", f"MarkerName={name}", name, limits):
        raise CommandFailed(cause, problem)


def check_fail(command: Command, limits: Limits) -> None:
    """FailWorkflowExecution."""
    if not command.fail_workflow_execution_command_attributes.HasField("failure"):
        raise CommandFailed(
            _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES,
            "Failure is not set on FailWorkflowExecutionCommand.",
        )


def check_properties(command: Command, limits: Limits) -> None:
    """ModifyWorkflowProperties."""
    cause = _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES
    attributes = command.modify_workflow_properties_command_attributes
    if not attributes.HasField("upserted_memo"):
        raise CommandFailed(cause, "UpsertedMemo is not set on ModifyWorkflowPropertiesCommand.")
    if not attributes.upserted_memo.fields:
        raise CommandFailed(cause, "UpsertedMemo.Fields is not set on ModifyWorkflowPropertiesCommand.")


def check_nothing(command: Command, limits: Limits) -> None:
    """Commands whose attributes are all optional."""


Check = Callable[[Command, Limits], None]


def too_large(cause: WorkflowTaskFailedCause.ValueType, what: str, size: int, limit: int) -> None:
    """Raises CommandFailed, which ends the run, when a payload of a command passes its limit."""
    if size > limit:
        raise CommandFailed(cause, f"{what} exceeds size limit.", terminates=True)


def _set(duration: Duration) -> bool:
    return bool(duration.seconds or duration.nanos)


def queue_text(name: str) -> str:
    """A task queue as the texts print it."""
    return f'TaskQueue=name:"{name}" kind:TASK_QUEUE_KIND_NORMAL'


def name_problem(what: str, where: str, value: str, limits: Limits) -> str:
    """What is wrong with an id or a name, or an empty string."""
    if too_long(value, limits):
        return f"{what} exceeds length limit. {where} Length={len(value.encode())} Limit={limits.id_length}"
    return f"{what} contains the character NUL. {where}" if NUL in value else ""
