"""What a type checker infers for channels, select, groups and queues; see `tests/hugo/result/`."""

import asyncio
from datetime import datetime
from typing import assert_type

from hugo.cancellation import CancelToken
from hugo.channels import Channel, ChannelReader, PrioritizedChannel, Slot
from hugo.result import Result
from hugo.select import Case, SelectBuilder, broadcast, merge, on, select_fan_in
from hugo.sync import ErrGroup, Pool, WaitGroup, run
from hugo.task_queue import SafeLease, SafeTaskQueue, TaskQueue, TaskQueueChannelAdapter, TaskQueueLease
from hugo.timers import after


async def length(word: str) -> int:
    return len(word)


def with_token(word: str, token: CancelToken) -> int:
    return len(word) + int(token.cancelled)


async def channels(channel: Channel[int], lanes: PrioritizedChannel[str]) -> None:
    assert_type(await channel.reader.read(), int)
    assert_type(channel.reader.try_read(), int | None)
    assert_type(channel.reader.try_read("nothing"), int | str)
    assert_type([item async for item in channel.reader], list[int])
    assert_type(await channel.writer.reserve(), Slot[int])
    assert_type(await lanes.reader.read(), str)
    assert_type(await after(1).read(), datetime)
    channel.writer.try_write("seven")  # type: ignore[arg-type]
    lanes.writer.try_write(7)  # type: ignore[arg-type]


async def selects(words: ChannelReader[str]) -> None:
    assert_type(on(words, len), Case[str])
    assert_type(on(words, with_token, linked=True), Case[str])
    on(words, with_token)  # type: ignore[arg-type]
    builder: SelectBuilder[int] = SelectBuilder()
    assert_type(await builder.case(words, length).case(words, with_token, linked=True).execute(), Result[int])
    assert_type(merge([words]), ChannelReader[str])
    assert_type(broadcast(words, 2), list[ChannelReader[str]])
    assert_type(await select_fan_in([words], length), Result[None])


async def groups() -> None:
    assert_type(run(length, "word"), asyncio.Task[int])
    assert_type(WaitGroup().go(length, "word"), asyncio.Task[int])
    assert_type(await WaitGroup().track(length("word")), int)
    assert_type(await ErrGroup().wait(), Result[None])
    assert_type(Pool(bytearray).get(), bytearray)


async def queues(queue: TaskQueue[str]) -> None:
    assert_type(await queue.lease(), TaskQueueLease[str])
    assert_type((await queue.lease()).value, str)
    assert_type(await SafeTaskQueue(queue).lease(), Result[SafeLease[str]])
    async with TaskQueueChannelAdapter(queue) as adapter:
        assert_type(await adapter.reader.read(), TaskQueueLease[str])
    await queue.enqueue(7)  # type: ignore[arg-type]
