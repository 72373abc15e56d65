"""Leases on a channel: pumps that keep a channel filled with leased work."""

import asyncio
from datetime import datetime
from typing import Any, Generic, Protocol, TypeVar

from hugo.cancellation import CancelToken, OperationCanceled
from hugo.channels import Channel, ChannelClosed, ChannelReader
from hugo.errors import Error, ResultError
from hugo.sync.errgroup import ErrGroup
from hugo.sync.run import run
from hugo.task_queue.closed import LeaseInactive, QueueClosed


class SourcedLease(Protocol):
    """The right to work on something for a while, wherever it comes from."""

    async def complete(self) -> None:
        """The work is done."""

    async def heartbeat(self, details: Any = None) -> datetime:
        """The work goes on; returns when the lease ends."""

    async def fail(self, error: Error, *, requeue: bool = True) -> None:
        """The work failed."""

    async def release(self) -> None:
        """The work was not begun: another worker gets it at once, for the same attempt."""


L = TypeVar("L", bound=SourcedLease)
L_co = TypeVar("L_co", bound=SourcedLease, covariant=True)


class LeaseSource(Protocol[L_co]):
    """Where leases come from: a `TaskQueue`, or the client of a server."""

    async def lease(self, *, token: CancelToken | None = None) -> L_co:
        """Waits for work; raises QueueClosed when there will be none, and OperationCanceled when the token fires."""

    async def aclose(self) -> None:
        """Closes the source."""


class TaskQueueChannelAdapter(Generic[L]):
    """Pumps leases from a source into a channel, so that workers can say `async for lease in adapter.reader`.

    A pump leases only what it has a place for, so no more leases lie in the channel than it holds. When the source is
    closed, the channel is completed; when it fails, readers get its exception.
    """

    def __init__(
        self,
        source: LeaseSource[L],
        *,
        channel: Channel[L] | None = None,
        concurrency: int = 1,
        owns_queue: bool = False,
    ) -> None:
        """Starts `concurrency` pumps; the channel holds as many leases, unless one is given.

        With `owns_queue`, `aclose` closes the source. Raises ValueError unless `concurrency` is positive.
        """
        if concurrency <= 0:
            raise ValueError("The concurrency of an adapter is positive.")
        self.queue = source
        self._channel: Channel[L] = channel or Channel(concurrency)
        self._owns_queue = owns_queue
        self._group = ErrGroup()
        for _ in range(concurrency):
            self._group.go(self._pump)
        self._pumps = run(self._finish)

    @classmethod
    def create(
        cls,
        queue: LeaseSource[L],
        *,
        channel: Channel[L] | None = None,
        concurrency: int = 1,
        owns_queue: bool = False,
    ) -> "TaskQueueChannelAdapter[L]":
        """An adapter, started."""
        return cls(queue, channel=channel, concurrency=concurrency, owns_queue=owns_queue)

    @property
    def reader(self) -> ChannelReader[L]:
        """Where the leases arrive."""
        return self._channel.reader

    async def aclose(self) -> None:
        """Stops the pumps, gives leases nobody has read back to the source, and closes it if it is owned."""
        self._group.token.cancel("The adapter is closed.")
        await asyncio.wait([self._pumps])
        while (lease := self.reader.try_read()) is not None:
            await _give_back(lease)
        if self._owns_queue:
            await self.queue.aclose()

    async def __aenter__(self) -> "TaskQueueChannelAdapter[L]":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _pump(self) -> None:
        token = self._group.token
        while True:
            try:
                slot = await self._channel.writer.reserve(token=token)
                lease = await self.queue.lease(token=token)
            except (QueueClosed, ChannelClosed, OperationCanceled):
                return
            if not slot.fill(lease):
                await _give_back(lease)

    async def _finish(self) -> None:
        error = (await self._group.wait()).error
        self._channel.writer.try_complete(None if error is None else error.cause or ResultError(error))


async def _give_back(lease: SourcedLease) -> None:
    try:
        await lease.release()
    except (LeaseInactive, QueueClosed):
        # It ran out in the channel, or went with the queue: the source has it back already.
        return
