"""The well-known error codes and what each of them means."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from types import MappingProxyType


class ErrorCode(StrEnum):
    """The codes this library itself gives; an application adds its own as plain strings."""

    AGGREGATE = "error.aggregate"
    CANCELED = "error.canceled"
    CHANNEL_COMPLETED = "error.channel.completed"
    DETERMINISTIC_REPLAY = "error.deterministic.replay"
    EXCEPTION = "error.exception"
    SELECT_DRAINED = "error.select.drained"
    TASK_QUEUE_ABANDONED = "error.taskqueue.abandoned"
    TASK_QUEUE_DEAD_LETTERED = "error.taskqueue.deadlettered"
    TASK_QUEUE_DISPOSED = "error.taskqueue.disposed"
    TASK_QUEUE_LEASE_EXPIRED = "error.taskqueue.lease_expired"
    TASK_QUEUE_LEASE_INACTIVE = "error.taskqueue.lease_inactive"
    TIMEOUT = "error.timeout"
    UNSPECIFIED = "error.unspecified"
    VALIDATION = "error.validation"
    VERSION_CONFLICT = "error.version.conflict"


@dataclass(frozen=True, slots=True)
class ErrorDescriptor:
    """What a well-known code means: a name for people, one sentence, and the part of the library it comes from."""

    name: str
    code: ErrorCode
    description: str
    category: str

    def metadata(self) -> dict[str, str]:
        """The three entries every error with this code carries."""
        return {
            "error.name": self.name,
            "error.description": self.description,
            "error.category": self.category,
        }


def _described(*rows: tuple[ErrorCode, str, str, str]) -> Mapping[str, ErrorDescriptor]:
    return MappingProxyType(
        {code.value: ErrorDescriptor(name, code, description, category) for code, name, category, description in rows}
    )


ERROR_DESCRIPTORS = _described(
    (ErrorCode.AGGREGATE, "Aggregate", "General", "Several errors, combined into one."),
    (ErrorCode.CANCELED, "Canceled", "General", "A cancel token stopped the operation."),
    (ErrorCode.CHANNEL_COMPLETED, "ChannelCompleted", "Channels", "The destination channel takes no more items."),
    (
        ErrorCode.DETERMINISTIC_REPLAY,
        "DeterministicReplay",
        "Deterministic",
        "What was recorded does not fit what is asked for.",
    ),
    (ErrorCode.EXCEPTION, "Exception", "General", "An exception nobody expected was raised."),
    (
        ErrorCode.SELECT_DRAINED,
        "SelectDrained",
        "Channels",
        "Every channel of a select was completed before one yielded a value.",
    ),
    (
        ErrorCode.TASK_QUEUE_ABANDONED,
        "TaskQueueAbandoned",
        "TaskQueue",
        "A worker gave its lease back without finishing.",
    ),
    (
        ErrorCode.TASK_QUEUE_DEAD_LETTERED,
        "TaskQueueDeadLettered",
        "TaskQueue",
        "The queue was closed before the item was delivered.",
    ),
    (ErrorCode.TASK_QUEUE_DISPOSED, "TaskQueueDisposed", "TaskQueue", "The task queue is closed."),
    (
        ErrorCode.TASK_QUEUE_LEASE_EXPIRED,
        "TaskQueueLeaseExpired",
        "TaskQueue",
        "The lease ran out without a heartbeat.",
    ),
    (
        ErrorCode.TASK_QUEUE_LEASE_INACTIVE,
        "TaskQueueLeaseInactive",
        "TaskQueue",
        "The lease was finished or has run out.",
    ),
    (ErrorCode.TIMEOUT, "Timeout", "General", "The operation did not end in time."),
    (ErrorCode.UNSPECIFIED, "Unspecified", "General", "Nothing is known about the failure."),
    (ErrorCode.VALIDATION, "Validation", "General", "An argument or a value breaks a rule."),
    (
        ErrorCode.VERSION_CONFLICT,
        "VersionConflict",
        "Deterministic",
        "The recorded version is outside the supported range, or another writer was first.",
    ),
)
