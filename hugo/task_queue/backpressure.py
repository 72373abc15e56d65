"""When a queue grows too long: a signal, with rest between its changes."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Generic, TypeVar

from hugo.cancellation import CancelToken
from hugo.channels import Channel, ChannelReader, ChannelWriter, FullMode
from hugo.clock import Clock, Timer
from hugo.diagnostics import instruments
from hugo.task_queue.closed import QueueClosed
from hugo.task_queue.events import LifecycleEvent
from hugo.task_queue.queue import TaskQueue
from hugo.watchers import Watchers

log = logging.getLogger(__name__)

R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class BackpressureSignal:
    """Whether a queue is too long, and how long it was when that was found."""

    is_active: bool
    pending_count: int
    high: int
    low: int
    observed_at: datetime


Listener = Callable[[BackpressureSignal], None]


class BackpressureMonitor:
    """Watches a queue: active from `high` pending items on, until there are no more than `low`.

    Signals are at least `cooldown` seconds apart. A change in between is made known afterwards, if it still holds.
    """

    def __init__(
        self,
        queue: TaskQueue[Any],
        *,
        high: int = 512,
        low: int | None = None,
        cooldown: float = 5.0,
        clock: Clock | None = None,
    ) -> None:
        """`low` is by default, and at most, what leaves a gap: half of `high`, at least 1. Raises ValueError."""
        if high <= 0 or cooldown <= 0 or (low is not None and low < 0):
            raise ValueError("High watermark and cooldown are positive, the low watermark is not negative.")
        self._queue = queue
        self._high = high
        self._low = max(1, high // 2) if low is None or low >= high else low
        self._cooldown = cooldown
        self._clock = clock or queue.clock
        self._listeners: dict[object, Listener] = {}
        self._streams: list[ChannelWriter[BackpressureSignal]] = []
        self._watchers = Watchers()
        self._timer: Timer | None = None
        self._published = self._clock.monotonic() - cooldown
        self._closed = False
        self._too_long = False
        self._signal = self._observe()
        self._remove = queue.add_listener(self._look)
        self._look()

    @property
    def is_active(self) -> bool:
        """Whether the last signal said that the queue is too long."""
        return self._signal.is_active

    @property
    def current(self) -> BackpressureSignal:
        """The last signal."""
        return self._signal

    def add_listener(self, listener: Listener) -> Callable[[], None]:
        """Calls `listener` with the current signal and every later one; returns what stops that.

        What it raises is logged.
        """
        key = object()
        self._listeners[key] = listener
        self._call(listener)

        def remove() -> None:
            self._listeners.pop(key, None)

        return remove

    def stream(self, capacity: int = 64) -> ChannelReader[BackpressureSignal]:
        """A channel with the current signal and every later one; who reads slowly misses the oldest.

        It is completed when the monitor is closed.
        """
        channel: Channel[BackpressureSignal] = Channel(capacity, full_mode=FullMode.DROP_OLDEST)
        channel.writer.try_write(self._signal)
        if self._closed:
            channel.writer.try_complete()
        else:
            self._streams.append(channel.writer)
        return channel.reader

    async def wait_for_draining(self, *, token: CancelToken | None = None) -> BackpressureSignal:
        """Waits until the queue is no longer too long; returns the signal that says so.

        Raises QueueClosed when the monitor is closed, and OperationCanceled when the token fires first.
        """
        if token is not None:
            token.raise_if_cancelled()
        while self._signal.is_active:
            if self._closed:
                raise QueueClosed("The monitor is closed.")
            await self._watchers.wait(token)
        return self._signal

    def close(self) -> None:
        """Stops watching; who waits for draining is told, and streams end."""
        self._closed = True
        for stream in self._streams:
            stream.try_complete()
        self._remove()
        if self._timer is not None:
            self._timer.cancel()
        self._watchers.wake()

    def __enter__(self) -> "BackpressureMonitor":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _observe(self) -> BackpressureSignal:
        return BackpressureSignal(
            self._too_long, self._queue.pending_count, self._high, self._low, self._clock.utcnow()
        )

    def _look(self, _: LifecycleEvent[Any] | None = None) -> None:
        pending = self._queue.pending_count
        self._too_long = pending > self._low if self._too_long else pending >= self._high
        if self._too_long is self._signal.is_active or self._timer is not None:
            return
        rest = self._published + self._cooldown - self._clock.monotonic()
        if rest > 0:
            self._timer = self._clock.call_later(rest, self._rested)
        else:
            self._publish()

    def _rested(self) -> None:
        self._timer = None
        if self._too_long is not self._signal.is_active:
            self._publish()

    def _publish(self) -> None:
        now = self._clock.monotonic()
        attributes = {"taskqueue.name": self._queue.name}
        instruments.BACKPRESSURE_ACTIVE.record(1 if self._too_long else -1, attributes)
        instruments.BACKPRESSURE_TRANSITIONS.record(1, attributes)
        self._signal = signal = self._observe()
        instruments.BACKPRESSURE_PENDING.record(signal.pending_count, attributes)
        instruments.BACKPRESSURE_DURATION.record((now - self._published) * 1000, attributes)
        self._published = now
        for stream in self._streams:
            stream.try_write(signal)
        for listener in list(self._listeners.values()):
            self._call(listener)
        self._watchers.wake()

    def _call(self, listener: Listener) -> None:
        try:
            listener(self._signal)
        except Exception:
            log.exception("A backpressure listener of task queue %r failed.", self._queue.name)


class BackpressureSwitch(Generic[R]):
    """One of two things, as the signal says: the rate limiter for normal times, say, and the one for full queues."""

    def __init__(self, monitor: BackpressureMonitor, *, normal: R, pressed: R) -> None:
        self._normal = normal
        self._pressed = pressed
        self._current = normal
        self._remove = monitor.add_listener(self._switch)

    @property
    def current(self) -> R:
        """The one that applies now."""
        return self._current

    def close(self) -> None:
        """Stays with the one that applies now."""
        self._remove()

    def _switch(self, signal: BackpressureSignal) -> None:
        self._current = self._pressed if signal.is_active else self._normal
