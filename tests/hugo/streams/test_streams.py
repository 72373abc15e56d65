"""Streams of results: made of others, consumed, and carried over channels."""

import asyncio
from collections.abc import AsyncIterator
from typing import TypeVar

import pytest

from hugo.cancellation import CancelToken
from hugo.channels import Channel
from hugo.clock import FakeClock, settle
from hugo.errors import ErrorCode
from hugo.result import Result, err, ok
from hugo.streams import (
    collect,
    filter_stream,
    flat_map_stream,
    for_each,
    map_stream,
    merge_streams,
    partition_stream,
    read_all,
    tap_each,
    to_channel,
    window_stream,
)

T = TypeVar("T")
NO, ALSO_NO = err("no"), err("also no")


async def stream(*items: T) -> AsyncIterator[T]:
    for item in items:
        await asyncio.sleep(0)
        yield item


async def broken() -> AsyncIterator[Result[int]]:
    yield ok(1)
    raise KeyError("gone")


async def everything(source: AsyncIterator[T]) -> list[T]:
    return [item async for item in source]


def code(result: Result[object]) -> str | None:
    assert result.error is not None
    return result.error.code


async def test_a_mapped_stream_ends_after_its_first_failure() -> None:
    async def step(item: int) -> Result[int]:
        return NO if item == 2 else ok(-item)

    assert await everything(map_stream(stream(1, 2, 3), step)) == [ok(-1), NO]
    assert await everything(map_stream(stream(1, 3), step)) == [ok(-1), ok(-3)]


