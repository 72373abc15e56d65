"""An operation that has only so much time."""

import asyncio
import logging
from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar

from hugo.cancellation import CancelToken
from hugo.clock import SYSTEM_CLOCK, Clock
from hugo.errors import Error, ErrorCode
from hugo.result.awaiting import MaybeAwaitable
from hugo.result.capture import attempt
from hugo.result.core import Result, err
from hugo.shield import to_the_end

log = logging.getLogger(__name__)

T = TypeVar("T")

# The event loop holds tasks weakly, and nobody awaits an operation that outlived its time.
_let_go: set[asyncio.Task[Any]] = set()


async def with_timeout(
    op: Callable[[CancelToken], MaybeAwaitable[Result[T]]],
    seconds: float | None,
    *,
    grace: float | None = 0.0,
    clock: Clock | None = None,
    token: CancelToken | None = None,
) -> Result[T]:
    """The operation's result, or `error.timeout` after `seconds`, or `error.canceled` when `token` fires first.

    None means no limit. When its time is over, the operation's own token fires; it then has `grace` seconds to end by
    itself, None being as long as it takes, before its task is cancelled and nobody waits for it any longer. How it ends
    after its time does not matter; an error is logged. What it raises within its time is the error `error.exception`.
    If the calling task is cancelled, the operation is too, and that is raised once it has ended.
    """
    clock = clock or SYSTEM_CLOCK
    if token is not None and token.cancelled:
        return err(Error.canceled(token=token))
    with CancelToken.linked(token) as own:
        task: asyncio.Task[Result[T]] = asyncio.ensure_future(attempt(partial(op, own), own))
        try:
            await ended_within(task, seconds, clock, token)
            if task.done():
                return await task
            over = Error.timeout(seconds) if token is None or not token.cancelled else Error.canceled(token=token)
            own.cancel(over.message)
            if grace != 0:
                await ended_within(task, grace, clock, None)
            return err(over)
        except asyncio.CancelledError:
            own.cancel("The caller was cancelled.")
            task.cancel()
            await to_the_end(asyncio.wait({task}))
            raise
        finally:
            if not task.done():
                own.cancel("The operation is no longer waited for.")
                _cancel(task)


async def ended_within(task: asyncio.Task[Any], seconds: float | None, clock: Clock, token: CancelToken | None) -> None:
    """Returns when the task is done, the seconds are over or the token has fired, whatever is first."""
    woken = asyncio.get_running_loop().create_future()

    def wake(_: object = None) -> None:
        if not woken.done():
            woken.set_result(None)

    task.add_done_callback(wake)
    timer = None if seconds is None else clock.call_later(seconds, wake)
    unregister = None if token is None else token.on_cancel(wake)
    try:
        await woken
    finally:
        task.remove_done_callback(wake)
        if timer is not None:
            timer.cancel()
        if unregister is not None:
            unregister()


def _cancel(task: asyncio.Task[Result[T]]) -> None:
    """Cancels the task without waiting for it."""

    def ended(task: asyncio.Task[Result[T]]) -> None:
        _let_go.discard(task)
        error = None if task.cancelled() else task.result().error
        if error is not None and error.code != ErrorCode.CANCELED:
            log.warning("An operation failed after its time was over: %s", error)

    _let_go.add(task)
    task.add_done_callback(ended)
    task.cancel()
