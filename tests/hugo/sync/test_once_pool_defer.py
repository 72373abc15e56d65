"""What runs once, what is kept for later, and what runs last."""

import asyncio

import pytest

from hugo.cancellation import CancelToken
from hugo.clock import settle
from hugo.sync import Once, Pool, defer, defer_async, run


async def test_once_runs_the_first_action_and_no_other() -> None:
    once, done = Once(), []
    once.do(lambda: done.append(1))
    once.do(lambda: done.append(2))
    assert done == [1]


async def test_others_wait_until_the_first_has_finished() -> None:
    once, done, finish = Once(), [], asyncio.Event()

    async def act() -> None:
        await finish.wait()
        done.append("first")

    async def follow() -> None:
        await once.do_async(act)
        done.append("follower")

    first, second = asyncio.create_task(once.do_async(act)), asyncio.create_task(follow())
    await settle()
    with pytest.raises(RuntimeError):
        once.do(lambda: None)
    finish.set()
    await asyncio.gather(first, second)
    assert done == ["first", "follower"]
    once.do(lambda: done.append("never"))
    assert done == ["first", "follower"]


async def test_a_failure_reaches_the_first_caller_only_and_there_is_no_second_try() -> None:
    once, done = Once(), []

    async def act() -> None:
        done.append(1)
        raise KeyError

    with pytest.raises(KeyError):
        await once.do_async(act)
    await once.do_async(act)
    assert done == [1]
    other = Once()
    with pytest.raises(IndexError):
        other.do([].pop)
    other.do([].pop)


def test_a_pool_keeps_what_is_put_and_makes_what_is_missing() -> None:
    made: list[object] = []

    def make() -> object:
        made.append(object())
        return made[-1]

    pool: Pool[object] = Pool(make, max_capacity=1)
    first, second = pool.get(), pool.get()
    pool.put(first)
    pool.put(second)
    assert pool.count == 1
    assert pool.get() is first
    assert len(made) == 2
    pool.put(second)
    assert pool.clear() == 1
    assert pool.count == 0


def test_a_pool_refuses_what_it_cannot_do() -> None:
    pool: Pool[object] = Pool()
    with pytest.raises(RuntimeError):
        pool.get()
    with pytest.raises(ValueError):
        pool.put(None)
    with pytest.raises(ValueError):
        Pool(max_capacity=0)


def test_deferred_calls_run_latest_first_whatever_happens() -> None:
    done: list[int] = []
    with pytest.raises(KeyError), defer(done.append, 1), defer(done.append, 2):
        raise KeyError
    assert done == [2, 1]


async def test_a_deferred_call_may_be_awaited() -> None:
    done: list[int] = []

    async def finish(number: int) -> None:
        await asyncio.sleep(0)
        done.append(number)

    async with defer_async(finish, 1), defer_async(done.append, 2):
        pass
    assert done == [2, 1]


async def test_run_starts_a_task_that_nobody_needs_to_keep() -> None:
    done = asyncio.Event()

    async def work(value: int) -> int:
        await asyncio.sleep(0)
        done.set()
        return value

    run(work, 1)
    await done.wait()
    assert await run(work, 2, name="named") == 2
    token = CancelToken()
    token.cancel()
    task = run(work, 3, token=token)
    await asyncio.wait([task])
    assert task.cancelled()
