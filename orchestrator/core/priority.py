"""Priorities: levels from 1, the most urgent, to 5; 3 without one."""

from temporalio.api.common.v1 import Priority

from orchestrator.errors import InvalidArgument

DEFAULT_LEVEL = 3
LOWEST_LEVEL = 5
MAXIMUM_FAIRNESS_KEY = 64


def level(priority: bytes) -> int:
    """The level of a serialized Priority."""
    if not priority:
        return DEFAULT_LEVEL
    return min(Priority.FromString(priority).priority_key or DEFAULT_LEVEL, LOWEST_LEVEL)


def merged(workflow: bytes, activity: Priority | None) -> bytes:
    """The serialized priority of a workflow with the set fields of its activity's over it."""
    if activity is None:
        return workflow
    both = Priority.FromString(workflow)
    both.MergeFrom(activity)
    return both.SerializeToString()


def validate(priority: Priority) -> None:
    """Raises InvalidArgument for a priority no server takes."""
    if priority.priority_key < 0:
        raise InvalidArgument("priority key can't be negative")
    if len(priority.fairness_key.encode()) > MAXIMUM_FAIRNESS_KEY:
        raise InvalidArgument("fairness key length exceeds limit")
    if priority.fairness_weight < 0:
        raise InvalidArgument("must be greater than zero")
