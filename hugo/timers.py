"""Delays and channels on which time arrives."""

import math
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar

from hugo.cancellation import CancelToken, OperationCanceled
from hugo.channels import Channel, ChannelReader, FullMode
from hugo.clock import SYSTEM_CLOCK, Clock, Timer
from hugo.watchers import Watchers

D = TypeVar("D")


async def delay(seconds: float, *, clock: Clock | None = None, token: CancelToken | None = None) -> None:
    """Returns after `seconds`, which may be infinite; raises ValueError for a negative number.

    Raises OperationCanceled when the token fires first.
    """
    if seconds < 0:
        raise ValueError("A delay is not negative.")
    if token is not None:
        token.raise_if_cancelled()
    await Watchers().wait(token, seconds=seconds, clock=clock)


def after(seconds: float, *, clock: Clock | None = None, token: CancelToken | None = None) -> ChannelReader[datetime]:
    """A channel that yields one UTC time after `seconds` and is then completed; with zero, the time is there at once.

    When the token fires first, the channel is completed with OperationCanceled. Raises ValueError for a negative or
    infinite number.
    """
    if not 0 <= seconds < math.inf:
        raise ValueError("The time until an event is finite and not negative.")
    moments = _Moments(clock, token)

    def arrive() -> None:
        moments.put()
        moments.complete()

    if seconds == 0:
        arrive()
    else:
        moments.call_later(seconds, arrive)
    return moments.reader


async def after_async(seconds: float, *, clock: Clock | None = None, token: CancelToken | None = None) -> datetime:
    """The UTC time `seconds` from now, once it is reached."""
    with CancelToken.linked(token) as own:
        try:
            return await after(seconds, clock=clock, token=own).read()
        finally:
            own.cancel()


class Ticker:
    """A channel on which the UTC time arrives every `period` seconds until it is stopped.

    It holds one time: who reads slowly misses ticks and gets the newest. As `async with` it stops at the end of the
    block. When the token fires, the channel is completed with OperationCanceled.
    """

    __slots__ = ("_clock", "_moments", "_next", "_period")

    def __init__(self, period: float, *, clock: Clock | None = None, token: CancelToken | None = None) -> None:
        """Starts at once; the first tick comes after `period` seconds. Raises ValueError unless they are positive."""
        if not 0 < period < math.inf:
            raise ValueError("The period of a ticker is positive and finite.")
        self._clock = clock or SYSTEM_CLOCK
        self._period = period
        self._moments = _Moments(clock, token)
        self._next = self._clock.monotonic() + period
        self._moments.call_later(period, self._tick)

    @property
    def reader(self) -> ChannelReader[datetime]:
        """Where the times arrive."""
        return self._moments.reader

    async def read(self) -> datetime:
        """Waits for the next tick; raises ChannelClosed once the ticker is stopped."""
        return await self._moments.reader.read()

    def try_read(self) -> datetime | None:
        """The newest tick nobody has read, if there is one."""
        return self._moments.reader.try_read()

    def stop(self) -> None:
        """Ends the ticks; a tick nobody has read can still be read."""
        self._moments.complete()

    async def __aenter__(self) -> "Ticker":
        return self

    async def __aexit__(self, *_: object) -> None:
        self.stop()

    def _tick(self) -> None:
        self._moments.put()
        now = self._clock.monotonic()
        # Ticks keep their cadence; those a stalled event loop missed are not made up for.
        self._next += self._period * (1 + max(0, (now - self._next) // self._period))
        self._moments.call_later(self._next - now, self._tick)


def new_ticker(period: float, *, clock: Clock | None = None, token: CancelToken | None = None) -> Ticker:
    """A ticker, started."""
    return Ticker(period, clock=clock, token=token)


def tick(period: float, *, clock: Clock | None = None, token: CancelToken | None = None) -> ChannelReader[datetime]:
    """The channel of a ticker that only `token` stops."""
    return Ticker(period, clock=clock, token=token).reader


class _Moments:
    """A channel for the newest time, the timer that will write to it, and the token that ends both."""

    __slots__ = ("_channel", "_clock", "_timer", "_unregister")

    def __init__(self, clock: Clock | None, token: CancelToken | None) -> None:
        self._clock = clock or SYSTEM_CLOCK
        self._channel: Channel[datetime] = Channel(1, full_mode=FullMode.DROP_OLDEST)
        self._timer: Timer | None = None
        self._unregister: Callable[[], None] = lambda: None
        if token is not None:
            self._unregister = token.on_cancel(lambda: self.complete(OperationCanceled(token)))

    @property
    def reader(self) -> ChannelReader[datetime]:
        return self._channel.reader

    def put(self) -> None:
        self._channel.writer.try_write(self._clock.utcnow())

    def call_later(self, seconds: float, callback: Callable[[], None]) -> None:
        if not self._channel.writer.completed:
            self._timer = self._clock.call_later(seconds, callback)

    def complete(self, error: BaseException | None = None) -> None:
        self._unregister()
        if self._timer is not None:
            self._timer.cancel()
        self._channel.writer.try_complete(error)
