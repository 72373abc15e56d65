"""A task queue whose operations return results instead of raising."""

from collections.abc import Awaitable, Callable
from datetime import datetime
from functools import partial
from typing import Any, Generic, TypeVar

from hugo.cancellation import CancelToken
from hugo.errors import Error, ErrorCode
from hugo.result import Result, err, try_async
from hugo.task_queue.closed import LeaseInactive, QueueClosed
from hugo.task_queue.lease import TaskQueueLease
from hugo.task_queue.queue import TaskQueue

T = TypeVar("T")
R = TypeVar("R")


class SafeLease(Generic[T]):
    """A lease; every operation returns a Result."""

    __slots__ = ("unsafe",)

    def __init__(self, lease: TaskQueueLease[T]) -> None:
        self.unsafe = lease

    @property
    def value(self) -> T:
        """What was enqueued."""
        return self.unsafe.value

    async def complete(self) -> Result[None]:
        """Removes the item for good."""
        return await _safely(self.unsafe.complete)

    async def heartbeat(self, details: Any = None) -> Result[datetime]:
        """Extends the lease; the value is when it ends."""
        return await _safely(partial(self.unsafe.heartbeat, details))

    async def fail(self, error: Error | None, *, requeue: bool = True) -> Result[None]:
        """Gives up on the item; without an error: `error.validation`."""
        if error is None:
            return err("A lease fails with an error.", ErrorCode.VALIDATION)
        return await _safely(partial(self.unsafe.fail, error, requeue=requeue))

    async def release(self) -> Result[None]:
        """Gives the item back untouched."""
        return await _safely(self.unsafe.release)


class SafeTaskQueue(Generic[T]):
    """A queue; every operation returns a Result.

    Errors: `error.taskqueue.disposed`, `error.taskqueue.lease_inactive`, `error.canceled` for the operation's token,
    and `error.exception` for anything else. The cancellation of the task propagates.
    """

    __slots__ = ("_owns_queue", "unsafe")

    def __init__(self, queue: TaskQueue[T], *, owns_queue: bool = False) -> None:
        """With `owns_queue`, closing this closes the queue."""
        self.unsafe = queue
        self._owns_queue = owns_queue

    async def enqueue(self, value: T, *, token: CancelToken | None = None) -> Result[int]:
        """Adds an item; the value is its number."""
        return await _safely(partial(self.unsafe.enqueue, value, token=token), token)

    async def lease(self, *, token: CancelToken | None = None) -> Result[SafeLease[T]]:
        """Leases the oldest item."""
        return (await _safely(partial(self.unsafe.lease, token=token), token)).map(SafeLease)

    def wrap(self, lease: TaskQueueLease[T]) -> SafeLease[T]:
        """The safe form of a lease that was taken from the queue itself."""
        return SafeLease(lease)

    async def aclose(self) -> None:
        """Closes the queue if it is owned."""
        if self._owns_queue:
            await self.unsafe.aclose()


async def _safely(call: Callable[[], Awaitable[R]], token: CancelToken | None = None) -> Result[R]:
    return await try_async(call, on_error=_error, token=token)


def _error(raised: Exception) -> Error | None:
    if isinstance(raised, QueueClosed):
        return Error("The task queue has been disposed.", ErrorCode.TASK_QUEUE_DISPOSED, raised)
    if isinstance(raised, LeaseInactive):
        return Error(str(raised), ErrorCode.TASK_QUEUE_LEASE_INACTIVE, raised)
    return None
