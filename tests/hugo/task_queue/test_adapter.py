"""Leases on a channel: no more than it holds, none lost, and all back at once when it is closed."""

import asyncio
from datetime import datetime
from typing import Any

import pytest

from hugo.cancellation import CancelToken
from hugo.channels import Channel
from hugo.clock import FakeClock, settle
from hugo.errors import Error
from hugo.task_queue import QueueClosed, TaskQueue, TaskQueueChannelAdapter, TaskQueueLease
from tests.hugo.stepping import Run, at_each_step


async def filled(count: int) -> TaskQueue[int]:
    """A queue with the numbers from 0."""
    queue: TaskQueue[int] = TaskQueue(clock=FakeClock())
    for number in range(count):
        await queue.enqueue(number)
    return queue


async def test_workers_get_every_item_once() -> None:
    queue = await filled(20)
    done: list[int] = []

    async def work(adapter: TaskQueueChannelAdapter[TaskQueueLease[int]]) -> None:
        async for lease in adapter.reader:
            done.append(lease.value)
            await lease.complete()

    adapter = TaskQueueChannelAdapter.create(queue, concurrency=3)
    workers = [asyncio.create_task(work(adapter)) for _ in range(2)]
    await settle(100)
    await adapter.aclose()
    await asyncio.gather(*workers)
    assert sorted(done) == list(range(20))
    assert queue.active_lease_count == 0


@pytest.mark.parametrize("concurrency", [1, 3])
async def test_no_more_is_leased_than_the_channel_holds(concurrency: int) -> None:
    queue = await filled(20)
    async with TaskQueueChannelAdapter(queue, concurrency=concurrency) as adapter:
        await settle()
        assert queue.active_lease_count == concurrency
        await adapter.reader.read()
        await settle()
        assert queue.active_lease_count == concurrency + 1


async def test_more_pumps_than_places_do_not_disturb_each_other() -> None:
    queue = await filled(5)
    channel: Channel[TaskQueueLease[int]] = Channel(1)
    async with TaskQueueChannelAdapter(queue, channel=channel, concurrency=3) as adapter:
        seen = [(await adapter.reader.read()).value for _ in range(5)]
        assert seen == list(range(5))
        await settle()
        assert not adapter.reader.drained


async def test_unread_leases_go_back_at_once_and_lose_no_attempt() -> None:
    queue = await filled(3)
    adapter = TaskQueueChannelAdapter(queue, concurrency=3)
    await settle()
    assert queue.active_lease_count == 3
    await adapter.aclose()
    assert (queue.pending_count, queue.active_lease_count) == (3, 0)
    leases = [await queue.lease() for _ in range(3)]
    assert {(lease.value, lease.attempt) for lease in leases} == {(0, 1), (1, 1), (2, 1)}
    assert adapter.reader.drained


async def test_a_closed_queue_completes_the_channel() -> None:
    queue = await filled(1)
    adapter = TaskQueueChannelAdapter(queue, concurrency=2)
    await settle()
    await queue.aclose()
    lease = await adapter.reader.read()
    with pytest.raises(QueueClosed):
        await lease.complete()
    await adapter.reader.completion()
    await adapter.aclose()


async def test_a_lease_for_a_channel_that_somebody_completed_goes_back() -> None:
    queue = await filled(0)
    channel: Channel[TaskQueueLease[int]] = Channel(1)
    async with TaskQueueChannelAdapter(queue, channel=channel):
        await settle()
        channel.writer.try_complete()
        await queue.enqueue(1)
        await settle()
        assert (queue.pending_count, queue.active_lease_count) == (1, 0)


async def test_an_owned_queue_is_closed_with_the_adapter() -> None:
    queue = await filled(0)
    await TaskQueueChannelAdapter(queue).aclose()
    assert not queue.closed
    await TaskQueueChannelAdapter(queue, owns_queue=True).aclose()
    assert queue.closed
    with pytest.raises(ValueError):
        TaskQueueChannelAdapter(queue, concurrency=0)


class Remote:
    """A lease of a source that is no queue."""

    def __init__(self) -> None:
        self.released = False

    async def complete(self) -> None:
        raise NotImplementedError

    async def heartbeat(self, details: Any = None) -> datetime:
        raise NotImplementedError

    async def fail(self, error: Error, *, requeue: bool = True) -> None:
        raise NotImplementedError

    async def release(self) -> None:
        self.released = True


class FailingSource:
    """Gives one lease, then breaks for the next pump, while the others wait."""

    def __init__(self) -> None:
        self.asked = 0

    async def lease(self, *, token: CancelToken | None = None) -> Remote:
        self.asked += 1
        if self.asked == 1:
            return Remote()
        if self.asked == 3:
            raise ConnectionError("gone")
        assert token is not None
        await token.wait()
        token.raise_if_cancelled()
        raise AssertionError

    async def aclose(self) -> None:
        raise NotImplementedError


async def test_a_source_that_fails_stops_all_pumps_and_its_exception_reaches_the_readers() -> None:
    source = FailingSource()
    adapter = TaskQueueChannelAdapter(source, concurrency=3)
    assert isinstance(await adapter.reader.read(), Remote)
    with pytest.raises(ConnectionError, match="gone"):
        await adapter.reader.read()
    await adapter.aclose()


async def test_an_adapter_that_is_closed_while_cancelled_at_any_await_keeps_every_item() -> None:
    async def scenario(run: Run) -> None:
        queue = await filled(3)

        async def work() -> None:
            async with TaskQueueChannelAdapter(queue, concurrency=2) as adapter:
                lease = await adapter.reader.read()
                await lease.complete()

        await run(work())
        await settle()
        # One may have been completed, and one leased to the worker that was cancelled.
        assert 2 <= queue.pending_count + queue.active_lease_count <= 3
        assert queue.active_lease_count <= 1

    assert await at_each_step(scenario) >= 2
