"""What belongs to one event loop says so to another one, and to other threads."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from hugo.cancellation import CancelToken
from hugo.channels import Channel, ChannelReader, PrioritizedChannel
from hugo.loops import LoopOwned, WrongLoop
from hugo.sync import ErrGroup, Mutex, Once, RwMutex, WaitGroup
from hugo.task_queue import TaskQueue


async def add(group: WaitGroup) -> None:
    group.add()
    group.done()


async def go(group: ErrGroup) -> None:
    group.go(asyncio.sleep, 0)
    await group.wait()


async def hold(lock: Mutex | RwMutex) -> None:
    async with lock.lock():
        pass


async def share(lock: RwMutex) -> None:
    async with lock.rlock():
        pass


async def pass_on(channel: Channel[int] | PrioritizedChannel[int]) -> None:
    channel.writer.try_write(1)
    await channel.reader.read()


async def lease(queue: TaskQueue[int]) -> None:
    await queue.enqueue(1)
    await (await queue.lease()).complete()


async def follow(token: CancelToken) -> None:
    token.on_cancel(lambda: None)


USES: list[tuple[Callable[[], Any], Callable[[Any], Awaitable[None]]]] = [
    (WaitGroup, add),
    (ErrGroup, go),
    (Mutex, hold),
    (RwMutex, hold),
    (RwMutex, share),
    (Once, lambda once: once.do_async(lambda: asyncio.sleep(0))),
    (Channel, pass_on),
    (PrioritizedChannel, pass_on),
    (TaskQueue, lease),
    (CancelToken, follow),
]


@pytest.mark.parametrize(("make", "use"), USES, ids=[f"{make.__name__}-{use.__name__}" for make, use in USES])
async def test_another_loop_is_refused(make: Callable[[], Any], use: Callable[[Any], Awaitable[None]]) -> None:
    thing = make()
    await use(thing)
    with pytest.raises(WrongLoop, match=r"belongs to the event loop that first used it"):
        await asyncio.to_thread(lambda: asyncio.run(as_coroutine(use, thing)))
    # It still works where it belongs.
    await use(thing)


async def as_coroutine(use: Callable[[Any], Awaitable[None]], thing: Any) -> None:
    await use(thing)


async def test_a_thread_without_a_loop_is_refused_and_told_what_to_do() -> None:
    channel: Channel[int] = Channel()
    channel.writer.try_write(1)
    with pytest.raises(WrongLoop, match=r"no event loop runs here\. Use loop\.call_soon_threadsafe"):
        await asyncio.to_thread(channel.reader.try_read)


def test_nothing_that_belongs_to_a_loop_is_left_out() -> None:
    used = {make for make, _ in USES} - {Channel, PrioritizedChannel}
    assert every_subclass(LoopOwned) - {LoopOwned, ChannelReader} == used


def every_subclass(kind: type) -> set[type]:
    return {kind}.union(*(every_subclass(sub) for sub in kind.__subclasses__()))
