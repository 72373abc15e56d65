"""Priorities: levels from 1, the most urgent, to 5; 3 without one."""

from functools import lru_cache
from typing import NamedTuple

from temporalio.api.common.v1 import Priority

from orchestrator.core.request_checks import check_nul
from orchestrator.errors import InvalidArgument

DEFAULT_LEVEL = 3
LOWEST_LEVEL = 5
MAXIMUM_FAIRNESS_KEY = 64
WEIGHT_UNIT = 1000
"""The weight 1; weights are kept in thousandths."""
LEAST_WEIGHT = 1
GREATEST_WEIGHT = 1_000_000


class Share(NamedTuple):
    """A task's place among the tasks of its queue.

    Attributes:
        level: lower ones go first.
        key: within a level, keys take turns.
        weight: turns of the key, in thousandths.
    """

    level: int = DEFAULT_LEVEL
    key: str = ""
    weight: int = WEIGHT_UNIT


DEFAULT = Share()


def share(priority: bytes) -> Share:
    """The share a serialized Priority gives its tasks."""
    return _parsed(priority) if priority else DEFAULT


@lru_cache(maxsize=1024)
def _parsed(serialized: bytes) -> Share:
    priority = Priority.FromString(serialized)
    return Share(
        min(priority.priority_key or DEFAULT_LEVEL, LOWEST_LEVEL),
        priority.fairness_key,
        thousandths(priority.fairness_weight) if priority.fairness_weight else WEIGHT_UNIT,
    )


def thousandths(weight: float) -> int:
    """A weight as tasks carry it, between 0.001 and 1000."""
    # In this order, so that what is not a number counts as the least.
    return round(min(GREATEST_WEIGHT, max(LEAST_WEIGHT, weight * WEIGHT_UNIT)))


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
    check_nul(priority.fairness_key, "fairness key")
    if priority.fairness_weight < 0:
        raise InvalidArgument("must be greater than zero")
