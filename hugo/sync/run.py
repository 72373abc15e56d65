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

    If the token has fired by then, `fn` is not called and the task is cancelled. Later it is for `fn` to heed it.
    """

    async def begin() -> T:
        if token is not None:
            token.raise_if_cancelled()
        return await fn(*args)

    task = asyncio.get_running_loop().create_task(begin(), name=name)
    _running.add(task)
    task.add_done_callback(_running.discard)
    return task
