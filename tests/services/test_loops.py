"""The loops of a process: one that fails begins again, the others go on, and all end together."""

import asyncio
import logging
from itertools import pairwise

import pytest

from hugo.clock import FakeClock, settle
from hugo.diagnostics.instruments import WAITGROUP_OUTSTANDING
from hugo.diagnostics.memory import recording
from orchestrator.services.loops import FIRST_PAUSE, LONGEST_PAUSE, Loops


async def test_a_loop_that_fails_begins_again_later_and_later_and_its_neighbours_go_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    clock = FakeClock()
    loops = Loops(clock)
    begun: list[float] = []

    async def fail() -> None:
        begun.append(clock.monotonic())
        raise KeyError("gone")

    loops.go("failing", fail)
    neighbour = asyncio.Event()
    loops.go("patient", neighbour.wait)
    with caplog.at_level(logging.ERROR):
        await clock.advance_and_settle(100)
    pauses = [later - earlier for earlier, later in pairwise(begun)]
    assert pauses == [pytest.approx(min(FIRST_PAUSE * 2**number, LONGEST_PAUSE)) for number in range(len(pauses))]
    assert pauses[-1] == LONGEST_PAUSE
    assert caplog.text.count("failing failed, and begins again") == len(begun)
    await loops.stop()


async def test_after_a_long_time_without_failure_the_pauses_begin_anew() -> None:
    clock = FakeClock()
    loops = Loops(clock)
    begun: list[float] = []

    async def fail_late() -> None:
        begun.append(clock.monotonic())
        await clock.sleep(LONGEST_PAUSE)
        raise KeyError("gone")

    loops.go("failing", fail_late)
    await clock.advance_and_settle(3 * LONGEST_PAUSE)
    assert begun == [pytest.approx(number * (LONGEST_PAUSE + FIRST_PAUSE)) for number in range(3)]
    await loops.stop()


async def test_all_have_ended_when_they_are_stopped_and_nothing_is_outstanding() -> None:
    ended: list[str] = []

    async def work(name: str) -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append(name)

    with recording() as (recorded, _):
        loops = Loops()
        for name in ("first", "second"):
            loops.go(name, work, name)
        await settle()
        assert recorded.total(WAITGROUP_OUTSTANDING) == 2
        assert loops.running
        await loops.stop()
        assert not loops.running
        assert recorded.total(WAITGROUP_OUTSTANDING) == 0
    assert ended == ["first", "second"]


async def test_one_that_returns_is_not_begun_again() -> None:
    clock = FakeClock()
    loops = Loops(clock)
    begun: list[int] = []

    async def once() -> None:
        begun.append(1)

    loops.go("short", once)
    await clock.advance_and_settle(100)
    assert begun == [1]
    await loops.stop()
