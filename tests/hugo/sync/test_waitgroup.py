"""A wait group counts, and waits for zero."""

import asyncio
import logging

import pytest

from hugo.cancellation import CancelToken, OperationCanceled
from hugo.clock import FakeClock, settle
from hugo.diagnostics import configure, reset
from hugo.diagnostics.instruments import WAITGROUP_ADDITIONS, WAITGROUP_COMPLETIONS, WAITGROUP_OUTSTANDING
from hugo.diagnostics.memory import Recorded
from hugo.sync import WaitGroup
from tests.hugo.stepping import Run, at_each_step


async def test_waiting_ends_when_the_count_is_back_at_zero_and_begins_anew_after() -> None:
    group = WaitGroup()
    for _ in range(2):
        group.add(2)
        waiting = asyncio.create_task(group.wait())
        group.done()
        await settle()
        assert not waiting.done()
        group.done()
        assert await waiting is True


@pytest.mark.parametrize("delta", [0, -1])
def test_only_a_positive_number_is_added(delta: int) -> None:
    with pytest.raises(ValueError):
        WaitGroup().add(delta)


def test_the_count_never_becomes_negative() -> None:
    group = WaitGroup()
    group.add()
    group.done()
    with pytest.raises(RuntimeError, match="cannot become negative"):
        group.done()
    assert group.count == 0


async def test_a_timeout_ends_the_waiting_and_not_the_work() -> None:
    clock, group = FakeClock(), WaitGroup()
    task = group.go(asyncio.Event().wait)
    waiting = asyncio.create_task(group.wait(5, clock=clock))
    await clock.advance_and_settle(4)
    assert not waiting.done()
    await clock.advance_and_settle(1)
    assert await waiting is False
    assert not task.done()
    with pytest.raises(ValueError):
        await group.wait(-1)
    task.cancel()
    assert await group.wait(float("inf"), clock=clock) is True
    assert clock.next_due is None


async def test_a_token_ends_the_waiting_and_is_looked_at_even_when_there_is_nothing_to_wait_for() -> None:
    group, token = WaitGroup(), CancelToken()
    group.add()
    waiting = asyncio.create_task(group.wait(token=token))
    await settle()
    token.cancel()
    with pytest.raises(OperationCanceled):
        await waiting
    group.done()
    with pytest.raises(OperationCanceled):
        await group.wait(token=token)


async def test_success_failure_and_cancellation_are_all_the_same_to_it(caplog: pytest.LogCaptureFixture) -> None:
    async def fail() -> None:
        raise KeyError("gone")

    caplog.set_level(logging.ERROR)
    async with WaitGroup() as group:
        group.go(asyncio.sleep, 0)
        group.go(fail)
        group.go(asyncio.Event().wait).cancel()
        group.track(asyncio.ensure_future(asyncio.sleep(0)))
        coroutine = group.track(asyncio.sleep(0, "slept"))
        assert group.count == 5
    assert group.count == 0
    assert coroutine.result() == "slept"
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [KeyError]


async def test_work_whose_token_has_fired_is_counted_and_not_begun() -> None:
    token, begun = CancelToken(), []

    async def begin() -> None:
        begun.append(1)

    token.cancel()
    group = WaitGroup()
    task = group.go(begin, token=token, name="never")
    assert group.count == 1
    await group.wait()
    assert task.cancelled()
    assert begun == []


async def test_a_waiter_that_is_cancelled_leaves_the_group_as_it_was() -> None:
    async def scenario(run: Run) -> None:
        group = WaitGroup()
        group.add()
        other = asyncio.create_task(settle(2))
        other.add_done_callback(lambda _: group.done())
        await run(group.wait())
        await other
        await settle()
        assert await group.wait() is True

    assert await at_each_step(scenario) == 2


async def test_additions_completions_and_what_is_outstanding_are_measured() -> None:
    recorded = Recorded()
    configure(recorder=recorded)
    try:
        group = WaitGroup()
        group.add(3)
        group.done()
    finally:
        reset()
    assert recorded.total(WAITGROUP_ADDITIONS) == 3
    assert recorded.total(WAITGROUP_COMPLETIONS) == 1
    assert recorded.total(WAITGROUP_OUTSTANDING) == 2
