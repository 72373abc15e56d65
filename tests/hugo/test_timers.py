"""Time that arrives on channels."""

import asyncio
import math
from datetime import datetime

import pytest

from hugo.cancellation import CancelToken, OperationCanceled
from hugo.channels import ChannelClosed
from hugo.clock import FakeClock, settle
from hugo.timers import after, after_async, delay, new_ticker, tick


def seconds(moment: datetime | None) -> float | None:
    """Which second of the fake clock's first minute it is."""
    return None if moment is None else moment.second + 60 * moment.minute


async def test_a_delay_ends_at_its_moment() -> None:
    clock = FakeClock()
    waiting = asyncio.create_task(delay(3, clock=clock))
    await clock.advance_and_settle(2)
    assert not waiting.done()
    await clock.advance_and_settle(1)
    await waiting
    with pytest.raises(ValueError):
        await delay(-1)


async def test_an_infinite_delay_ends_by_its_token_alone() -> None:
    clock, token = FakeClock(), CancelToken()
    waiting = asyncio.create_task(delay(math.inf, clock=clock, token=token))
    await clock.advance_and_settle(1e9)
    assert not waiting.done()
    token.cancel()
    with pytest.raises(OperationCanceled):
        await waiting
    with pytest.raises(OperationCanceled):
        await delay(1, token=token)


async def test_after_yields_one_time_and_ends() -> None:
    clock = FakeClock()
    reader = after(3, clock=clock)
    clock.advance(2)
    assert reader.try_read() is None
    clock.advance(10)
    assert [seconds(moment) async for moment in reader] == [3]
    assert seconds(after(0, clock=clock).try_read()) == 12
    waiting = asyncio.create_task(after_async(1, clock=clock))
    await clock.advance_and_settle(1)
    assert seconds(await waiting) == 13


@pytest.mark.parametrize("wrong", [-1, math.inf, math.nan])
async def test_after_needs_a_finite_time_and_a_ticker_a_positive_one(wrong: float) -> None:
    with pytest.raises(ValueError):
        after(wrong)
    with pytest.raises(ValueError):
        new_ticker(wrong)
    with pytest.raises(ValueError):
        new_ticker(0)


async def test_a_token_completes_the_channel_with_its_cancellation() -> None:
    clock, token = FakeClock(), CancelToken()
    readers = [after(3, clock=clock, token=token), tick(3, clock=clock, token=token)]
    token.cancel()
    for reader in [*readers, after(3, clock=clock, token=token), tick(3, clock=clock, token=token)]:
        with pytest.raises(OperationCanceled):
            await reader.read()
    assert clock.next_due is None


async def test_a_ticker_keeps_its_cadence_until_it_is_stopped() -> None:
    clock = FakeClock()
    ticker = new_ticker(2, clock=clock)
    seen = []
    for _ in range(3):
        waiting = asyncio.create_task(ticker.read())
        await clock.advance_and_settle(2)
        seen.append(seconds(await waiting))
    assert seen == [2, 4, 6]
    ticker.stop()
    assert clock.next_due is None
    with pytest.raises(ChannelClosed):
        await ticker.read()


async def test_who_reads_slowly_gets_the_newest_tick_only() -> None:
    clock = FakeClock()
    async with new_ticker(1, clock=clock) as ticker:
        clock.advance(5)
        assert seconds(ticker.try_read()) == 5
        assert ticker.try_read() is None
    await settle()
    assert ticker.reader.drained


async def test_a_stalled_loop_makes_up_for_no_tick() -> None:
    clock = FakeClock()

    class Stalling(FakeClock):
        """Reads a later time than the call was planned for, as a busy loop does."""

        def monotonic(self) -> float:
            return super().monotonic() + (3.5 if super().monotonic() >= 1 else 0)

    clock = Stalling()
    async with new_ticker(1, clock=clock):
        clock.advance(1)
        assert clock.next_due == pytest.approx(0.5)
