"""Task queues: items are leased to workers, and come back when a worker fails or falls silent."""

from hugo.task_queue.adapter import LeaseSource, SourcedLease, TaskQueueChannelAdapter
from hugo.task_queue.backpressure import BackpressureMonitor, BackpressureSignal, BackpressureSwitch
from hugo.task_queue.closed import LeaseInactive, QueueClosed
from hugo.task_queue.events import EventKind, LifecycleEvent
from hugo.task_queue.health import QueueHealth, QueueHealthThresholds, Status, check_health
from hugo.task_queue.items import DeadLetter, OwnershipToken, PendingItem
from hugo.task_queue.lease import TaskQueueLease
from hugo.task_queue.options import TaskQueueOptions
from hugo.task_queue.queue import TaskQueue
from hugo.task_queue.safe import SafeLease, SafeTaskQueue

__all__ = [
    "BackpressureMonitor",
    "BackpressureSignal",
    "BackpressureSwitch",
    "DeadLetter",
    "EventKind",
    "LeaseInactive",
    "LeaseSource",
    "LifecycleEvent",
    "OwnershipToken",
    "PendingItem",
    "QueueClosed",
    "QueueHealth",
    "QueueHealthThresholds",
    "SafeLease",
    "SafeTaskQueue",
    "SourcedLease",
    "Status",
    "TaskQueue",
    "TaskQueueChannelAdapter",
    "TaskQueueLease",
    "TaskQueueOptions",
    "check_health",
]
