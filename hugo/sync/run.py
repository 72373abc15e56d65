"""Work started as a task of its own."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hugo.cancellation import CancelToken

T = TypeVar("T")

# The event loop holds its tasks weakly, and a task nobody holds may vanish before it ends.
_running: set["asyncio.Task[Any]"] = set()


def run(
    fn: Callable[..., Awaitable[T]], *args: Any, token: CancelToken | None = None, name: str | None = None
) -> "asyncio.Task[T]":
    """Starts `fn(*args)` as a task, which lives until it ends even if nobody keeps it.

    If the token has fired, `fn` is not called and the task ends cancelled. Later it is for `fn` to heed the token.
    """
    loop = asyncio.get_running_loop()
    work = fn(*args) if token is None or not token.cancelled else _refused(token)
    task = loop.create_task(work if asyncio.iscoroutine(work) else _awaited(work), name=name)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task


async def _refused(token: CancelToken) -> Any:
    token.raise_if_cancelled()


async def _awaited(work: Awaitable[T]) -> T:
    return await work
