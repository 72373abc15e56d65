"""Streams of results made of streams: each ends after its first failure."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, AsyncIterator, Callable
from contextlib import aclosing
from functools import partial
from typing import TypeVar

from hugo.cancellation import CancelToken
from hugo.clock import SYSTEM_CLOCK, Clock
from hugo.result.awaiting import MaybeAwaitable
from hugo.result.capture import attempt
from hugo.result.core import Result, ok
from hugo.result.failure import Err
from hugo.result.timeout import ended_within

T = TypeVar("T")
U = TypeVar("U")


async def map_stream(
    source: AsyncIterable[T], step: Callable[[T], MaybeAwaitable[Result[U]]], *, token: CancelToken | None = None
) -> AsyncGenerator[Result[U], None]:
    """The result of the step for each item, up to the first failure.

    What the step raises is `error.exception`, and `token` stops it with `error.canceled`.
    """
    async for item in source:
        result = await attempt(partial(step, item), token)
        yield result
        if result.is_err:
            return


async def flat_map_stream(
    source: AsyncIterable[T], step: Callable[[T], AsyncIterable[Result[U]]], *, token: CancelToken | None = None
) -> AsyncGenerator[Result[U], None]:
    """The results of the streams that the step makes, one stream after the other, up to the first failure."""
    async for item in source:
        async with aclosing(map_stream(step(item), _same, token=token)) as results:
            async for result in results:
                yield result
                if result.is_err:
                    return


async def filter_stream(
    source: AsyncIterable[Result[T]], holds: Callable[[T], object]
) -> AsyncGenerator[Result[T], None]:
    """The successes for which `holds` is true, and all failures."""
    async for result in source:
        if isinstance(result, Err) or holds(result.value):
            yield result


async def window_stream(
    source: AsyncIterable[Result[T]], size: int, *, flush: float | None = None, clock: Clock | None = None
) -> AsyncGenerator[Result[list[T]], None]:
    """The values in chunks of `size`, or fewer when nothing came for `flush` seconds, at a failure, and at the end.

    Ends after the first failure. Raises ValueError unless `size` is positive.
    """
    if size < 1:
        raise ValueError("A window holds at least one item.")
    clock = clock or SYSTEM_CLOCK
    values: list[T] = []
    iterator = aiter(source)
    while True:
        task = asyncio.ensure_future(_next(iterator))
        try:
            await ended_within(task, flush if values else None, clock, None)
            if not task.done():
                yield ok(values)
                values = []
                await ended_within(task, None, clock, None)
            result = task.result()
        finally:
            task.cancel()
        if isinstance(result, Err) or result is None:
            if values:
                yield ok(values)
            if result is not None:
                yield result
            return
        values.append(result.value)
        if len(values) == size:
            yield ok(values)
            values = []


async def _next(iterator: AsyncIterator[Result[T]]) -> Result[T] | None:
    return await anext(iterator, None)


def _same(result: Result[T]) -> Result[T]:
    return result