async def test_what_a_step_raises_and_the_token_are_failures_of_the_stream() -> None:
    token = CancelToken()
    (raised,) = await everything(map_stream(stream(0), lambda item: ok(1 // item)))
    assert code(raised) == ErrorCode.EXCEPTION
    token.cancel()
    (stopped,) = await everything(map_stream(stream(1, 2), ok, token=token))
    assert code(stopped) == ErrorCode.CANCELED


async def test_a_flattened_stream_ends_after_its_first_failure() -> None:
    def step(item: int) -> AsyncIterator[Result[int]]:
        return stream(ok(item), NO if item == 2 else ok(-item))

    assert await everything(flat_map_stream(stream(1, 2, 3), step)) == [ok(1), ok(-1), ok(2), NO]


async def test_a_filter_lets_failures_pass() -> None:
    filtered = filter_stream(stream(ok(1), NO, ok(2), ok(3)), lambda value: value % 2)
    assert await everything(filtered) == [ok(1), NO, ok(3)]


async def test_windows_keep_what_came_before_a_failure() -> None:
    assert await everything(window_stream(stream(*map(ok, range(5))), 2)) == [ok([0, 1]), ok([2, 3]), ok([4])]
    assert await everything(window_stream(stream(ok(1), ok(2), ok(3), NO, ok(4)), 2)) == [ok([1, 2]), ok([3]), NO]
    assert await everything(window_stream(stream(ok(1), ok(2)), 2)) == [ok([1, 2])]
    with pytest.raises(ValueError):
        await everything(window_stream(stream(ok(1)), 0))


async def test_a_window_is_flushed_when_nothing_comes_for_a_while() -> None:
    clock = FakeClock()
    channel: Channel[Result[int]] = Channel()
    windows: list[Result[list[int]]] = []

    async def gather() -> None:
        async for chunk in window_stream(channel.reader, 3, flush=5, clock=clock):
            windows.append(chunk)

    gathering = asyncio.ensure_future(gather())
    channel.writer.try_write(ok(1))
    await clock.advance_and_settle(4)
    channel.writer.try_write(ok(2))
    await clock.advance_and_settle(4)
    assert windows == []
    await clock.advance_and_settle(1)
    assert windows == [ok([1, 2])]
    await clock.advance_and_settle(100)
    channel.writer.try_write(ok(3))
    channel.writer.try_complete()
    await gathering
    assert windows == [ok([1, 2]), ok([3])]


async def test_for_each_stops_at_the_first_failure() -> None:
    seen: list[int] = []

    async def step(item: int) -> Result[None]:
        seen.append(item)
        return NO if item == 2 else ok()

    assert await for_each(stream(ok(1), ok(3)), step) == ok()
    assert await for_each(stream(ok(1), ok(2), ok(3)), step) is NO
    assert await for_each(stream(ok(4), ALSO_NO, ok(5)), step) is ALSO_NO
    assert seen == [1, 3, 1, 2, 4]
    assert code(await for_each(broken(), lambda _: ok())) == ErrorCode.EXCEPTION


async def test_tapping_goes_through_the_whole_stream() -> None:
    seen: list[object] = []
    results = [ok(1), NO, ok(2), ALSO_NO]
    assert await tap_each(stream(*results), seen.append, seen.append) == NO
    assert seen == [1, NO.error, 2, ALSO_NO.error]
    aggregate = await tap_each(stream(*results), errors="aggregate")
    assert aggregate.error is not None
    assert aggregate.error.get("errors") == [NO.error, ALSO_NO.error]
    assert await tap_each(stream(*results), errors="ignore") == ok()
    token = CancelToken()
    stopped = await tap_each(stream(ok(1), ok(2)), lambda _: token.cancel(), token=token)
    assert code(stopped) == ErrorCode.CANCELED


async def test_collecting_takes_all_values_or_all_errors() -> None:
    assert await collect(stream(ok(1), ok(2))) == ok([1, 2])
    assert code(await collect(stream(NO, ok(1), ALSO_NO))) == ErrorCode.AGGREGATE


async def test_a_channel_gets_every_result_and_is_completed() -> None:
    channel: Channel[Result[int]] = Channel()
    assert await to_channel(stream(ok(1), NO, ok(2)), channel.writer) == ok()
    assert await everything(read_all(channel.reader)) == [ok(1), NO, ok(2)]

    channel = Channel()
    assert code(await to_channel(broken(), channel.writer)) == ErrorCode.EXCEPTION
    first, last = await everything(read_all(channel.reader))
    assert (first, code(last)) == (ok(1), ErrorCode.EXCEPTION)


async def test_a_token_ends_both_ways_with_a_cancellation() -> None:
    token = CancelToken()
    channel: Channel[Result[int]] = Channel(2)
    writing = asyncio.ensure_future(to_channel(stream(ok(1), ok(2), ok(3)), channel.writer, token=token))
    await settle()
    token.cancel()
    assert code(await writing) == ErrorCode.CANCELED
    assert channel.writer.completed

    other: Channel[Result[int]] = Channel()
    other.writer.try_write(ok(1))
    stopped = CancelToken()
    results: list[Result[int]] = []
    async for result in read_all(other.reader, token=stopped):
        results.append(result)
        stopped.cancel()
    assert results[0] == ok(1)
    assert code(results[1]) == ErrorCode.CANCELED


async def test_a_partition_sends_failures_to_the_others() -> None:
    odd: Channel[Result[int]] = Channel()
    others: Channel[Result[int]] = Channel()
    source = stream(ok(1), ok(2), NO, ok(3))
    assert await partition_stream(source, lambda value: value % 2, odd.writer, others.writer) == ok()
    assert await everything(read_all(odd.reader)) == [ok(1), ok(3)]
    assert await everything(read_all(others.reader)) == [ok(2), NO]


async def test_merged_streams_keep_the_order_of_each() -> None:
    merged = await everything(merge_streams([stream(ok(1), ok(2)), stream(ok(-1), NO, ok(-2))]))
    assert [result for result in merged if result.is_err or result.unwrap() < 0] == [ok(-1), NO, ok(-2)]
    assert [result for result in merged if result.is_ok and result.unwrap() > 0] == [ok(1), ok(2)]
    assert await everything(merge_streams([])) == []


async def test_what_one_of_merged_streams_raises_is_its_last_result() -> None:
    merged = await everything(merge_streams([broken(), stream(ok(7))]))
    assert ok(7) in merged
    assert [code(result) for result in merged if result.is_err] == [ErrorCode.EXCEPTION]


async def test_nobody_reads_on_after_a_merge_is_left() -> None:
    ended = asyncio.Event()

    async def endless() -> AsyncIterator[Result[int]]:
        try:
            while True:
                await asyncio.sleep(0)
                yield ok(1)
        finally:
            ended.set()

    merged = merge_streams([endless()])
    await anext(merged)
    await merged.aclose()
    await asyncio.wait_for(ended.wait(), 30)
