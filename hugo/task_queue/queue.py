"""`TaskQueue`: items in memory, leased to workers."""

import asyncio
import logging
import os
from collections import deque
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, Generic, TypeVar
from uuid import UUID

from hugo.cancellation import CancelToken
from hugo.clock import SYSTEM_CLOCK, Clock, Timer
from hugo.diagnostics import binding
from hugo.errors import Error, ErrorCode
from hugo.line import Line
from hugo.loops import LoopOwned, get_ident
from hugo.sync.run import run
from hugo.task_queue.closed import LeaseInactive, QueueClosed
from hugo.task_queue.events import EventKind
from hugo.task_queue.items import DeadLetter, PendingItem
from hugo.task_queue.lease import TaskQueueLease
from hugo.task_queue.observers import Listener, Observers
from hugo.task_queue.options import TaskQueueOptions

log = logging.getLogger(__name__)

T = TypeVar("T")

OnDeadLetter = Callable[[DeadLetter[T]], Awaitable[None]]


class TaskQueue(LoopOwned, Generic[T]):
    """Items in the order they came, each leased to one worker at a time.

    A worker that fails or falls silent gives its item back to the end of the queue, until the attempts are used up. An
    operation that raises, for whatever reason, has done nothing.
    """

    __slots__ = (
        "_active",
        "_available",
        "_closed",
        "_dead_letter",
        "_delayed",
        "_enqueuers",
        "_lease_ids",
        "_leases",
        "_lessees",
        "_letters",
        "_observers",
        "_pending",
        "_room",
        "_sequence",
        "_sweeper",
        "clock",
        "options",
    )

    def __init__(
        self,
        options: TaskQueueOptions | None = None,
        *,
        clock: Clock | None = None,
        dead_letter: "OnDeadLetter[T] | None" = None,
    ) -> None:
        """`dead_letter` is awaited for every item that is not delivered again; what it raises is logged."""
        super().__init__()
        self.options = options or TaskQueueOptions()
        self.clock = clock or SYSTEM_CLOCK
        self._dead_letter = dead_letter
        self._pending: deque[PendingItem[T]] = deque()
        self._delayed: dict[PendingItem[T], Timer] = {}
        self._active: dict[int, TaskQueueLease[T]] = {}
        # Items nobody in line was promised, and slots nobody in line was promised; both lines are empty while positive.
        self._available = 0
        self._room = self.options.capacity
        self._lessees = Line(self._offer)
        self._enqueuers = Line(self._free_slot)
        self._sequence = 0
        self._leases = 0
        self._lease_ids = int.from_bytes(os.urandom(8)) << 64
        self._sweeper: Timer | None = None
        self._observers = Observers(self)
        self._letters: set[asyncio.Task[None]] = set()
        self._closed = False

    @property
    def name(self) -> str:
        """The queue's name."""
        return self.options.name

    @property
    def pending_count(self) -> int:
        """Items that wait for a worker, with those that wait for their requeue delay."""
        return len(self._pending) + len(self._delayed)

    @property
    def active_lease_count(self) -> int:
        """Items that are leased."""
        return len(self._active)

    @property
    def closed(self) -> bool:
        """Whether the queue was closed or drained."""
        return self._closed

    async def enqueue(self, value: T, *, token: CancelToken | None = None) -> int:
        """Adds an item, waiting while the queue is full; returns its number, from 1.

        Raises QueueClosed, and OperationCanceled when the token fires first.
        """
        if get_ident() != self._thread or self._lessees.waiting or self._room <= 0:
            self._check_loop()
        if token is not None:
            token.raise_if_cancelled()
        asked = self.clock.monotonic() if self._observers.listeners or binding.active.observing else None
        if self._room > 0 and not self._closed:
            self._room -= 1
        elif self._closed or not await self._enqueuers.wait(token) or self._closed:
            raise QueueClosed(f"The task queue {self.name!r} is closed.")
        self._sequence += 1
        item = PendingItem(value, self._sequence, self.clock.utcnow())
        self._pending.append(item)
        if self._observers.listeners or binding.active.observing:
            self._observers.tell(EventKind.ENQUEUED, item, pending=1, seconds=self._since(asked))
        if self._lessees.waiting:
            self._offer()
        else:
            self._available += 1
        return item.sequence_id

    async def lease(self, *, token: CancelToken | None = None) -> TaskQueueLease[T]:
        """Leases the oldest item, waiting for one if need be.

        Raises QueueClosed, and OperationCanceled when the token fires first.
        """
        if get_ident() != self._thread or self._enqueuers.waiting or not self._available:
            self._check_loop()
        if token is not None:
            token.raise_if_cancelled()
        asked = self.clock.monotonic() if self._observers.listeners or binding.active.observing else None
        if self._available and not self._closed:
            self._available -= 1
        elif self._closed or not await self._lessees.wait(token) or self._closed:
            raise QueueClosed(f"The task queue {self.name!r} is closed.")
        item = self._pending.popleft()
        self._leases = serial = self._leases + 1
        now = self.clock.monotonic()
        duration = self.options.lease_duration
        self._active[serial] = lease = TaskQueueLease(self, item, serial, now, now + duration)
        if self._sweeper is None:
            self._sweep_later()
        if self._observers.listeners or binding.active.observing:
            waited = self._since(asked)
            self._observers.tell(EventKind.LEASE_GRANTED, item, lease, pending=-1, active=1, seconds=waited)
        if self._enqueuers.waiting:
            self._free_slot()
        else:
            self._room += 1
        return lease

    def add_listener(self, listener: "Listener[T]") -> Callable[[], None]:
        """Calls `listener` with all that happens, in order; returns what stops that. What it raises is logged."""
        return self._observers.add(listener)

    async def drain(self) -> list[PendingItem[T]]:
        """Closes the queue and hands out its items, for `restore` of another queue.

        Leased items come first: their leases end, and their attempt is not used up.
        """
        leased, pending = self._empty()
        for item in leased:
            self._observers.tell(EventKind.DRAINED, item, active=-1, from_drain=True)
        for item in pending:
            self._observers.tell(EventKind.DRAINED, item, pending=-1, from_drain=True)
        return leased + pending

    async def restore(self, items: Iterable[PendingItem[T]]) -> None:
        """Adds drained items with their numbers, attempts and times, beyond the capacity if need be.

        Raises QueueClosed.
        """
        self._check_loop()
        if self._closed:
            raise QueueClosed(f"The task queue {self.name!r} is closed.")
        for item in items:
            self._sequence = max(self._sequence, item.sequence_id)
            self._room -= 1
            self._pending.append(item)
            self._observers.tell(EventKind.ENQUEUED, item, pending=1, from_drain=True)
            self._offer()

    async def aclose(self) -> None:
        """Closes the queue: all it holds, leased or pending, becomes dead letters. Returns when they are delivered."""
        undelivered = Error("Queue disposed before delivery.", ErrorCode.TASK_QUEUE_DEAD_LETTERED)
        leased, pending = self._empty()
        for item in leased:
            self._bury(item, item.last_error or undelivered, active=-1, from_drain=True)
        for item in pending:
            self._bury(item, item.last_error or undelivered, pending=-1, from_drain=True)
        while self._letters:
            await asyncio.wait(self._letters)

    async def __aenter__(self) -> "TaskQueue[T]":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    def lease_id(self, serial: int) -> UUID:
        """The unique id of this queue's lease with that number."""
        return UUID(int=self._lease_ids | serial)

    def _since(self, asked: float | None) -> float:
        """Seconds since an operation was asked for; 0 if nobody was interested then."""
        return 0.0 if asked is None else self.clock.monotonic() - asked

    def _check(self, lease: TaskQueueLease[T]) -> None:
        """Raises unless the lease is active."""
        if get_ident() != self._thread or self._lessees.waiting:
            self._check_loop()
        if self._closed:
            raise QueueClosed(f"The task queue {self.name!r} is closed.")
        if lease.serial not in self._active or lease.expires <= self.clock.monotonic():
            raise LeaseInactive("Lease is no longer active.")

    def _complete(self, lease: TaskQueueLease[T]) -> None:
        self._check(lease)
        del self._active[lease.serial]
        if self._observers.listeners or binding.active.observing:
            self._observers.tell(EventKind.COMPLETED, lease.item, lease, active=-1)

    def _heartbeat(self, lease: TaskQueueLease[T], details: Any) -> None:
        self._check(lease)
        now = self.clock.monotonic()
        # What is missing to a full lease is the time since the grant or the last extension.
        extension = now + self.options.lease_duration - lease.expires
        if extension >= self.options.heartbeat_interval:
            lease.expires += extension
            self._observers.tell(EventKind.HEARTBEAT, lease.item, lease, seconds=extension, details=details)

    async def _fail(self, lease: TaskQueueLease[T], error: Error, requeue: bool) -> None:
        if not isinstance(error, Error):
            raise ValueError("A lease fails with an Error.")
        self._check(lease)
        del self._active[lease.serial]
        self._observers.tell(EventKind.FAILED, lease.item, lease, error=error, active=-1)
        letter = self._return(lease, error) if requeue else self._bury(lease.returned, error)
        if letter is not None:
            # The letter is delivered even if the worker who failed is cancelled here.
            await asyncio.shield(letter)

    def _release(self, lease: TaskQueueLease[T]) -> None:
        self._check(lease)
        del self._active[lease.serial]
        self._room -= 1
        self._pending.appendleft(lease.returned)
        self._observers.tell(EventKind.RELEASED, lease.item, lease, active=-1, pending=1)
        self._offer()

    def _return(
        self, lease: TaskQueueLease[T], error: Error, *, from_expiration: bool = False
    ) -> "asyncio.Task[None] | None":
        """Requeues an item for its next attempt, or buries it after the last one."""
        item = lease.returned
        if item.attempt >= self.options.max_delivery_attempts:
            return self._bury(item, error, from_expiration=from_expiration)
        item.attempt += 1
        item.last_error = error
        self._room -= 1
        if self.options.requeue_delay > 0:
            self._delayed[item] = self.clock.call_later(self.options.requeue_delay, lambda: self._wake(item))
            self._observers.tell(EventKind.REQUEUED, item, error=error, pending=1, from_expiration=from_expiration)
        else:
            self._pending.append(item)
            self._observers.tell(EventKind.REQUEUED, item, error=error, pending=1, from_expiration=from_expiration)
            self._offer()
        return None

    def _wake(self, item: PendingItem[T]) -> None:
        del self._delayed[item]
        self._pending.append(item)
        self._offer()

    def _bury(
        self,
        item: PendingItem[T],
        error: Error,
        *,
        pending: int = 0,
        active: int = 0,
        from_expiration: bool = False,
        from_drain: bool = False,
    ) -> "asyncio.Task[None] | None":
        """Makes a dead letter of an item; returns its delivery."""
        self._observers.tell(
            EventKind.DEAD_LETTERED,
            item,
            error=error,
            pending=pending,
            active=active,
            from_expiration=from_expiration,
            from_drain=from_drain,
        )
        if self._dead_letter is None:
            return None
        letter = DeadLetter(item.value, error, item.attempt, item.enqueued_at, item.sequence_id, item.last_token)
        delivery = run(self._deliver, self._dead_letter, letter)
        self._letters.add(delivery)
        delivery.add_done_callback(self._letters.discard)
        return delivery

    async def _deliver(self, callback: "OnDeadLetter[T]", letter: DeadLetter[T]) -> None:
        try:
            await callback(letter)
        except Exception:
            log.exception("The dead-letter callback of task queue %r failed.", self.name)

    def _offer(self) -> None:
        """An item can be leased: it is promised to the first in line, or free for all."""
        if not self._lessees.call():
            self._available += 1

    def _free_slot(self) -> None:
        """An item or a claim has left: if that makes room, it is promised to the first in line, or free for all."""
        self._room += 1
        if self._room > 0 and self._enqueuers.call():
            self._room -= 1

    def _sweep_later(self) -> None:
        self._sweeper = self.clock.call_later(self.options.lease_sweep_interval, self._sweep)

    def _sweep(self) -> None:
        """Takes back what was leased too long ago."""
        now = self.clock.monotonic()
        for lease in [lease for lease in self._active.values() if lease.expires <= now]:
            del self._active[lease.serial]
            details = {
                "attempt": lease.attempt,
                "enqueuedAt": lease.enqueued_at,
                "expiredAt": lease.expires_at,
            }
            error = Error("Lease expired without heartbeat.", ErrorCode.TASK_QUEUE_LEASE_EXPIRED, metadata=details)
            self._observers.tell(EventKind.EXPIRED, lease.item, lease, error=error, active=-1, from_expiration=True)
            self._return(lease, error, from_expiration=True)
        if self._active:
            self._sweep_later()
        else:
            self._sweeper = None

    def _empty(self) -> tuple[list[PendingItem[T]], list[PendingItem[T]]]:
        """Closes the queue and takes everything out of it: the leased items and the pending ones."""
        self._check_loop()
        if self._closed:
            return [], []
        self._closed = True
        if self._sweeper is not None:
            self._sweeper.cancel()
        for timer in self._delayed.values():
            timer.cancel()
        leased = [lease.returned for lease in self._active.values()]
        pending = [*self._pending, *self._delayed]
        self._active.clear()
        self._pending.clear()
        self._delayed.clear()
        self._lessees.dismiss()
        self._enqueuers.dismiss()
        return leased, pending
