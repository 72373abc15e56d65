"""Channels with one lane: first in, first out."""

from typing import Any, Generic, TypeVar

from hugo.channels.reader import ChannelReader
from hugo.channels.writer import ChannelWriter, FullMode

T = TypeVar("T")


class Channel(Generic[T]):
    """Items in order from its writer to its reader; both may be used by any number of tasks of one event loop."""

    __slots__ = ("capacity", "reader", "writer")

    def __init__(self, capacity: int | None = None, *, full_mode: FullMode = FullMode.WAIT) -> None:
        """Holds up to `capacity` items, None is without bound; raises ValueError if it is not positive."""
        if capacity is not None and capacity <= 0:
            raise ValueError("The capacity of a channel is positive, or None.")
        self.capacity = capacity
        self.writer: ChannelWriter[T] = ChannelWriter(capacity, full_mode)
        self.reader: ChannelReader[T] = ChannelReader(self.writer.take)
        self.writer.serve(self.reader)


def make_channel(capacity: int | None = None, *, full_mode: FullMode = FullMode.WAIT) -> Channel[Any]:
    """A channel of `capacity` items; None, zero and less are without bound, there is no rendezvous as in Go."""
    return Channel(capacity if capacity is not None and capacity > 0 else None, full_mode=full_mode)


def bounded_channel(capacity: int, *, full_mode: FullMode = FullMode.WAIT) -> Channel[Any]:
    """A channel of `capacity` items; raises ValueError if it is not positive."""
    return Channel(capacity, full_mode=full_mode)
