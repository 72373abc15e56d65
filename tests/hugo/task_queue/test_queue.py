"""A task queue: leases, heartbeats, second attempts, dead letters, and handing everything to another queue."""

import asyncio
import logging
from datetime import timedelta
from typing import Any

import pytest

from hugo.cancellation import CancelToken, OperationCanceled
from hugo.clock import FakeClock, settle
from hugo.diagnostics import SpanKind, configure, instruments, reset
from hugo.diagnostics.memory import Recorded, recording
from hugo.errors import Error
from hugo.task_queue import (
    DeadLetter,
    EventKind,
    LeaseInactive,
    LifecycleEvent,
    QueueClosed,
    TaskQueue,
    TaskQueueOptions,
)
from tests.hugo.stepping import Run, at_each_step

NO = Error("no", "app.no")


class Site:
    """A queue on a fake clock, with its dead letters and events."""

    def __init__(self, **options: Any) -> None:
        self.clock = FakeClock()
        self.letters: list[DeadLetter[str]] = []
        self.events: list[LifecycleEvent[str]] = []
        self.queue: TaskQueue[str] = TaskQueue(TaskQueueOptions(**options), clock=self.clock, dead_letter=self.bury)
        self.queue.add_listener(self.events.append)

    async def bury(self, letter: DeadLetter[str]) -> None:
        self.letters.append(letter)

    def kinds(self) -> list[EventKind]:
        return [event.kind for event in self.events]


async def test_items_are_leased_in_the_order_they_came_and_removed_when_complete() -> None:
    site = Site()
    numbers = [await site.queue.enqueue(value) for value in ("a", "b")]
    assert numbers == [1, 2]
    assert site.queue.pending_count == 2
    lease = await site.queue.lease()
    assert (lease.value, lease.attempt, lease.sequence_id, lease.last_error) == ("a", 1, 1, None)
    assert lease.enqueued_at == site.clock.utcnow()
    assert lease.expires_at == site.clock.utcnow() + timedelta(seconds=30)
    assert (site.queue.pending_count, site.queue.active_lease_count) == (1, 1)
    await lease.complete()
    assert (site.queue.pending_count, site.queue.active_lease_count) == (1, 0)


async def test_the_defaults_and_what_they_may_be() -> None:
    options = TaskQueue[str]().options
    assert (options.capacity, options.lease_duration, options.heartbeat_interval) == (512, 30, 5)
    assert (options.lease_sweep_interval, options.requeue_delay, options.max_delivery_attempts) == (1, 0, 5)
    assert TaskQueueOptions(name=" mine ").name == "mine"
    for wrong in (
        {"capacity": 0},
        {"lease_duration": 0},
        {"heartbeat_interval": -1},
        {"lease_sweep_interval": 0},
        {"requeue_delay": -1},
        {"max_delivery_attempts": 0},
        {"name": " "},
    ):
        with pytest.raises(ValueError):
            TaskQueueOptions(**wrong)  # type: ignore[arg-type]


async def test_a_worker_waits_for_an_item_and_a_producer_for_room() -> None:
    site = Site(capacity=1)
    leasing = asyncio.create_task(site.queue.lease())
    await settle()
    await site.queue.enqueue("a")
    assert (await leasing).value == "a"
    await site.queue.enqueue("b")
    enqueuing = asyncio.create_task(site.queue.enqueue("c"))
    await settle()
    assert not enqueuing.done()
    await site.queue.lease()
    assert await enqueuing == 3


async def test_a_token_ends_the_waiting_and_nothing_has_happened() -> None:
    site, token = Site(capacity=1), CancelToken()
    leasing = asyncio.create_task(site.queue.lease(token=token))
    await settle()
    token.cancel()
    with pytest.raises(OperationCanceled):
        await leasing
    await site.queue.enqueue("a")
    token = CancelToken()
    enqueuing = asyncio.create_task(site.queue.enqueue("b", token=token))
    await settle()
    token.cancel()
    with pytest.raises(OperationCanceled):
        await enqueuing
    with pytest.raises(OperationCanceled):
        await site.queue.lease(token=token)
    with pytest.raises(OperationCanceled):
        await site.queue.enqueue("c", token=token)
    assert site.queue.pending_count == 1


