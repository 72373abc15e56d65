"""Cancellation by token, as data, beside the cancellation of a task, which always propagates.

A token says "stop" to every operation that was given it. An operation that stops for it raises `OperationCanceled`;
the boundary that owns the token may turn that into a failed result, as `stopped_by` tells. The cancellation of the task
itself (`asyncio.CancelledError`) is never turned into anything.
"""

import asyncio
import logging
from collections.abc import Callable
from typing import TypeVar

from hugo.clock import SYSTEM_CLOCK, Clock, Timer
from hugo.loops import LoopOwned

log = logging.getLogger(__name__)

T = TypeVar("T")


class OperationCanceled(asyncio.CancelledError):
    """An operation stopped because its token said so.

    It is an `asyncio.CancelledError`, so that no `except Exception` mistakes it for a failure and retries.
    """

    def __init__(self, token: "CancelToken") -> None:
        super().__init__(token.reason or "Operation was canceled.")
        self.token = token


class CancelToken(LoopOwned):
    """Tells operations to stop. It fires at most once and stays fired."""

    __slots__ = ("_callbacks", "_fired", "_reason", "_release", "_timer")

    def __init__(self) -> None:
        super().__init__()
        self._fired = False
        self._reason: str | None = None
        self._callbacks: dict[object, Callable[[], None]] = {}
        self._release: list[Callable[[], None]] = []
        self._timer: Timer | None = None

    @property
    def cancelled(self) -> bool:
        """True once the token has fired."""
        return self._fired

    @property
    def reason(self) -> str | None:
        """What `cancel` was told, if anything."""
        return self._reason

    def cancel(self, reason: str | None = None) -> None:
        """Fires the token: every registered callback is called, in order. A second call does nothing.

        A callback that raises is logged, and the others are still called.
        """
        if self._fired:
            return
        self._check_loop()
        self._fired = True
        self._reason = reason
        callbacks = list(self._callbacks.values())
        self.close()
        for callback in callbacks:
            try:
                callback()
            except Exception:
                log.exception("A callback of a cancel token failed.")

    def raise_if_cancelled(self) -> None:
        """Raises OperationCanceled if the token has fired."""
        if self._fired:
            raise OperationCanceled(self)

    async def wait(self) -> None:
        """Returns once the token has fired."""
        if self._fired:
            return
        fired = asyncio.get_running_loop().create_future()
        unregister = self.on_cancel(lambda: None if fired.done() else fired.set_result(None))
        try:
            await fired
        finally:
            unregister()

    def on_cancel(self, callback: Callable[[], None]) -> Callable[[], None]:
        """Calls `callback` when the token fires, at once if it has; returns what unregisters it."""
        if self._fired:
            callback()
            return lambda: None
        self._check_loop()
        key = object()
        self._callbacks[key] = callback

        def unregister() -> None:
            self._callbacks.pop(key, None)

        return unregister

    @classmethod
    def linked(cls, *parents: "CancelToken | None") -> "CancelToken":
        """A token that fires with the first of its parents, and may fire alone.

        A parent that lives longer holds on to it until either has fired or `close` is called.
        """
        child = cls()
        for parent in parents:
            if parent is not None:
                child._follow(parent)
        return child

    def _follow(self, parent: "CancelToken") -> None:
        self._release.append(parent.on_cancel(lambda: self.cancel(parent.reason)))

    def cancel_after(self, seconds: float, clock: Clock | None = None) -> None:
        """Fires the token after `seconds`, unless it is fired or closed before; replaces an earlier delay."""
        if seconds < 0:
            raise ValueError("A delay is not negative.")
        if self._fired:
            return
        self._check_loop()
        if self._timer is not None:
            self._timer.cancel()
        self._timer = (clock or SYSTEM_CLOCK).call_later(seconds, lambda: self.cancel(f"{seconds:g} s are over."))

    def close(self) -> None:
        """Lets go of parents, delay and callbacks: the token fires from now on only by `cancel`, and for nobody."""
        for release in self._release:
            release()
        self._release.clear()
        self._callbacks.clear()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def __enter__(self) -> "CancelToken":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def stopped_by(token: CancelToken | None) -> bool:
    """Whether the `CancelledError` being handled is the token's doing, hence data, and not the task's cancellation."""
    task = asyncio.current_task()
    return token is not None and token.cancelled and (task is None or task.cancelling() == 0)


async def wait_for(future: "asyncio.Future[T]", token: CancelToken | None) -> T:
    """The future's result; fails it and raises OperationCanceled if the token fires first."""
    if token is None:
        return await future
    token.raise_if_cancelled()

    def stop() -> None:
        if not future.done():
            future.set_exception(OperationCanceled(token))

    unregister = token.on_cancel(stop)
    try:
        return await future
    finally:
        unregister()
