"""Time as something that can be replaced: the system's clock, and one that tests move by hand."""

import asyncio
import heapq
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import count
from typing import Protocol


class Timer(Protocol):
    """A call that is to come."""

    def cancel(self) -> None:
        """Prevents the call; does nothing once it was made."""


class Clock(Protocol):
    """Where this library takes the time from."""

    def utcnow(self) -> datetime:
        """The wall clock's time, in UTC."""

    def monotonic(self) -> float:
        """Seconds from a fixed moment; never goes back."""

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Calls `callback` in the running event loop after `seconds`, never before this call has returned."""

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds`."""


class SystemClock:
    """The machine's own clocks."""

    # Read several times for each leased item: no Python frame of its own.
    utcnow = staticmethod(partial(datetime.now, UTC))
    monotonic = staticmethod(time.monotonic)

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Calls `callback` in the running event loop after `seconds`."""
        return asyncio.get_running_loop().call_later(seconds, callback)

    async def sleep(self, seconds: float) -> None:
        """Returns after `seconds`."""
        await asyncio.sleep(seconds)


class _FakeTimer:
    """A call the fake clock is to make."""

    __slots__ = ("callback",)

    def __init__(self, callback: Callable[[], None]) -> None:
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class FakeClock:
    """A clock that stands still until it is advanced."""

    def __init__(self, start: datetime = datetime(2000, 1, 1, tzinfo=UTC)) -> None:
        """`start` is the time it shows first, with a time zone."""
        self._start = start.astimezone(UTC)
        self._elapsed = 0.0
        self._due: list[tuple[float, int, _FakeTimer]] = []
        self._order = count()

    def utcnow(self) -> datetime:
        """The time this clock shows."""
        return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        """Seconds this clock has been advanced."""
        return self._elapsed

    def call_later(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Calls `callback` while the clock is advanced past that moment; calls for one moment keep their order.

        A call for now is made by the next advance, be it by zero seconds.
        """
        timer = _FakeTimer(callback)
        heapq.heappush(self._due, (self._elapsed + max(seconds, 0.0), next(self._order), timer))
        return timer

    async def sleep(self, seconds: float) -> None:
        """Returns once the clock was advanced by `seconds`; at once if there is nothing to wait for."""
        if seconds <= 0:
            await asyncio.sleep(0)
            return
        woken = asyncio.get_running_loop().create_future()
        timer = self.call_later(seconds, lambda: None if woken.done() else woken.set_result(None))
        try:
            await woken
        finally:
            timer.cancel()

    @property
    def next_due(self) -> float | None:
        """Seconds until the next call; None if none is waiting."""
        while self._due and self._due[0][2].callback is None:
            heapq.heappop(self._due)
        return self._due[0][0] - self._elapsed if self._due else None

    def advance(self, seconds: float) -> None:
        """Moves the clock on by `seconds` and makes every call that falls due, each at its own moment."""
        if seconds < 0:
            raise ValueError("A clock does not go back.")
        end = self._elapsed + seconds
        while self._make_next_call(end):
            pass
        self._elapsed = end

    async def advance_and_settle(self, seconds: float, *, rounds: int = 50) -> None:
        """Does the same, and after each call lets the woken tasks run before time moves on.

        `rounds` bounds how many times in a row a task may give way to others before it counts as settled.
        """
        if seconds < 0:
            raise ValueError("A clock does not go back.")
        end = self._elapsed + seconds
        await settle(rounds)
        while self._make_next_call(end):
            await settle(rounds)
        self._elapsed = end
        await settle(rounds)

    def _make_next_call(self, end: float) -> bool:
        """Makes the earliest call due by `end`; False if there is none."""
        while self._due and self._due[0][0] <= end:
            moment, _, timer = heapq.heappop(self._due)
            if timer.callback is not None:
                self._elapsed = max(self._elapsed, moment)
                callback, timer.callback = timer.callback, None
                callback()
                return True
        return False


async def settle(rounds: int = 50) -> None:
    """Lets every task that is ready run, and those it wakes, through `rounds` turns of the event loop."""
    for _ in range(rounds):
        await asyncio.sleep(0)


SYSTEM_CLOCK = SystemClock()