async def test_a_lease_is_over_once_it_was_finished() -> None:
    site = Site()
    await site.queue.enqueue("a")
    lease = await site.queue.lease()
    await lease.complete()
    for operation in (lease.complete, lease.heartbeat, lambda: lease.fail(NO), lease.release):
        with pytest.raises(LeaseInactive, match=r"Lease is no longer active\."):
            await operation()


async def test_a_heartbeat_extends_the_lease_unless_there_was_one_a_moment_ago() -> None:
    site = Site(lease_duration=30, heartbeat_interval=5)
    await site.queue.enqueue("a")
    lease = await site.queue.lease()
    first = lease.expires_at
    site.clock.advance(4)
    assert await lease.heartbeat() == first
    site.clock.advance(1)
    assert await lease.heartbeat({"done": 1}) == first + timedelta(seconds=5)
    site.clock.advance(4)
    assert await lease.heartbeat() == first + timedelta(seconds=5)
    (beat,) = [event for event in site.events if event.kind is EventKind.HEARTBEAT]
    assert (beat.seconds, beat.details) == (5, {"done": 1})


async def test_without_an_interval_every_heartbeat_counts() -> None:
    site = Site(heartbeat_interval=0)
    await site.queue.enqueue("a")
    lease = await site.queue.lease()
    for _ in range(3):
        site.clock.advance(20)
        await lease.heartbeat()
    await lease.complete()


async def test_a_failed_item_goes_to_the_end_of_the_queue_with_its_error() -> None:
    site = Site()
    await site.queue.enqueue("a")
    await site.queue.enqueue("b")
    first = await site.queue.lease()
    await first.fail(NO)
    assert (await site.queue.lease()).value == "b"
    second = await site.queue.lease()
    assert (second.value, second.attempt, second.last_error, second.sequence_id) == ("a", 2, NO, 1)
    assert (first.attempt, first.last_error) == (1, None)
    assert second.ownership_token > first.ownership_token
    assert second.ownership_token.lease_id != first.ownership_token.lease_id
    assert str(second.ownership_token) == f"1:2:{second.ownership_token.lease_id.hex}"
    with pytest.raises(ValueError):
        await second.fail(None)  # type: ignore[arg-type]
    await second.complete()


async def test_the_last_attempt_and_a_failure_without_requeue_end_as_dead_letters() -> None:
    site = Site(max_delivery_attempts=2)
    await site.queue.enqueue("a")
    await site.queue.enqueue("b")
    lease = await site.queue.lease()
    await lease.fail(NO, requeue=False)
    for attempt in (1, 2):
        lease = await site.queue.lease()
        assert lease.attempt == attempt
        await lease.fail(NO)
    assert [(letter.value, letter.attempt, letter.error) for letter in site.letters] == [("a", 1, NO), ("b", 2, NO)]
    assert site.letters[1].last_token == lease.ownership_token
    assert site.letters[1].sequence_id == 2
    assert (site.queue.pending_count, site.queue.active_lease_count) == (0, 0)


async def test_to_fail_in_a_full_queue_does_not_wait() -> None:
    site = Site(capacity=1)
    await site.queue.enqueue("a")
    lease = await site.queue.lease()
    await site.queue.enqueue("b")
    await lease.fail(NO)
    assert site.queue.pending_count == 2
    enqueuing = asyncio.create_task(site.queue.enqueue("c"))
    await settle()
    await site.queue.lease()
    await settle()
    assert not enqueuing.done()
    await site.queue.lease()
    await enqueuing


async def test_the_requeue_delay_holds_back_the_item_and_nobody_else() -> None:
    site = Site(requeue_delay=10)
    await site.queue.enqueue("a")
    lease = await site.queue.lease()
    await lease.fail(NO)
    assert site.queue.pending_count == 1
    leasing = asyncio.create_task(site.queue.lease())
    await site.clock.advance_and_settle(9)
    assert not leasing.done()
    await site.clock.advance_and_settle(1)
    assert (await leasing).attempt == 2


