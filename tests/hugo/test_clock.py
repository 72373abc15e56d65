"""The clock that tests move by hand, and the machine's own."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from hugo.clock import SYSTEM_CLOCK, FakeClock, settle


def test_calls_are_made_in_order_each_at_its_moment() -> None:
    clock = FakeClock()
    made: list[tuple[str, float]] = []
    for name, seconds in [("late", 3.0), ("early", 1.0), ("early too", 1.0)]:
        clock.call_later(seconds, lambda name=name: made.append((name, clock.monotonic())))  # type: ignore[misc]
    clock.advance(2)
    assert made == [("early", 1.0), ("early too", 1.0)]
    clock.advance(2)
    assert made[2:] == [("late", 3.0)]
    assert clock.monotonic() == 4


def test_a_call_may_plan_another_within_the_same_advance() -> None:
    clock = FakeClock()
    made: list[float] = []

    def again() -> None:
        made.append(clock.monotonic())
        clock.call_later(1, again)

    clock.call_later(1, again)
    clock.advance(3)
    assert made == [1, 2, 3]
    assert clock.next_due == 1


def test_a_cancelled_call_is_not_made() -> None:
    clock = FakeClock()
    made: list[int] = []
    clock.call_later(1, lambda: made.append(1)).cancel()
    assert clock.next_due is None
    clock.advance(5)
    assert made == []


def test_time_does_not_go_back() -> None:
    with pytest.raises(ValueError):
        FakeClock().advance(-1)


def test_the_wall_clock_goes_with_it_in_utc() -> None:
    clock = FakeClock(datetime(2026, 1, 1, 2, tzinfo=UTC))
    clock.advance(90)
    assert clock.utcnow() == datetime(2026, 1, 1, 2, 1, 30, tzinfo=UTC)


async def test_a_sleeper_wakes_at_its_moment_and_may_sleep_again() -> None:
    clock = FakeClock()
    woken: list[float] = []

    async def sleeper() -> None:
        for _ in range(3):
            await clock.sleep(2)
            woken.append(clock.monotonic())

    task = asyncio.create_task(sleeper())
    await clock.advance_and_settle(5)
    assert woken == [2, 4]
    await clock.advance_and_settle(1)
    assert task.done()


async def test_a_cancelled_sleeper_leaves_no_call_behind() -> None:
    clock = FakeClock()
    task = asyncio.create_task(clock.sleep(2))
    await settle()
    task.cancel()
    await settle()
    assert task.cancelled()
    assert clock.next_due is None


async def test_the_system_clock_is_in_utc_and_calls_later() -> None:
    assert SYSTEM_CLOCK.utcnow().utcoffset() == timedelta(0)
    called = asyncio.Event()
    before = SYSTEM_CLOCK.monotonic()
    SYSTEM_CLOCK.call_later(0, called.set)
    await called.wait()
    await SYSTEM_CLOCK.sleep(0)
    assert SYSTEM_CLOCK.monotonic() >= before
