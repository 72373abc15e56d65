"""The loops of a process: whatever one of them raises, it begins again and the others go on; they end together."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from hugo.clock import SYSTEM_CLOCK, Clock
from hugo.go import WaitGroup, delay

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.2
LONGEST_PAUSE = 30.0
"""Seconds before a loop that failed begins again; doubled each time, and the first again after it ran for as long."""


class Loops:
    """The loops of a service."""

    def __init__(self, clock: Clock = SYSTEM_CLOCK) -> None:
        self._clock = clock
        self._running = WaitGroup()
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def running(self) -> bool:
        """Whether any of them has not ended."""
        return self._running.count > 0

    def go(self, name: str, loop: Callable[..., Awaitable[None]], *args: Any) -> None:
        """Runs `loop(*args)` as a task of that name, until it returns or `stop` is called."""
        self._tasks.append(self._running.go(self._keep, name, loop, args, name=name))

    async def stop(self) -> None:
        """Cancels all of them; returns when they have ended."""
        for task in self._tasks:
            task.cancel()
        await self._running.wait()

    async def _keep(self, name: str, loop: Callable[..., Awaitable[None]], args: tuple[Any, ...]) -> None:
        pause = FIRST_PAUSE
        while True:
            began = self._clock.monotonic()
            try:
                await loop(*args)
            except Exception:
                logger.exception("%s failed, and begins again", name)
            else:
                return
            if self._clock.monotonic() - began >= LONGEST_PAUSE:
                pause = FIRST_PAUSE
            await delay(pause, clock=self._clock)
            pause = min(2 * pause, LONGEST_PAUSE)
