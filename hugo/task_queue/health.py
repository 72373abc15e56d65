"""How well a queue is doing, by its length."""

from dataclasses import dataclass
from enum import Enum
from typing import Any

from hugo.task_queue.queue import TaskQueue


class Status(Enum):
    """How well something is doing."""

    HEALTHY = "healthy"
    DEGRADED = "degraded"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, kw_only=True)
class QueueHealthThresholds:
    """From how many pending items and leases on a queue is worse than healthy."""

    pending_degraded: int = 1024
    pending_unhealthy: int = 2048
    active_degraded: int = 64
    active_unhealthy: int = 128


@dataclass(frozen=True, slots=True)
class QueueHealth:
    """The finding, with the numbers it rests on."""

    status: Status
    data: dict[str, int]


def check_health(queue: TaskQueue[Any], thresholds: QueueHealthThresholds | None = None) -> QueueHealth:
    """Compares a queue with the thresholds."""
    limits = thresholds or QueueHealthThresholds()
    pending, active = queue.pending_count, queue.active_lease_count
    if pending >= limits.pending_unhealthy or active >= limits.active_unhealthy:
        status = Status.UNHEALTHY
    elif pending >= limits.pending_degraded or active >= limits.active_degraded:
        status = Status.DEGRADED
    else:
        status = Status.HEALTHY
    return QueueHealth(status, {"taskqueue.pending": pending, "taskqueue.activeLeases": active})
