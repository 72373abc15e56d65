"""The writing end of a channel."""

import sys
from collections import deque
from enum import Enum
from typing import Generic, TypeVar

from hugo.cancellation import CancelToken
from hugo.channels.closed import ChannelClosed
from hugo.channels.reader import ChannelReader
from hugo.line import Line, Watchers
from hugo.loops import running_loop

T = TypeVar("T")


class FullMode(Enum):
    """What a write does when the channel is full."""

    WAIT = "wait"
    DROP_NEWEST = "drop-newest"
    DROP_OLDEST = "drop-oldest"
    DROP_WRITE = "drop-write"


class ChannelWriter(Generic[T]):
    """Puts items into a channel.

    Writers that have to wait are let in one by one, in the order of waiting. A write that raises, for whatever reason,
    has added nothing.
    """

    __slots__ = ("_full_mode", "_items", "_line", "_reader", "_room", "_waiting", "_watchers")

    def __init__(self, capacity: int | None, full_mode: FullMode) -> None:
        """Channels make their writers themselves: they hold the items that are to be read."""
        self._items: deque[T] = deque()
        # Free slots that no waiting writer was promised.
        self._room = sys.maxsize if capacity is None else capacity
        self._full_mode = full_mode
        self._line = Line(self._free_slot)
        self._waiting = self._line.waiting
        self._watchers = Watchers()

    def serve(self, reader: ChannelReader[T]) -> None:
        """Names the reader of the items."""
        self._reader = reader

    async def write(self, item: T, *, token: CancelToken | None = None) -> None:
        """Adds an item; when the channel is full, does what its full mode says.

        Raises ChannelClosed once the channel is completed, and OperationCanceled when the token fires first.
        """
        if token is not None:
            token.raise_if_cancelled()
        reader = self._reader
        if running_loop() is not reader._loop:
            reader._check_loop()
        # As `try_write`, without the call: this path must be fast.
        if self._room > 0 and not reader._completed:
            self._room -= 1
            self._items.append(item)
            if reader._waiting or reader._watchers.futures:
                reader._arrive()
            else:
                reader._available += 1
        elif reader._completed or not self._drop_for(item):
            await self._write_in_line(item, token)

    def try_write(self, item: T) -> bool:
        """Adds an item if that needs no waiting; False if the channel is full or completed."""
        reader = self._reader
        if running_loop() is not reader._loop:
            reader._check_loop()
        if reader._completed:
            return False
        if self._room <= 0:
            return self._drop_for(item)
        self._room -= 1
        self._items.append(item)
        reader._arrive()
        return True

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
        item = self._items.popleft()
        if self._waiting or self._watchers.futures:
            self._free_slot()
        else:
            self._room += 1
        return item

    def refuse(self) -> None:
        """Sends the waiting writers away, once the reader is completed."""
        self._line.dismiss()
        self._watchers.wake()

    async def _write_in_line(self, item: T, token: CancelToken | None) -> None:
        called = not self._reader._completed and await self._line.wait(token)
        if not called or self._reader._completed:
            raise ChannelClosed("The channel is completed.") from self._reader.error
        self._items.append(item)
        self._reader._arrive()

    def _drop_for(self, item: T) -> bool:
        """Makes room in a full channel as its mode says; False if the mode is to wait."""
        match self._full_mode:
            case FullMode.WAIT:
                return False
            case FullMode.DROP_NEWEST:
                self._items[-1] = item
            case FullMode.DROP_OLDEST:
                self._items.popleft()
                self._items.append(item)
            case FullMode.DROP_WRITE:
                pass
        return True

    def _free_slot(self) -> None:
        """A slot is free: it is promised to the first writer in line, or free for all."""
        if not self._line.call():
            self._room += 1
            self._watchers.wake()