async def test_a_lease_runs_out_by_the_clock_and_its_item_comes_back_with_the_next_sweep() -> None:
    site = Site(lease_duration=30, lease_sweep_interval=20)
    await site.queue.enqueue("a")
    lease = await site.queue.lease()
    site.clock.advance(30)
    # No sweep has been there yet, and still it cannot be revived.
    for operation in (lease.complete, lease.heartbeat, lambda: lease.fail(NO)):
        with pytest.raises(LeaseInactive):
            await operation()
    assert site.queue.pending_count == 0
    site.clock.advance(10)
    again = await site.queue.lease()
    assert again.attempt == 2
    assert again.last_error is not None
    assert str(again.last_error) == "error.taskqueue.lease_expired: Lease expired without heartbeat."
    assert again.last_error.get("attempt") == 1
    assert again.last_error.get("enqueuedAt") == lease.enqueued_at
    assert again.last_error.get("expiredAt") == lease.expires_at
    assert [event.from_expiration for event in site.events[-3:]] == [True, True, False]


async def test_many_leases_run_out_in_one_sweep_whatever_the_requeue_delay() -> None:
    site = Site(requeue_delay=5, lease_duration=2)
    for number in range(10):
        await site.queue.enqueue(str(number))
        await site.queue.lease()
    site.clock.advance(2)
    assert site.queue.active_lease_count == 0
    site.clock.advance(5)
    assert [(await site.queue.lease()).value for _ in range(10)] == [str(number) for number in range(10)]


async def test_there_is_no_sweep_while_nothing_is_leased() -> None:
    site = Site()
    await site.queue.enqueue("a")
    assert site.clock.next_due is None
    lease = await site.queue.lease()
    assert site.clock.next_due == 1
    await lease.complete()
    site.clock.advance(1)
    assert site.clock.next_due is None


async def test_a_dead_letter_callback_that_raises_is_logged_and_the_queue_goes_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def raise_it(_: object) -> None:
        raise KeyError("gone")

    clock = FakeClock()
    options = TaskQueueOptions(max_delivery_attempts=1, lease_duration=1)
    queue: TaskQueue[str] = TaskQueue(options, clock=clock, dead_letter=raise_it)
    with caplog.at_level(logging.ERROR):
        for value in ("a", "b"):
            await queue.enqueue(value)
            await queue.lease()
            await clock.advance_and_settle(1)
        await queue.enqueue("c")
        await (await queue.lease()).fail(NO)
    assert caplog.text.count("KeyError: 'gone'") == 3
    assert queue.active_lease_count == 0
    await queue.aclose()


async def test_a_released_item_is_next_again_and_has_lost_no_attempt() -> None:
    site = Site()
    await site.queue.enqueue("a")
    await site.queue.enqueue("b")
    lease = await site.queue.lease()
    await lease.release()
    again = await site.queue.lease()
    assert (again.value, again.attempt) == ("a", 1)
    assert again.ownership_token != lease.ownership_token


async def test_what_is_drained_can_be_restored_elsewhere() -> None:
    site = Site(requeue_delay=60)
    for value in ("leased", "delayed", "pending"):
        await site.queue.enqueue(value)
    stale = await site.queue.lease()
    await (await site.queue.lease()).fail(NO)
    items = await site.queue.drain()
    assert [(item.value, item.attempt, item.sequence_id) for item in items] == [
        ("leased", 1, 1),
        ("pending", 1, 3),
        ("delayed", 2, 2),
    ]
    assert [event.kind for event in site.events[-3:]] == [EventKind.DRAINED] * 3
    assert all(event.from_drain for event in site.events[-3:])
    assert site.clock.next_due is None
    for operation in (
        stale.complete,
        site.queue.lease,
        lambda: site.queue.enqueue("x"),
        lambda: site.queue.restore([]),
    ):
        with pytest.raises(QueueClosed):
            await operation()
    assert await site.queue.drain() == []

    other = Site(capacity=1)
    await other.queue.restore(items)
    assert other.queue.pending_count == 3
    leases = [await other.queue.lease() for _ in range(3)]
    assert [(lease.value, lease.attempt, lease.enqueued_at) for lease in leases] == [
        (item.value, item.attempt, item.enqueued_at) for item in items
    ]
    assert leases[0].item.last_token == stale.ownership_token
    assert leases[2].last_error is NO
    assert await other.queue.enqueue("next") == 4


