"""`Mutex`: one task at a time."""

from collections.abc import Callable

from hugo.cancellation import CancelToken
from hugo.line import Line
from hugo.loops import LoopOwned, get_ident
from hugo.sync.held import Held, once


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

    def lock(self, token: CancelToken | None = None) -> Held:
        """`async with` it to hold the lock during the block. Raises OperationCanceled when the token fires first."""
        return Held(self._take, self._hand_over, token)

    async def acquire(self, token: CancelToken | None = None) -> Callable[[], None]:
        """Takes the lock; returns what releases it, once, however often it is called."""
        await self._take(token)
        return once(self._hand_over)

    async def _take(self, token: CancelToken | None) -> None:
        if token is not None:
            token.raise_if_cancelled()
        if self._locked or get_ident() != self._thread:
            self._check_loop()
            if self._locked:
                await self._line.wait(token)
        self._locked = True

    def _hand_over(self) -> None:
        self._locked = self._line.call()
