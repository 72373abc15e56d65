"""`Mutex`: one task at a time."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from hugo.cancellation import CancelToken
from hugo.line import Line
from hugo.loops import LoopOwned


class Mutex(LoopOwned):
    """A lock for tasks, held by one at a time, in the order of asking. It is not re-entrant."""

    __slots__ = ("_line", "_locked")

    def __init__(self) -> None:
        super().__init__()
        self._locked = False
        self._line = Line(self._hand_over)

    @property
    def locked(self) -> bool:
        """Whether somebody holds it."""
        return self._locked

    @asynccontextmanager
    async def lock(self, token: CancelToken | None = None) -> AsyncIterator[None]:
        """Holds the lock during the block. Raises OperationCanceled when the token fires first."""
        release = await self.acquire(token)
        try:
            yield
        finally:
            release()

    async def acquire(self, token: CancelToken | None = None) -> Callable[[], None]:
        """Takes the lock; returns what releases it, once, however often it is called."""
        self._check_loop()
        if token is not None:
            token.raise_if_cancelled()
        if self._locked:
            await self._line.wait(token)
        self._locked = True
        return once(self._hand_over)

    def _hand_over(self) -> None:
        self._locked = self._line.call()


def once(release: Callable[[], None]) -> Callable[[], None]:
    """A function that calls `release` the first time, and does nothing after."""
    pending = [release]

    def release_once() -> None:
        if pending:
            pending.pop()()

    return release_once
