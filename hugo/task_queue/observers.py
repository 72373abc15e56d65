"""Who is told what happens in a queue: the diagnostics, and those who asked for it."""

import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hugo.diagnostics import binding
from hugo.errors import Error
from hugo.task_queue.events import EventKind, LifecycleEvent
from hugo.task_queue.items import PendingItem
from hugo.task_queue.lease import TaskQueueLease
from hugo.task_queue.measure import measure
from hugo.task_queue.tracing import trace

if TYPE_CHECKING:
    from hugo.task_queue.queue import TaskQueue

log = logging.getLogger(__name__)

T = TypeVar("T")

Listener = Callable[[LifecycleEvent[T]], None]


class Observers(Generic[T]):
    """The listeners of one queue, and the diagnostics of this process while they record or trace."""

    __slots__ = ("_queue", "listeners")

    def __init__(self, queue: "TaskQueue[T]") -> None:
        self._queue = queue
        self.listeners: dict[object, Listener[T]] = {}

    def add(self, listener: "Listener[T]") -> Callable[[], None]:
        """Tells `listener` everything from now on; returns what stops that."""
        key = object()
        self.listeners[key] = listener

        def remove() -> None:
            self.listeners.pop(key, None)

        return remove

    def tell(
        self,
        kind: EventKind,
        item: PendingItem[T],
        lease: TaskQueueLease[T] | None = None,
        *,
        error: Error | None = None,
        pending: int = 0,
        active: int = 0,
        seconds: float | None = None,
        details: Any = None,
        from_drain: bool = False,
        from_expiration: bool = False,
    ) -> None:
        """Tells what happened to an item; `pending` and `active` are by how much it changed those numbers."""
        queue = self._queue
        if not binding.active.observing and not self.listeners:
            return
        if seconds is None:
            seconds = 0.0 if lease is None else queue.clock.monotonic() - lease.granted
        event = LifecycleEvent(
            kind,
            queue.name,
            item.value,
            item.sequence_id,
            item.attempt,
            item.enqueued_at,
            queue.clock.utcnow(),
            queue.pending_count,
            queue.active_lease_count,
            item.last_token if lease is None else lease.ownership_token,
            error,
            seconds,
            details,
            from_drain,
            from_expiration,
        )
        if binding.active.recorder is not None:
            measure(event, pending, active)
        if binding.active.tracer is not None:
            span = trace(event, item.span)
            if kind is EventKind.ENQUEUED:
                item.span = span
        for listener in list(self.listeners.values()):
            try:
                listener(event)
            except Exception:
                log.exception("A listener of task queue %r failed.", queue.name)
