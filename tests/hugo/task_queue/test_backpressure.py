"""The signal of a queue that grows too long, and what follows it."""

import asyncio
import logging
from typing import Any

import pytest

from hugo.cancellation import CancelToken, OperationCanceled
from hugo.clock import FakeClock, settle
from hugo.diagnostics import configure, instruments, reset
from hugo.diagnostics.memory import Recorded
from hugo.task_queue import (
    BackpressureMonitor,
    BackpressureSwitch,
    QueueClosed,
    QueueHealthThresholds,
    Status,
    TaskQueue,
    TaskQueueOptions,
    check_health,
)


def make() -> tuple[FakeClock, TaskQueue[int]]:
    """A queue on a fake clock."""
    clock = FakeClock()
    return clock, TaskQueue(TaskQueueOptions(name="orders"), clock=clock)


async def fill(queue: TaskQueue[int], count: int) -> None:
    """Enqueues or completes until that many are pending."""
    while queue.pending_count < count:
        await queue.enqueue(0)
    while queue.pending_count > count:
        await (await queue.lease()).complete()


async def test_it_is_active_from_the_high_watermark_to_the_low_one() -> None:
    clock, queue = make()
    with BackpressureMonitor(queue, high=4, low=1, cooldown=1) as monitor:
        seen: list[tuple[bool, int]] = []
        monitor.add_listener(lambda signal: seen.append((signal.is_active, signal.pending_count)))
        for count in (3, 4, 6, 2, 1, 3, 4):
            clock.advance(1)
            await fill(queue, count)
        assert seen == [(False, 0), (True, 4), (False, 1), (True, 4)]
        assert monitor.current.observed_at == clock.utcnow()
        assert (monitor.current.high, monitor.current.low) == (4, 1)


@pytest.mark.parametrize(("high", "low", "expected"), [(10, None, 5), (1, None, 1), (10, 10, 5), (10, 0, 0)])
async def test_the_low_watermark_leaves_a_gap(high: int, low: int | None, expected: int) -> None:
    _, queue = make()
    with BackpressureMonitor(queue, high=high, low=low) as monitor:
        assert monitor.current.low == expected


async def test_a_change_while_it_rests_is_made_known_afterwards() -> None:
    clock, queue = make()
    with BackpressureMonitor(queue, high=4, low=1, cooldown=5) as monitor:
        await fill(queue, 4)
        assert monitor.is_active
        draining = asyncio.create_task(monitor.wait_for_draining())
        clock.advance(2)
        await fill(queue, 0)
        assert monitor.is_active
        await clock.advance_and_settle(3)
        assert not monitor.is_active
        assert (await draining).pending_count == 0


async def test_a_change_that_was_taken_back_while_it_rested_is_not_made_known() -> None:
    clock, queue = make()
    with BackpressureMonitor(queue, high=4, low=1, cooldown=5) as monitor:
        seen: list[bool] = []
        monitor.add_listener(lambda signal: seen.append(signal.is_active))
        await fill(queue, 4)
        await fill(queue, 0)
        await fill(queue, 4)
        clock.advance(10)
        assert seen == [False, True]


async def test_who_waits_for_draining_may_give_up_and_is_told_of_the_end() -> None:
    _, queue = make()
    monitor = BackpressureMonitor(queue, high=1)
    assert not (await monitor.wait_for_draining()).is_active
    await fill(queue, 1)
    token = CancelToken()
    waiting = [asyncio.create_task(monitor.wait_for_draining(token=token)) for _ in range(1)]
    waiting.append(asyncio.create_task(monitor.wait_for_draining()))
    await settle()
    token.cancel()
    with pytest.raises(OperationCanceled):
        await waiting[0]
    monitor.close()
    with pytest.raises(QueueClosed):
        await waiting[1]
    await fill(queue, 0)
    assert monitor.is_active


async def test_signals_are_streamed_and_the_oldest_missed_by_who_reads_slowly() -> None:
    clock, queue = make()
    with BackpressureMonitor(queue, high=2, low=0, cooldown=1) as monitor:
        reader = monitor.stream(capacity=2)
        for count in (2, 0, 2):
            await fill(queue, count)
            clock.advance(1)
        assert [(await reader.read()).is_active for _ in range(2)] == [False, True]
    assert [signal async for signal in reader] == []
    assert [signal.is_active async for signal in monitor.stream()] == [True]


async def test_a_switch_follows_the_signal() -> None:
    clock, queue = make()
    with BackpressureMonitor(queue, high=2, low=0, cooldown=1) as monitor:
        switch = BackpressureSwitch(monitor, normal="fast", pressed="slow")
        assert switch.current == "fast"
        await fill(queue, 2)
        assert switch.current == "slow"
        clock.advance(1)
        await fill(queue, 0)
        assert switch.current == "fast"
        switch.close()
        clock.advance(1)
        await fill(queue, 2)
        assert switch.current == "fast"


async def test_a_listener_that_raises_disturbs_nobody(caplog: pytest.LogCaptureFixture) -> None:
    _, queue = make()
    seen: list[bool] = []
    with BackpressureMonitor(queue, high=1) as monitor, caplog.at_level(logging.ERROR):
        monitor.add_listener(lambda _: [].pop())
        monitor.add_listener(lambda signal: seen.append(signal.is_active))()
        monitor.add_listener(lambda signal: seen.append(signal.is_active))
        await fill(queue, 1)
    assert seen == [False, False, True]
    assert caplog.text.count("IndexError") == 2


@pytest.mark.parametrize("wrong", [{"high": 0}, {"cooldown": 0}, {"low": -1}])
async def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        BackpressureMonitor(make()[1], **wrong)


async def test_transitions_are_measured() -> None:
    recorded = Recorded()
    configure(recorder=recorded)
    try:
        clock, queue = make()
        with BackpressureMonitor(queue, high=2, low=0, cooldown=1):
            await fill(queue, 2)
            clock.advance(3)
            await fill(queue, 0)
    finally:
        reset()
    assert recorded.values(instruments.BACKPRESSURE_ACTIVE) == [1, -1]
    assert recorded.values(instruments.BACKPRESSURE_PENDING) == [2, 0]
    assert recorded.total(instruments.BACKPRESSURE_TRANSITIONS) == 2
    assert recorded.values(instruments.BACKPRESSURE_DURATION)[1] == 3000


async def test_health_follows_the_numbers() -> None:
    _, queue = make()
    limits = QueueHealthThresholds(pending_degraded=2, pending_unhealthy=4, active_degraded=1, active_unhealthy=2)
    found = []
    for count in (1, 2, 4, 0):
        await fill(queue, count)
        found.append(check_health(queue, limits).status)
    for _ in range(2):
        await queue.enqueue(0)
        await queue.lease()
        found.append(check_health(queue, limits).status)
    assert found == [
        Status.HEALTHY,
        Status.DEGRADED,
        Status.UNHEALTHY,
        Status.HEALTHY,
        Status.DEGRADED,
        Status.UNHEALTHY,
    ]
    assert check_health(queue).data == {"taskqueue.pending": 0, "taskqueue.activeLeases": 2}
    defaults = QueueHealthThresholds()
    assert (defaults.pending_degraded, defaults.pending_unhealthy) == (1024, 2048)
    assert (defaults.active_degraded, defaults.active_unhealthy) == (64, 128)
