"""A line of waiting tasks, first come, first served."""

import asyncio
from collections import deque
from collections.abc import Callable

from hugo.cancellation import CancelToken, wait_for


class Line:
    """Tasks that wait to be called, one after the other.

    Whoever calls gives something away: an item, a free slot, a lock. A task that is cancelled between the call and its
    next step cannot take it, so `give_back` is called in its place. Nothing is lost, and nothing is given twice.
    """

    __slots__ = ("_give_back", "waiting")

    def __init__(self, give_back: Callable[[], None]) -> None:
        self._give_back = give_back
        self.waiting: deque[asyncio.Future[bool]] = deque()

    async def wait(self, token: CancelToken | None = None) -> bool:
        """Waits in line: True when called, False when dismissed; raises OperationCanceled if the token fires first."""
        turn: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        self.waiting.append(turn)
        try:
            return await wait_for(turn, token)
        except BaseException:
            if turn in self.waiting:
                self.waiting.remove(turn)
            elif not turn.cancelled() and turn.exception() is None and turn.result():
                self._give_back()
            raise

    def call(self) -> bool:
        """Calls the first in line; False if nobody waits."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(True)
                return True
        return False

    def dismiss(self) -> None:
        """Sends everybody away."""
        while self.waiting:
            turn = self.waiting.popleft()
            if not turn.done():
                turn.set_result(False)
