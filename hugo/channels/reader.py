"""The reading end of a channel."""

from collections.abc import Callable
from typing import Generic, TypeVar, overload

from hugo.cancellation import CancelToken
from hugo.channels.closed import ChannelClosed
from hugo.diagnostics import binding
from hugo.diagnostics.instruments import CHANNEL_DEPTH
from hugo.line import Line
from hugo.loops import LoopOwned, get_ident
from hugo.watchers import Watchers

T = TypeVar("T")
D = TypeVar("D")


class ChannelReader(LoopOwned, Generic[T]):
    """Takes items out of a channel, in the order they went in.

    A reader that has to wait is promised the next item that comes, in the order of waiting. A read that raises, for
    whatever reason, has taken nothing.
    """

    __slots__ = (
        "_available",
        "_completed",
        "_ends",
        "_error",
        "_line",
        "_promised",
        "_take",
        "_waiting",
        "_watchers",
        "_watching",
    )

    def __init__(self, take: Callable[[], T]) -> None:
        """`take` removes the next item from where the writers put it. Channels make their readers themselves."""
        super().__init__()
        self._take = take
        self._available = 0
        self._promised = 0
        self._line = Line(self._give_back)
        self._waiting = self._line.waiting
        self._watchers = Watchers()
        self._watching = self._watchers.futures
        self._ends = Watchers()
        self._completed = False
        self._error: BaseException | None = None

    @property
    def count(self) -> int:
        """Items in the channel, with those promised to a reader that has not run yet."""
        return self._available + self._promised

    @property
    def drained(self) -> bool:
        """Whether the channel is completed and empty."""
        return self._completed and not self._available and not self._promised

    @property
    def error(self) -> BaseException | None:
        """What the channel was completed with; None while it is open, and after a clean end."""
        return self._error

    async def read(self, *, token: CancelToken | None = None) -> T:
        """Takes the next item, waiting for it if need be.

        Raises ChannelClosed once the channel is drained, or the error it was completed with, and OperationCanceled when
        the token fires first.
        """
        if token is not None:
            token.raise_if_cancelled()
        if get_ident() != self._thread or not self._available:
            self._check_loop()
            if not self._available:
                return await self._read_in_line(token)
        item = self._take()
        self._available -= 1
        if self._completed or binding.active.recorder is not None:
            self._taken()
        return item

    @overload
    def try_read(self) -> T | None: ...
    @overload
    def try_read(self, default: D) -> T | D: ...
    def try_read(self, default: D | None = None) -> T | D | None:
        """Takes the next item if there is one, else returns `default`."""
        if get_ident() != self._thread:
            self._check_loop()
        if not self._available:
            return default
        item = self._take()
        self._available -= 1
        if self._completed or binding.active.recorder is not None:
            self._taken()
        return item

    async def wait_to_read(self, *, token: CancelToken | None = None) -> bool:
        """Waits until an item can be taken: True, or False when the channel is drained.

        Takes nothing, so another reader may be faster. Raises the error the channel was completed with, and
        OperationCanceled when the token fires first.
        """
        self._check_loop()
        if token is not None:
            token.raise_if_cancelled()
        while not self._available:
            if self.drained:
                if self._error is not None:
                    raise self._error
                return False
            await self._watchers.wait(token)
        return True

    async def completion(self) -> None:
        """Returns when the channel is drained. Raises the error it was completed with."""
        self._check_loop()
        while not self.drained:
            await self._ends.wait()
        if self._error is not None:
            raise self._error

    def __aiter__(self) -> "ChannelReader[T]":
        return self

    async def __anext__(self) -> T:
        try:
            return await self.read()
        except ChannelClosed:
            if self._error is not None:
                raise
            raise StopAsyncIteration from None

    @property
    def watchers(self) -> Watchers:
        """Who wants to know when an item can be taken or the channel is drained."""
        return self._watchers

    async def _read_in_line(self, token: CancelToken | None) -> T:
        if self.drained or not await self._line.wait(token):
            raise ChannelClosed("The channel is completed and empty.") if self._error is None else self._error
        self._promised -= 1
        item = self._take()
        if self._completed or binding.active.recorder is not None:
            self._taken()
        return item

    def _taken(self) -> None:
        """An item has left: what remains is measured, and of a completed channel it may have been the last."""
        CHANNEL_DEPTH.record(self.count)
        if self._completed:
            self._end_if_drained()

    def _arrive(self) -> None:
        """An item was added: it is promised to the first in line, or free for all."""
        if self._line.call():
            self._promised += 1
        else:
            self._available += 1
            self._watchers.wake()

    def _give_back(self) -> None:
        """A reader was promised an item and will not take it."""
        self._promised -= 1
        self._arrive()

    def _complete(self, error: BaseException | None) -> bool:
        """Nothing comes any more; False if that was said before."""
        self._check_loop()
        if self._completed:
            return False
        self._completed = True
        self._error = error
        self._end_if_drained()
        return True

    def _end_if_drained(self) -> None:
        if self.drained:
            self._line.dismiss()
            self._watchers.wake()
            self._ends.wake()
