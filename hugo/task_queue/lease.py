"""A lease: the right to work on one item, for a while."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from hugo.errors import Error
from hugo.task_queue.items import OwnershipToken, PendingItem

if TYPE_CHECKING:
    from hugo.task_queue.queue import TaskQueue

T = TypeVar("T")


class TaskQueueLease(Generic[T]):
    """The right to work on one item until it is completed, failed or released, or until it runs out.

    Afterwards every operation raises LeaseInactive, or QueueClosed if the queue was closed or drained meanwhile.
    """

    __slots__ = ("_queue", "expires", "granted", "item", "serial")

    def __init__(self, queue: "TaskQueue[T]", item: PendingItem[T], serial: int, now: float, expires: float) -> None:
        """Queues make their leases themselves."""
        self._queue = queue
        self.item = item
        self.serial = serial
        # Moments of the queue's clock.
        self.granted = now
        self.expires = expires

    @property
    def returned(self) -> PendingItem[T]:
        """The item as it goes back into the queue: the lease itself keeps showing what it was given."""
        return replace(self.item, last_token=self.ownership_token)

    @property
    def value(self) -> T:
        """What was enqueued."""
        return self.item.value

    @property
    def attempt(self) -> int:
        """Which delivery of the item this is, counted from 1."""
        return self.item.attempt

    @property
    def sequence_id(self) -> int:
        """The item's number, the same in every delivery."""
        return self.item.sequence_id

    @property
    def enqueued_at(self) -> datetime:
        """When the item was enqueued, in UTC."""
        return self.item.enqueued_at

    @property
    def last_error(self) -> Error | None:
        """Why the delivery before this one failed."""
        return self.item.last_error

    @property
    def ownership_token(self) -> OwnershipToken:
        """Proof of this very lease, to fence off writes of an earlier one."""
        return OwnershipToken(self.item.sequence_id, self.item.attempt, self._queue.lease_id(self.serial))

    @property
    def expires_at(self) -> datetime:
        """When the lease runs out, in UTC."""
        clock = self._queue.clock
        return clock.utcnow() + timedelta(seconds=self.expires - clock.monotonic())

    async def complete(self) -> None:
        """Removes the item for good."""
        self._queue._complete(self)

    async def heartbeat(self, details: Any = None) -> datetime:
        """Extends the lease to its full duration from now, unless that was done a moment ago; returns when it ends.

        `details` goes to the listeners of an extension.
        """
        self._queue._heartbeat(self, details)
        return self.expires_at

    async def fail(self, error: Error, *, requeue: bool = True) -> None:
        """Gives up on the item: to the end of the queue for its next attempt, or to the dead letters.

        It is a dead letter without `requeue`, and when this was the last attempt. Returns when the dead-letter callback
        has ended. Raises ValueError without an error.
        """
        await self._queue._fail(self, error, requeue)

    async def release(self) -> None:
        """Gives the item back untouched: to the front of the queue, for the same attempt."""
        self._queue._release(self)
