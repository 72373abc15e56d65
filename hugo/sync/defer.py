"""Calls at the end of a block; several in one `with` run latest first."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import ParamSpec

from hugo.result import MaybeAwaitable
from hugo.result.awaiting import settled

P = ParamSpec("P")


@contextmanager
def defer(call: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> Iterator[None]:
    """Calls `call(*args, **kwargs)` when the block ends, however it ends."""
    try:
        yield
    finally:
        call(*args, **kwargs)


@asynccontextmanager
async def defer_async(
    call: Callable[P, MaybeAwaitable[object]], *args: P.args, **kwargs: P.kwargs
) -> AsyncIterator[None]:
    """The same for a call that may return an awaitable, which is awaited."""
    try:
        yield
    finally:
        await settled(call(*args, **kwargs))
