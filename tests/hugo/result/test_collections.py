"""Many results as one."""

import asyncio
from collections.abc import AsyncIterator, Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hugo.cancellation import CancelToken
from hugo.errors import Error, ErrorCode
from hugo.result import (
    Result,
    collect_errors,
    err,
    group,
    ok,
    partition,
    sequence,
    sequence_async,
    traverse,
    traverse_async,
    window,
)

NO, NEVER = err("no"), err("never")


def once(*items: Result[int]) -> Iterator[Result[int]]:
    """Yields the items, and must not be asked for more."""
    yield from items
    raise AssertionError("Nothing is read after the first failure.")


async def arriving(*items: Result[int]) -> AsyncIterator[Result[int]]:
    for item in items:
        await asyncio.sleep(0)
        yield item


async def test_a_sequence_ends_at_the_first_failure() -> None:
    assert sequence([ok(1), ok(2)]) == ok([1, 2])
    assert sequence(once(ok(1), NO)) is NO
    assert await sequence_async(arriving(ok(1), ok(2))) == ok([1, 2])
    assert await sequence_async(arriving(ok(1), NO, NEVER)) is NO


def test_traversing_goes_on_one_by_one_and_lets_exceptions_through() -> None:
    seen: list[int] = []

    def step(item: int) -> Result[int]:
        seen.append(item)
        return NO if item == 2 else ok(-item)

    assert traverse([1, 3], step) == ok([-1, -3])
    assert traverse([1, 2, 3], step) is NO
    assert seen == [1, 3, 1, 2]
    with pytest.raises(ZeroDivisionError):
        traverse([0], lambda item: ok(1 // item))


@pytest.mark.parametrize("concurrency", [1, 3])
@given(items=some.lists(some.integers(-50, 50), max_size=20))
async def test_an_asynchronous_traversal_agrees_with_the_synchronous_one(concurrency: int, items: list[int]) -> None:
    failures = {item: err(f"{item} is negative") for item in items}

    def step(item: int) -> Result[str]:
        return ok(str(item)) if item >= 0 else failures[item]

    async def later(item: int) -> Result[str]:
        for _ in range(abs(item) % 5):
            await asyncio.sleep(0)
        return step(item)

    traversed = await traverse_async(items, later, concurrency=concurrency)
    if concurrency == 1 or traverse(items, step).is_ok:
        assert traversed == traverse(items, step)
    else:
        assert traversed in failures.values()


async def test_no_more_items_are_taken_at_once_than_allowed() -> None:
    active, most = 0, 0

    async def step(item: int) -> Result[int]:
        nonlocal active, most
        active += 1
        most = max(most, active)
        await asyncio.sleep(0)
        active -= 1
        return ok(item)

    async def numbers() -> AsyncIterator[int]:
        for number in range(20):
            yield number

    assert await traverse_async(numbers(), step, concurrency=3) == ok(list(range(20)))
    assert most == 3
    with pytest.raises(ValueError):
        await traverse_async([1], step, concurrency=0)


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_what_a_traversal_raises_is_an_error(concurrency: int) -> None:
    async def step(item: int) -> Result[int]:
        return ok(1 // item)

    async def broken() -> AsyncIterator[int]:
        yield 1
        raise KeyError("gone")

    for result in (
        await traverse_async([1, 0], step, concurrency=concurrency),
        await traverse_async(broken(), step, concurrency=concurrency),
    ):
        assert result.error is not None
        assert result.error.code == ErrorCode.EXCEPTION


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_a_token_stops_a_traversal_and_the_task_cancellation_propagates(concurrency: int) -> None:
    token, begun = CancelToken(), asyncio.Event()

    async def wait(_: int) -> Result[int]:
        begun.set()
        await token.wait()
        token.raise_if_cancelled()
        return ok(1)

    running = asyncio.ensure_future(traverse_async(range(9), wait, token=token, concurrency=concurrency))
    await begun.wait()
    token.cancel()
    error = (await running).error
    assert error is not None
    assert error.code == ErrorCode.CANCELED

    token = CancelToken()
    begun.clear()
    running = asyncio.ensure_future(traverse_async(range(9), wait, token=token, concurrency=concurrency))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running


def test_groups_keep_the_order() -> None:
    assert group([ok("bb"), ok("a"), ok("cc")], len) == ok({2: ["bb", "cc"], 1: ["a"]})
    assert list(group([ok("bb"), ok("a")], len).unwrap()) == [2, 1]
    assert group(once(ok(1), NO), str) is NO


def test_a_partition_splits_values() -> None:
    assert partition([ok(1), ok(2), ok(3)], lambda value: value % 2) == ok(([1, 3], [2]))
    assert partition([], bool) == ok(([], []))
    assert partition(once(NO), bool) is NO


def test_windows_tumble() -> None:
    assert window(map(ok, range(5)), 2) == ok([[0, 1], [2, 3], [4]])
    assert window(once(NO), 2) is NO
    with pytest.raises(ValueError):
        window([], 0)


def test_errors_are_collected() -> None:
    assert collect_errors([ok(1), ok(2)]) == ok([1, 2])
    assert collect_errors([ok(1), NO]) == NO
    several = collect_errors([NO, ok(1), NEVER]).error
    assert several is not None
    assert several.code == ErrorCode.AGGREGATE
    errors: list[Error] | None = several.get("errors", list)
    assert errors == [NO.error, NEVER.error]
