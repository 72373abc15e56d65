"""Items moved between many channels and one."""

import asyncio

import pytest

from hugo.cancellation import CancelToken
from hugo.channels import Channel, ChannelClosed, ChannelReader
from hugo.clock import FakeClock, settle
from hugo.errors import ResultError
from hugo.result import err
from hugo.select import broadcast, fan_in, fan_out, merge, select_fan_in
from tests.hugo.stepping import Run, at_each_step


def source(*items: int, error: Exception | None = None) -> ChannelReader[int]:
    """A completed channel with these items."""
    channel: Channel[int] = Channel()
    for item in items:
        channel.writer.try_write(item)
    channel.writer.try_complete(error)
    return channel.reader


async def test_every_item_of_every_source_arrives_and_the_destination_is_completed() -> None:
    destination: Channel[int] = Channel(1)
    moving = asyncio.create_task(fan_in([source(1, 2), source(3), source()], destination.writer))
    assert [item async for item in destination.reader] == [1, 3, 2]
    assert (await moving).is_ok
    assert (await select_fan_in([], print)).is_ok


async def test_the_destination_may_stay_open() -> None:
    destination: Channel[int] = Channel()
    await fan_in([source(1)], destination.writer, complete=False)
    assert destination.writer.try_write(2)


async def test_a_failing_source_fails_the_destination() -> None:
    destination: Channel[int] = Channel()
    result = await fan_in([source(1, error=KeyError("gone"))], destination.writer)
    assert result.error is not None
    assert result.error.code == "error.exception"
    assert await destination.reader.read() == 1
    with pytest.raises(ResultError, match="gone"):
        await destination.reader.read()


async def test_the_first_failing_handler_ends_it() -> None:
    seen: list[int] = []

    def handle(item: int) -> object:
        seen.append(item)
        return err("no", "app.no") if item == 2 else None

    result = await select_fan_in([source(1, 2, 3)], handle)
    assert result.error is not None
    assert result.error.code == "app.no"
    assert seen == [1, 2]


async def test_the_timeout_is_for_the_whole_call() -> None:
    clock, channel = FakeClock(), Channel[int]()
    waiting = asyncio.create_task(select_fan_in([channel.reader], lambda _: None, timeout=5, clock=clock))
    for _ in range(2):
        await clock.advance_and_settle(2)
        channel.writer.try_write(1)
        await settle()
    assert not waiting.done()
    await clock.advance_and_settle(1)
    error = (await waiting).error
    assert error is not None
    assert error.code == "error.timeout"


async def test_the_token_ends_fans_and_fails_their_destinations() -> None:
    token, channel = CancelToken(), Channel[int]()
    inward, outward = Channel[int](), Channel[int]()
    waiting = [
        asyncio.create_task(fan_in([Channel[int]().reader], inward.writer, token=token)),
        asyncio.create_task(fan_out(channel.reader, [outward.writer], token=token)),
    ]
    await settle()
    token.cancel()
    for result in await asyncio.gather(*waiting):
        assert result.error is not None
        assert result.error.code == "error.canceled"
    for destination in (inward, outward):
        with pytest.raises(ResultError):
            await destination.reader.read()


async def test_every_destination_gets_every_item_at_the_pace_of_the_slowest() -> None:
    fast, slow = Channel[int](), Channel[int](1)
    moving = asyncio.create_task(fan_out(source(1, 2, 3), [fast.writer, slow.writer]))
    await settle()
    assert fast.reader.count == 2
    assert [item async for item in slow.reader] == [1, 2, 3]
    assert (await moving).is_ok
    assert [item async for item in fast.reader] == [1, 2, 3]


async def test_a_destination_that_takes_no_more_ends_it() -> None:
    open_one, closed = Channel[int](), Channel[int]()
    closed.writer.try_complete()
    error = (await fan_out(source(1), [closed.writer, open_one.writer])).error
    assert str(error) == "error.channel.completed: Destination channel has completed."
    with pytest.raises(ResultError):
        await open_one.reader.read()


async def test_the_deadline_is_for_one_item_to_reach_all() -> None:
    clock, narrow = FakeClock(), Channel[int](1)
    moving = asyncio.create_task(fan_out(source(1, 2), [narrow.writer], deadline=3, clock=clock, complete=False))
    await clock.advance_and_settle(2)
    assert not moving.done()
    await clock.advance_and_settle(1)
    error = (await moving).error
    assert error is not None
    assert error.code == "error.timeout"
    assert [narrow.reader.try_read(), narrow.reader.try_read()] == [1, None]
    assert clock.next_due is None


async def test_merge_and_broadcast_work_in_the_background() -> None:
    assert sorted([item async for item in merge([source(1, 2), source(3)])]) == [1, 2, 3]
    branches = broadcast(source(1, 2), 2)
    assert [[item async for item in branch] for branch in branches] == [[1, 2], [1, 2]]
    with pytest.raises(ResultError):
        await merge([source(error=KeyError("gone"))]).read()
    (branch,) = broadcast(source(error=ChannelClosed("source")), 1)
    with pytest.raises(ResultError):
        await branch.read()
    with pytest.raises(ValueError):
        broadcast(source(), 0)


async def test_a_fan_out_cancelled_at_any_await_fails_its_destinations_and_propagates() -> None:
    async def scenario(run: Run) -> None:
        narrow, channel = Channel[int](1), Channel[int]()
        channel.writer.try_write(1)
        channel.writer.try_write(2)
        other = asyncio.create_task(settle(2))
        other.add_done_callback(lambda _: (narrow.reader.try_read(), channel.writer.try_complete()))
        cancelled = await run(fan_out(channel.reader, [narrow.writer]))
        assert isinstance(narrow.reader.error, ResultError) is cancelled

    assert await at_each_step(scenario) == 2