async def test_those_who_wait_are_told_when_the_queue_is_drained() -> None:
    site = Site(capacity=1)
    waiting = [asyncio.create_task(site.queue.lease())]
    await settle()
    await site.queue.enqueue("a")
    # The worker was promised the item and has not run yet: it goes with the others.
    assert [item.value for item in await site.queue.drain()] == ["a"]
    other = Site(capacity=1)
    await other.queue.enqueue("b")
    waiting.append(asyncio.create_task(other.queue.enqueue("c")))
    await settle()
    await other.queue.drain()
    for task in waiting:
        with pytest.raises(QueueClosed):
            await task


async def test_a_closed_queue_makes_dead_letters_of_what_it_holds() -> None:
    site = Site(requeue_delay=60)
    for value in ("leased", "failed", "pending"):
        await site.queue.enqueue(value)
    lease = await site.queue.lease()
    await (await site.queue.lease()).fail(NO)
    async with site.queue:
        pass
    assert [(letter.value, str(letter.error)) for letter in site.letters] == [
        ("leased", "error.taskqueue.deadlettered: Queue disposed before delivery."),
        ("pending", "error.taskqueue.deadlettered: Queue disposed before delivery."),
        ("failed", "app.no: no"),
    ]
    with pytest.raises(QueueClosed):
        await lease.complete()
    await site.queue.aclose()
    assert len(site.letters) == 3
    assert site.clock.next_due is None


async def test_listeners_hear_everything_in_order_and_may_fail(caplog: pytest.LogCaptureFixture) -> None:
    site = Site(max_delivery_attempts=1, heartbeat_interval=0)
    removed: list[object] = []
    site.queue.add_listener(removed.append)()
    site.queue.add_listener(lambda _: [].pop())  # type: ignore[arg-type,return-value]
    with caplog.at_level(logging.ERROR):
        await site.queue.enqueue("a")
        lease = await site.queue.lease()
        site.clock.advance(1)
        await lease.heartbeat()
        await lease.fail(NO)
        await site.queue.enqueue("b")
        await (await site.queue.lease()).complete()
    assert site.kinds() == [
        EventKind.ENQUEUED,
        EventKind.LEASE_GRANTED,
        EventKind.HEARTBEAT,
        EventKind.FAILED,
        EventKind.DEAD_LETTERED,
        EventKind.ENQUEUED,
        EventKind.LEASE_GRANTED,
        EventKind.COMPLETED,
    ]
    assert [event.dead_letter for event in site.events].count(True) == 1
    assert site.events[1].token == lease.ownership_token
    assert removed == []
    assert caplog.text.count("IndexError") == 8


async def test_a_worker_cancelled_at_any_await_loses_no_item() -> None:
    async def scenario(run: Run) -> None:
        site = Site(max_delivery_attempts=1)
        other = asyncio.create_task(settle(2))
        other.add_done_callback(lambda _: asyncio.ensure_future(site.queue.enqueue("a")))

        async def work() -> None:
            lease = await site.queue.lease()
            await lease.fail(NO)

        await run(work())
        await settle()
        # The item is pending, leased to the one who was cancelled, or a dead letter; it is one of them, and once.
        assert site.queue.pending_count + site.queue.active_lease_count + len(site.letters) == 1
        if site.queue.pending_count:
            assert (await site.queue.lease()).value == "a"

    assert await at_each_step(scenario) == 4


async def test_a_producer_cancelled_at_any_await_has_added_nothing() -> None:
    async def scenario(run: Run) -> None:
        site = Site(capacity=1)
        await site.queue.enqueue("a")
        other = asyncio.create_task(settle(2))
        other.add_done_callback(lambda _: asyncio.ensure_future(site.queue.lease()))
        cancelled = await run(site.queue.enqueue("b"))
        await settle()
        assert site.queue.pending_count == (0 if cancelled else 1)
        if cancelled:
            await asyncio.wait_for(site.queue.enqueue("c"), 5)

    assert await at_each_step(scenario) == 2


