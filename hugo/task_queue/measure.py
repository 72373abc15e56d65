"""The life of a queue's items as measurements."""

from typing import Any

from hugo.diagnostics import instruments
from hugo.task_queue.events import EventKind, LifecycleEvent

_COUNTERS = {
    EventKind.ENQUEUED: instruments.TASKQUEUE_ENQUEUED,
    EventKind.LEASE_GRANTED: instruments.TASKQUEUE_LEASED,
    EventKind.HEARTBEAT: instruments.TASKQUEUE_HEARTBEATS,
    EventKind.COMPLETED: instruments.TASKQUEUE_COMPLETED,
    EventKind.FAILED: instruments.TASKQUEUE_FAILED,
    EventKind.EXPIRED: instruments.TASKQUEUE_EXPIRED,
    EventKind.REQUEUED: instruments.TASKQUEUE_REQUEUED,
    EventKind.DEAD_LETTERED: instruments.TASKQUEUE_DEADLETTERED,
}
_LEASE_ENDS = {EventKind.COMPLETED, EventKind.FAILED, EventKind.RELEASED, EventKind.EXPIRED}


def measure(event: LifecycleEvent[Any], pending_change: int, active_change: int) -> None:
    """Records one event, and by how much it changed the numbers of pending items and of leases."""
    attributes = {"taskqueue.name": event.queue}
    if event.kind in _COUNTERS:
        _COUNTERS[event.kind].record(1, attributes)
    if pending_change:
        instruments.TASKQUEUE_PENDING.record(pending_change, attributes)
        instruments.TASKQUEUE_PENDING_DEPTH.record(event.pending, attributes)
    if active_change:
        instruments.TASKQUEUE_ACTIVE.record(active_change, attributes)
        instruments.TASKQUEUE_ACTIVE_DEPTH.record(event.active, attributes)
    if event.kind in _LEASE_ENDS:
        instruments.TASKQUEUE_LEASE_DURATION.record(event.seconds * 1000, attributes)
    elif event.kind is EventKind.HEARTBEAT:
        instruments.TASKQUEUE_HEARTBEAT_EXTENSION.record(event.seconds * 1000, attributes)
    elif event.kind is EventKind.LEASE_GRANTED:
        instruments.TASKQUEUE_POLL_LATENCY.record(event.seconds * 1000, attributes)
        if event.attempt == 1:
            waited = (event.occurred_at - event.enqueued_at).total_seconds()
            instruments.TASKQUEUE_SCHEDULE_TO_START_LATENCY.record(waited * 1000, attributes)
