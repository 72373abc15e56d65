"""`Once`: whoever comes first does it, the others wait until it is done."""

from collections.abc import Awaitable, Callable

from hugo.loops import LoopOwned
from hugo.watchers import Watchers


class Once(LoopOwned):
    """Runs one action in its life.

    If the action raises or is cancelled, its caller gets that, and the action still counts as done.
    """

    __slots__ = ("_begun", "_done", "_watchers")

    def __init__(self) -> None:
        super().__init__()
        self._begun = False
        self._done = False
        self._watchers = Watchers()

    def do(self, action: Callable[[], object]) -> None:
        """Calls `action` unless one was begun before; raises RuntimeError if that one is still under way."""
        self._check_loop()
        if self._begun:
            if not self._done:
                raise RuntimeError("The action is under way, and only `do_async` can wait for it.")
            return
        self._begun = True
        try:
            action()
        finally:
            self._finish()

    async def do_async(self, action: Callable[[], Awaitable[object]]) -> None:
        """Awaits `action()` unless one was begun before; then waits until that one is done."""
        self._check_loop()
        if self._begun:
            while not self._done:
                await self._watchers.wait()
            return
        self._begun = True
        try:
            await action()
        finally:
            self._finish()

    def _finish(self) -> None:
        self._done = True
        self._watchers.wake()