async def test_what_happens_is_measured() -> None:
    recorded = Recorded()
    configure(recorder=recorded)
    try:
        site = Site(name="orders", max_delivery_attempts=2, lease_duration=10, heartbeat_interval=0)
        for value in ("a", "b"):
            await site.queue.enqueue(value)
        site.clock.advance(2)
        first, second = await site.queue.lease(), await site.queue.lease()
        site.clock.advance(3)
        await first.heartbeat()
        await first.complete()
        await second.fail(NO)
        await site.queue.lease()
        site.clock.advance(10)
        await site.queue.aclose()
    finally:
        reset()
    totals = {
        instruments.TASKQUEUE_ENQUEUED: 2,
        instruments.TASKQUEUE_LEASED: 3,
        instruments.TASKQUEUE_HEARTBEATS: 1,
        instruments.TASKQUEUE_COMPLETED: 1,
        instruments.TASKQUEUE_FAILED: 1,
        instruments.TASKQUEUE_EXPIRED: 1,
        instruments.TASKQUEUE_REQUEUED: 1,
        instruments.TASKQUEUE_DEADLETTERED: 1,
        instruments.TASKQUEUE_PENDING: 0,
        instruments.TASKQUEUE_ACTIVE: 0,
    }
    assert {instrument: recorded.total(instrument) for instrument in totals} == totals
    assert recorded.values(instruments.TASKQUEUE_LEASE_DURATION) == [3000, 3000, 10000]
    assert recorded.values(instruments.TASKQUEUE_HEARTBEAT_EXTENSION) == [3000]
    assert recorded.values(instruments.TASKQUEUE_SCHEDULE_TO_START_LATENCY) == [2000, 2000]
    assert recorded.attributes(instruments.TASKQUEUE_ENQUEUED) == [{"taskqueue.name": "orders"}] * 2


async def test_how_long_workers_wait_for_work_is_measured() -> None:
    recorded = Recorded()
    configure(recorder=recorded)
    try:
        site = Site()
        waiting = asyncio.create_task(site.queue.lease())
        await site.clock.advance_and_settle(4)
        await site.queue.enqueue("a")
        await waiting
    finally:
        reset()
    assert recorded.values(instruments.TASKQUEUE_POLL_LATENCY) == [4000]


async def test_operations_are_traced_and_deliveries_linked_to_the_enqueuing() -> None:
    with recording() as (_, traced):
        site = Site(name="orders", max_delivery_attempts=2, heartbeat_interval=0, lease_duration=10)
        waiting = asyncio.create_task(site.queue.lease())
        await site.clock.advance_and_settle(4)
        await site.queue.enqueue("a")
        lease = await waiting
        await lease.heartbeat()
        await lease.fail(NO)
        await (await site.queue.lease()).fail(NO)
        await site.queue.enqueue("b")
        await (await site.queue.lease()).complete()
        await site.queue.enqueue("c")
        await site.queue.lease()
        site.clock.advance(11)
        await site.queue.aclose()
    assert [
        (span.name.removeprefix("TaskQueue."), span.attributes["taskqueue.sequence_id"]) for span in traced.spans
    ] == [
        ("enqueue", 1),
        ("lease", 1),
        ("heartbeat", 1),
        ("fail.requeue", 1),
        ("lease", 1),
        ("fail.deadletter", 1),
        ("enqueue", 2),
        ("lease", 2),
        ("complete", 2),
        ("enqueue", 3),
        ("lease", 3),
    ]
    enqueue, first, _, requeue, second, *_ = traced.spans
    assert all(span.ended and span.error is None for span in traced.spans)
    assert [span.kind for span in (enqueue, first, requeue)] == [
        SpanKind.PRODUCER,
        SpanKind.CONSUMER,
        SpanKind.INTERNAL,
    ]
    assert first.links == second.links == (enqueue,)
    assert first.start is not None
    assert first.end_time is not None
    assert (first.end_time - first.start).total_seconds() == 4
    assert first.attributes["taskqueue.token"] == str(lease.ownership_token)
    assert requeue.attributes["taskqueue.error.code"] == "app.no"
    assert (requeue.attributes["taskqueue.operation"], requeue.attributes["taskqueue.name"]) == (
        "fail.requeue",
        "orders",
    )


@pytest.mark.parametrize("end", ["drain", "aclose"])
async def test_the_numbers_measured_go_back_to_zero_at_the_end(end: str) -> None:
    recorded = Recorded()
    configure(recorder=recorded)
    try:
        queue: TaskQueue[str] = TaskQueue(clock=FakeClock())
        for value in ("a", "b", "c"):
            await queue.enqueue(value)
        await queue.lease()
        await getattr(queue, end)()
    finally:
        reset()
    assert recorded.total(instruments.TASKQUEUE_PENDING) == 0
    assert recorded.total(instruments.TASKQUEUE_ACTIVE) == 0
