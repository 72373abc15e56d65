"""One object, one event loop: what belongs to a loop refuses to work under another one."""

from asyncio import AbstractEventLoop
from asyncio.events import _get_running_loop
from threading import get_ident

__all__ = ["LoopOwned", "WrongLoop", "get_ident"]


class WrongLoop(RuntimeError):
    """An object was used outside the event loop it belongs to."""


class LoopOwned:
    """An object that belongs to the event loop that uses it first.

    Before that it may be built and filled without a loop. Other loops and other threads reach it through
    `loop.call_soon_threadsafe` or `asyncio.run_coroutine_threadsafe`.

    Asking for the running loop costs as much as a channel's whole work. So where nobody waits, an object may compare
    `_thread` alone: no other thread gets in, and what a later loop of the same thread finds is in order.
    """

    __slots__ = ("_loop", "_thread")

    def __init__(self) -> None:
        self._loop: AbstractEventLoop | None = None
        self._thread: int | None = None

    def _check_loop(self) -> None:
        """Raises WrongLoop if another loop than the owner runs here, or none; the first loop becomes the owner."""
        loop = _get_running_loop()
        if loop is self._loop:
            return
        if self._loop is not None:
            where = "no event loop runs here" if loop is None else "another event loop runs here"
            raise WrongLoop(
                f"This {type(self).__name__} belongs to the event loop that first used it, and {where}. "
                "Use loop.call_soon_threadsafe or asyncio.run_coroutine_threadsafe to reach it."
            )
        self._loop = loop
        self._thread = get_ident()
