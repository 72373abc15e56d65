"""Locks for tasks: in order, released once, and lost to nobody who is cancelled."""

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from hugo.cancellation import CancelToken, OperationCanceled
from hugo.clock import settle
from hugo.sync import Mutex, RwMutex
from tests.hugo.stepping import Run, at_each_step


async def test_a_mutex_is_held_by_one_at_a_time_in_the_order_of_asking() -> None:
    mutex, log = Mutex(), []

    async def work(number: int) -> None:
        async with mutex.lock():
            log.append(("in", number))
            await settle(2)
            log.append(("out", number))

    await asyncio.gather(*(work(number) for number in range(3)))
    assert log == [(what, number) for number in range(3) for what in ("in", "out")]
    assert not mutex.locked


async def test_a_mutex_is_released_by_an_exception_and_only_once() -> None:
    mutex = Mutex()
    with pytest.raises(KeyError):
        async with mutex.lock():
            raise KeyError
    release = await mutex.acquire()
    release()
    second = await mutex.acquire()
    release()
    assert mutex.locked
    second()
    assert not mutex.locked


@pytest.mark.parametrize("take", [lambda: Mutex().acquire, lambda: RwMutex().acquire])
async def test_a_token_ends_the_wait_for_a_lock(take: Callable[[], Any]) -> None:
    acquire, token = take(), CancelToken()
    release = await acquire()
    waiting = asyncio.create_task(acquire(token))
    await settle()
    token.cancel()
    with pytest.raises(OperationCanceled):
        await waiting
    release()
    with pytest.raises(OperationCanceled):
        await acquire(token)
    (await acquire())()


async def test_a_mutex_is_passed_on_by_who_is_cancelled_at_any_await() -> None:
    async def scenario(run: Run) -> None:
        mutex = Mutex()
        release = await mutex.acquire()
        other = asyncio.create_task(settle(2))
        other.add_done_callback(lambda _: release())

        async def work() -> None:
            async with mutex.lock():
                await asyncio.sleep(0)

        await run(work())
        await other
        await settle()
        assert not mutex.locked

    assert await at_each_step(scenario) == 4


async def test_readers_share_and_a_writer_is_alone() -> None:
    lock, log = RwMutex(), []

    async def read(name: str) -> None:
        async with lock.rlock():
            log.append(f"+{name}")
            await settle(3)
            log.append(f"-{name}")

    async def write(name: str) -> None:
        async with lock.lock():
            log.append(f"+{name}")
            await settle(3)
            log.append(f"-{name}")

    await asyncio.gather(read("r1"), read("r2"), write("w1"), read("r3"), write("w2"))
    # Writers come first: r3 asked before w2, and waits for both.
    assert log == ["+r1", "+r2", "-r1", "-r2", "+w1", "-w1", "+w2", "-w2", "+r3", "-r3"]


async def test_readers_need_not_wait_for_a_writer_that_gave_up() -> None:
    lock = RwMutex()
    release = await lock.acquire_read()
    writer = asyncio.create_task(lock.acquire())
    await settle()
    reader = asyncio.create_task(lock.acquire_read())
    await settle()
    assert not reader.done()
    writer.cancel()
    (await reader)()
    release()
    (await lock.acquire())()


async def test_a_share_is_given_back_once() -> None:
    lock = RwMutex()
    first, second = await lock.acquire_read(), await lock.acquire_read()
    first()
    first()
    writer = asyncio.create_task(lock.acquire())
    await settle()
    assert not writer.done()
    second()
    (await writer)()


@pytest.mark.parametrize("kind", ["read", "write"])
@pytest.mark.parametrize("held", ["read", "write"])
async def test_a_read_write_lock_is_free_after_any_cancellation(kind: str, held: str) -> None:
    async def scenario(run: Run) -> None:
        lock = RwMutex()
        release = await (lock.acquire() if held == "write" else lock.acquire_read())
        waiting_writer = asyncio.create_task(lock.acquire())
        await settle()
        other = asyncio.create_task(settle(2))
        other.add_done_callback(lambda _: release())

        async def work() -> None:
            async with lock.rlock() if kind == "read" else lock.lock():
                await asyncio.sleep(0)

        steps = asyncio.create_task(settle(20))
        waiting_writer.add_done_callback(lambda writer: writer.result()())
        await run(work())
        await steps
        async with lock.lock():
            pass

    assert await at_each_step(scenario) == 4
