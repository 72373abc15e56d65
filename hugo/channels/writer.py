"""The writing end of a channel."""

import sys
from collections import deque
from collections.abc import Callable
from enum import Enum
from typing import Generic, TypeVar

from hugo.cancellation import CancelToken
from hugo.channels.closed import ChannelClosed
from hugo.channels.reader import ChannelReader
from hugo.line import Line
from hugo.loops import get_ident
from hugo.watchers import Watchers

T = TypeVar("T")


class FullMode(Enum):
    """What a write does when the channel is full."""

    WAIT = "wait"
    DROP_NEWEST = "drop-newest"
    DROP_OLDEST = "drop-oldest"
    DROP_WRITE = "drop-write"


class Slot(Generic[T]):
    """A reserved place in a channel: to be filled, or freed, once."""

    __slots__ = ("_fill", "_free")

    def __init__(self, fill: Callable[[T], bool], free: Callable[[], None]) -> None:
        self._fill: Callable[[T], bool] | None = fill
        self._free = free

    def fill(self, item: T) -> bool:
        """Puts the item there; False if the channel was completed meanwhile. Raises RuntimeError the second time."""
        if self._fill is None:
            raise RuntimeError("The slot was filled or freed before.")
        fill, self._fill = self._fill, None
        return fill(item)

    def free(self) -> None:
        """Lets another writer have the place, unless it was filled or freed before."""
        if self._fill is not None:
            self._fill = None
            self._free()


class ChannelWriter(Generic[T]):
    """Puts items into a channel.

    Writers that have to wait are let in one by one, in the order of waiting. A write that raises, for whatever reason,
    has added nothing.
    """

    __slots__ = ("_full_mode", "_items", "_line", "_reader", "_room", "_waiting", "_watchers", "_watching")

    def __init__(self, capacity: int | None, full_mode: FullMode) -> None:
        """Channels make their writers themselves: they hold the items that are to be read."""
        self._items: deque[T] = deque()
        # Free slots that no waiting writer was promised.
        self._room = sys.maxsize if capacity is None else capacity
        self._full_mode = full_mode
        self._line = Line(self._free_slot)
        self._waiting = self._line.waiting
        self._watchers = Watchers()
        self._watching = self._watchers.futures

    def serve(self, reader: ChannelReader[T]) -> None:
        """Names the reader of the items."""
        self._reader = reader

    @property
    def completed(self) -> bool:
        """Whether the channel takes no more items."""
        return self._reader._completed

    async def write(self, item: T, *, token: CancelToken | None = None) -> None:
        """Adds an item; when the channel is full, does what its full mode says.

        Raises ChannelClosed once the channel is completed, and OperationCanceled when the token fires first.
        """
        if token is not None:
            token.raise_if_cancelled()
        reader = self._reader
        if (
            self._room > 0
            and not reader._completed
            and not reader._waiting
            and not reader._watching
            and get_ident() == reader._thread
        ):
            self._room -= 1
            self._items.append(item)
            reader._available += 1
        elif not self.try_write(item):
            await self._take_turn(token)
            self._items.append(item)
            reader._arrive()

    def try_write(self, item: T) -> bool:
        """Adds an item if that needs no waiting; False if the channel is full or completed."""
        reader = self._reader
        reader._check_loop()
        if reader._completed:
            return False
        if self._room <= 0:
            return self._drop_for(item)
        self._room -= 1
        self._items.append(item)
        reader._arrive()
        return True

    async def reserve(self, *, token: CancelToken | None = None) -> "Slot[T]":
        """Takes a place in the channel before there is an item for it, waiting for one whatever the full mode.

        Raises ChannelClosed once the channel is completed, and OperationCanceled when the token fires first.
        """
        self._reader._check_loop()
        if token is not None:
            token.raise_if_cancelled()
        if self._room > 0 and not self._reader._completed:
            self._room -= 1
        else:
            await self._take_turn(token)
        return Slot(self._fill, self._free_slot)

    async def wait_to_write(self, *, token: CancelToken | None = None) -> bool:
        """Waits until there is room: True, or False when the channel is completed.

        Reserves nothing, so another writer may be faster. Raises OperationCanceled when the token fires first.
        """
        self._reader._check_loop()
        if token is not None:
            token.raise_if_cancelled()
        while not self._reader._completed:
            if self._room > 0 or self._full_mode is not FullMode.WAIT:
                return True
            await self._watchers.wait(token)
        return False

    def try_complete(self, error: BaseException | None = None) -> bool:
        """Ends the channel; False if it has ended before.

        Readers get what is left, then ChannelClosed, or `error`. Writers that still wait are refused.
        """
        if not self._reader._complete(error):
            return False
        self.refuse()
        return True

    def take(self) -> T:
        """Removes the oldest item; the first writer in line gets its place. For the reader alone."""
        if self._waiting or self._watching:
            self._reader._check_loop()
            item = self._items.popleft()
            self._free_slot()
        else:
            item = self._items.popleft()
            self._room += 1
        return item

    def refuse(self) -> None:
        """Sends the waiting writers away, once the reader is completed."""
        self._line.dismiss()
        self._watchers.wake()

    async def _take_turn(self, token: CancelToken | None) -> None:
        """Waits in line for a slot; raises ChannelClosed if there is none to be had any more."""
        called = not self._reader._completed and await self._line.wait(token)
        if not called or self._reader._completed:
            raise ChannelClosed("The channel is completed.") from self._reader.error

    def _fill(self, item: T) -> bool:
        """Puts an item into a slot that was reserved; False if the channel is completed."""
        if self._reader._completed:
            return False
        self._items.append(item)
        self._reader._arrive()
        return True

    def _drop_for(self, item: T) -> bool:
        """Makes room in a full channel as its mode says; False if the mode is to wait."""
        if self._full_mode is FullMode.WAIT:
            return False
        # Without items every place is reserved, and the new item is the only one to drop.
        if self._items and self._full_mode is FullMode.DROP_NEWEST:
            self._items[-1] = item
        elif self._items and self._full_mode is FullMode.DROP_OLDEST:
            self._items.popleft()
            self._items.append(item)
        return True

    def _free_slot(self) -> None:
        """A slot is free: it is promised to the first writer in line, or free for all."""
        if not self._line.call():
            self._room += 1
            self._watchers.wake()
