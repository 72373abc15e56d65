"""Many results as one: the first failure wins, unless errors are collected."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Coroutine, Hashable, Iterable
from contextlib import aclosing
from functools import partial
from itertools import count
from typing import Any, TypeVar

from hugo.cancellation import CancelToken
from hugo.errors import Error
from hugo.result.awaiting import MaybeAwaitable
from hugo.result.capture import attempt
from hugo.result.core import Result, err, ok
from hugo.result.failure import Err

T = TypeVar("T")
U = TypeVar("U")
K = TypeVar("K", bound=Hashable)


def sequence(results: Iterable[Result[T]]) -> Result[list[T]]:
    """All values; stops at the first failure, which is returned."""
    return traverse(results, lambda result: result)


def traverse(items: Iterable[T], step: Callable[[T], Result[U]]) -> Result[list[U]]:
    """The value of the step for each item, one after the other; stops at the first failure, which is returned."""
    values: list[U] = []
    for item in items:
        result = step(item)
        if isinstance(result, Err):
            return result
        values.append(result.value)
    return ok(values)


async def sequence_async(results: AsyncIterable[Result[T]], *, token: CancelToken | None = None) -> Result[list[T]]:
    """The same for results that arrive one by one; what the source raises is `error.exception`."""

    async def collected() -> Result[list[T]]:
        values: list[T] = []
        async for result in results:
            if isinstance(result, Err):
                return result
            values.append(result.value)
            if token is not None:
                token.raise_if_cancelled()
        return ok(values)

    return await attempt(collected, token)


async def traverse_async(
    items: Iterable[T] | AsyncIterable[T],
    step: Callable[[T], MaybeAwaitable[Result[U]]],
    *,
    token: CancelToken | None = None,
    concurrency: int = 1,
) -> Result[list[U]]:
    """`traverse` with a step that may be asynchronous, for up to `concurrency` items at once.

    After a failure no further item is taken; of several failures that of the earliest item is returned. What is raised
    is `error.exception`, `token` stops it. Raises ValueError unless `concurrency` is positive.
    """
    if concurrency < 1:
        raise ValueError("At least one item is taken at a time.")
    values: dict[int, U] = {}
    failures: dict[int, Err] = {}
    source = _numbered(items)
    turn = asyncio.Lock()

    async def work() -> None:
        while not failures:
            async with turn:
                try:
                    index, item = await anext(source)
                except StopAsyncIteration:
                    return
            result = await attempt(partial(step, item), token)
            if isinstance(result, Err):
                failures[index] = result
            else:
                values[index] = result.value

    async def worked() -> Result[list[U]]:
        async with aclosing(source):
            await _together([work() for _ in range(concurrency)])
        return failures[min(failures)] if failures else ok([values[index] for index in sorted(values)])

    return await attempt(worked, token)


def group(results: Iterable[Result[T]], key: Callable[[T], K]) -> Result[dict[K, list[T]]]:
    """The values by key, in the order in which the keys appear first."""
    return sequence(results).map(lambda values: _grouped(values, key))


def partition(results: Iterable[Result[T]], holds: Callable[[T], object]) -> Result[tuple[list[T], list[T]]]:
    """The values for which `holds` is true, and the others."""
    return group(results, lambda value: bool(holds(value))).map(
        lambda groups: (groups.get(True, []), groups.get(False, []))
    )


def window(results: Iterable[Result[T]], size: int) -> Result[list[list[T]]]:
    """The values in chunks of `size`, the last of which may be shorter; raises ValueError unless `size` is positive."""
    if size < 1:
        raise ValueError("A window holds at least one item.")
    return sequence(results).map(lambda values: [values[start : start + size] for start in range(0, len(values), size)])


def collect_errors(results: Iterable[Result[T]]) -> Result[list[T]]:
    """All values, or else every error: the only one itself, several as an aggregate."""
    values: list[T] = []
    errors: list[Error] = []
    for result in results:
        result.fold(values.append, errors.append)
    if not errors:
        return ok(values)
    return err(errors[0] if len(errors) == 1 else Error.aggregate("One or more operations failed.", *errors))


def _grouped(values: Iterable[T], key: Callable[[T], K]) -> dict[K, list[T]]:
    groups: dict[K, list[T]] = {}
    for value in values:
        groups.setdefault(key(value), []).append(value)
    return groups


async def _numbered(items: Iterable[T] | AsyncIterable[T]) -> AsyncGenerator[tuple[int, T], None]:
    numbers = count()
    if isinstance(items, AsyncIterable):
        async for item in items:
            yield next(numbers), item
    else:
        for item in items:
            yield next(numbers), item


async def _together(work: list[Coroutine[Any, Any, None]]) -> None:
    """Returns when all is done; if one part raises, the others are cancelled first."""
    tasks = [asyncio.ensure_future(part) for part in work]
    try:
        await asyncio.gather(*tasks)
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
