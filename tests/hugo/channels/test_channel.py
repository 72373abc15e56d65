"""What a channel promises: order, an end, its full modes, and that a cancelled operation has done nothing."""

import asyncio
import threading
from typing import Any

import pytest

from hugo.cancellation import CancelToken, OperationCanceled
from hugo.channels import Channel, ChannelClosed, FullMode, bounded_channel, make_channel
from hugo.clock import settle
from hugo.diagnostics.instruments import CHANNEL_DEPTH
from hugo.diagnostics.memory import recording
from hugo.loops import WrongLoop
from tests.hugo.stepping import Run, at_each_step


async def test_items_come_out_in_the_order_they_went_in() -> None:
    channel: Channel[int] = Channel()
    for number in range(5):
        await channel.writer.write(number)
    channel.writer.try_complete()
    assert [number async for number in channel.reader] == list(range(5))


@pytest.mark.parametrize("capacity", [None, 0, -3])
async def test_no_capacity_means_without_bound(capacity: int | None) -> None:
    channel = make_channel(capacity)
    assert all(channel.writer.try_write(number) for number in range(1000))
    assert channel.reader.count == 1000


@pytest.mark.parametrize("make", [Channel, bounded_channel])
def test_a_bound_is_positive(make: Any) -> None:
    with pytest.raises(ValueError):
        make(0)


@pytest.mark.parametrize(
    ("mode", "left"),
    [(FullMode.DROP_NEWEST, [1, 3]), (FullMode.DROP_OLDEST, [2, 3]), (FullMode.DROP_WRITE, [1, 2])],
)
async def test_a_full_channel_drops_what_its_mode_says(mode: FullMode, left: list[int]) -> None:
    channel: Channel[int] = Channel(2, full_mode=mode)
    for number in (1, 2, 3):
        await channel.writer.write(number)
    assert await channel.writer.wait_to_write()
    channel.writer.try_complete()
    assert [number async for number in channel.reader] == left


async def test_a_writer_waits_while_the_channel_is_full() -> None:
    channel: Channel[int] = Channel(1)
    await channel.writer.write(1)
    assert not channel.writer.try_write(2)
    waiting = asyncio.create_task(channel.writer.write(2))
    await settle()
    assert not waiting.done()
    assert await channel.reader.read() == 1
    # The place is promised to the one who waits, nobody else gets in between.
    assert not channel.writer.try_write(3)
    await waiting
    assert await channel.reader.read() == 2


async def test_what_is_left_is_read_before_the_end() -> None:
    channel: Channel[int] = Channel()
    await channel.writer.write(1)
    assert channel.writer.try_complete()
    assert not channel.writer.try_complete()
    ended = asyncio.create_task(channel.reader.completion())
    await settle()
    assert not ended.done()
    assert await channel.reader.wait_to_read()
    assert await channel.reader.read() == 1
    await ended
    assert not await channel.reader.wait_to_read()
    with pytest.raises(ChannelClosed):
        await channel.reader.read()


async def test_an_error_comes_after_what_is_left() -> None:
    channel: Channel[int] = Channel()
    await channel.writer.write(1)
    channel.writer.try_complete(KeyError("gone"))
    assert await channel.reader.read() == 1
    for raising in (
        channel.reader.read,
        channel.reader.wait_to_read,
        channel.reader.completion,
        channel.reader.__anext__,
    ):
        with pytest.raises(KeyError):
            await raising()


async def test_a_channel_completed_with_channel_closed_does_not_end_an_iteration_in_silence() -> None:
    channel: Channel[int] = Channel()
    channel.writer.try_complete(ChannelClosed("the source was closed"))
    with pytest.raises(ChannelClosed):
        await anext(aiter(channel.reader))


async def test_a_completed_channel_takes_nothing() -> None:
    channel: Channel[int] = Channel(1)
    await channel.writer.write(1)
    waiting = [asyncio.create_task(channel.writer.write(2)), asyncio.create_task(channel.writer.wait_to_write())]
    await settle()
    channel.writer.try_complete(KeyError("gone"))
    with pytest.raises(ChannelClosed) as closed:
        await waiting[0]
    assert isinstance(closed.value.__cause__, KeyError)
    assert await waiting[1] is False
    assert not channel.writer.try_write(3)
    with pytest.raises(ChannelClosed):
        await channel.writer.write(3)
    with pytest.raises(ChannelClosed):
        await channel.writer.reserve()


async def test_none_is_an_item_like_any_other() -> None:
    channel: Channel[None] = Channel()
    missing = object()
    assert channel.reader.try_read(missing) is missing
    await channel.writer.write(None)
    assert channel.reader.try_read(missing) is None


async def test_to_wait_for_an_item_takes_none() -> None:
    channel: Channel[int] = Channel()
    waiting = [asyncio.create_task(channel.reader.wait_to_read()) for _ in range(2)]
    await settle()
    await channel.writer.write(1)
    assert [await task for task in waiting] == [True, True]
    assert channel.reader.count == 1


async def test_to_wait_for_room_takes_none() -> None:
    channel: Channel[int] = Channel(1)
    await channel.writer.write(1)
    waiting = asyncio.create_task(channel.writer.wait_to_write())
    await settle()
    assert not waiting.done()
    await channel.reader.read()
    assert await waiting
    assert channel.writer.try_write(2)


async def test_a_reserved_place_is_kept_until_it_is_filled_or_freed() -> None:
    channel: Channel[int] = Channel(1)
    slot = await channel.writer.reserve()
    assert not channel.writer.try_write(1)
    assert slot.fill(2)
    with pytest.raises(RuntimeError):
        slot.fill(3)
    slot.free()
    assert not channel.writer.try_write(4)
    waiting = asyncio.create_task(channel.writer.reserve())
    await settle()
    assert await channel.reader.read() == 2
    (await waiting).free()
    assert channel.writer.try_write(5)


@pytest.mark.parametrize("mode", [FullMode.DROP_NEWEST, FullMode.DROP_OLDEST, FullMode.DROP_WRITE])
async def test_a_reserved_place_is_not_dropped(mode: FullMode) -> None:
    channel: Channel[int] = Channel(1, full_mode=mode)
    slot = await channel.writer.reserve()
    assert channel.writer.try_write(1)
    assert channel.reader.count == 0
    assert slot.fill(2)
    assert await channel.reader.read() == 2


async def test_a_place_in_a_completed_channel_cannot_be_filled() -> None:
    channel: Channel[int] = Channel(1)
    slot = await channel.writer.reserve()
    channel.writer.try_complete()
    assert not slot.fill(1)


async def test_a_token_that_has_fired_stops_even_what_need_not_wait() -> None:
    channel: Channel[int] = Channel(2)
    await channel.writer.write(1)
    token = CancelToken()
    token.cancel()
    with pytest.raises(OperationCanceled):
        await channel.reader.read(token=token)
    with pytest.raises(OperationCanceled):
        await channel.writer.write(2, token=token)
    with pytest.raises(OperationCanceled):
        await channel.reader.wait_to_read(token=token)
    with pytest.raises(OperationCanceled):
        await channel.writer.wait_to_write(token=token)
    with pytest.raises(OperationCanceled):
        await channel.writer.reserve(token=token)
    assert channel.reader.count == 1


async def test_a_token_wakes_those_who_wait_and_their_operations_have_done_nothing() -> None:
    channel: Channel[int] = Channel(1)
    token = CancelToken()
    reading = asyncio.create_task(channel.reader.read(token=token))
    await settle()
    token.cancel()
    with pytest.raises(OperationCanceled):
        await reading
    await channel.writer.write(1)
    token = CancelToken()
    writing = asyncio.create_task(channel.writer.write(2, token=token))
    await settle()
    token.cancel()
    with pytest.raises(OperationCanceled):
        await writing
    assert await channel.reader.read() == 1
    assert channel.reader.count == 0


async def test_a_reader_cancelled_at_any_await_has_taken_nothing() -> None:
    async def scenario(run: Run) -> None:
        channel: Channel[int] = Channel(1)
        items: list[int] = []

        async def read() -> None:
            items.append(await channel.reader.read())

        other = asyncio.create_task(settle(2))
        other.add_done_callback(lambda _: channel.writer.try_write(7))
        cancelled = await run(read())
        assert items == ([] if cancelled else [7])
        await settle()
        assert channel.reader.try_read() == (7 if cancelled else None)

    assert await at_each_step(scenario) == 2


async def test_a_writer_cancelled_at_any_await_has_added_nothing() -> None:
    async def scenario(run: Run) -> None:
        channel: Channel[int] = Channel(1)
        await channel.writer.write(1)
        other = asyncio.create_task(settle(2))
        other.add_done_callback(lambda _: channel.reader.try_read())
        cancelled = await run(channel.writer.write(2))
        await settle()
        assert channel.reader.try_read() == (None if cancelled else 2)
        assert channel.writer.try_write(3)

    assert await at_each_step(scenario) == 2


async def test_who_was_cancelled_and_has_not_run_yet_is_passed_over() -> None:
    channel: Channel[int] = Channel(1)
    readers = [asyncio.create_task(channel.reader.read()) for _ in range(2)]
    await settle()
    readers[0].cancel()
    assert channel.writer.try_write(1)
    assert await readers[1] == 1
    await channel.writer.write(2)
    writers = [asyncio.create_task(channel.writer.write(number)) for number in (3, 4)]
    await settle()
    writers[0].cancel()
    assert channel.reader.try_read() == 2
    await writers[1]
    assert channel.reader.try_read() == 4


async def test_a_channel_is_not_drained_before_the_last_promised_item_is_taken() -> None:
    channel: Channel[int] = Channel()
    promised = asyncio.create_task(channel.reader.read())
    await settle()
    channel.writer.try_write(1)
    channel.writer.try_complete()
    promised.cancel()
    assert not channel.reader.drained
    # This reader comes before the other one runs, and gets what that one gives back.
    assert await channel.reader.read() == 1
    assert channel.reader.drained


async def test_a_writer_that_was_promised_room_is_refused_when_the_channel_is_completed_first() -> None:
    channel: Channel[int] = Channel(1)
    await channel.writer.write(1)
    waiting = asyncio.create_task(channel.writer.write(2))
    await settle()
    assert channel.reader.try_read() == 1
    channel.writer.try_complete()
    with pytest.raises(ChannelClosed):
        await waiting
    assert channel.reader.drained


async def test_a_channel_belongs_to_one_event_loop() -> None:
    channel: Channel[int] = Channel()
    await channel.writer.write(1)
    refused: list[BaseException] = []

    def elsewhere() -> None:
        for use in (channel.reader.try_read, lambda: channel.writer.try_write(2), channel.writer.try_complete):
            try:
                use()
            except WrongLoop as wrong:
                refused.append(wrong)
        try:
            asyncio.run(channel.reader.read())
        except WrongLoop as wrong:
            refused.append(wrong)

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert len(refused) == 4
    assert "belongs to the event loop that first used it" in str(refused[0])
    assert channel.reader.count == 1


def test_a_later_loop_of_the_same_thread_cannot_wait_at_it() -> None:
    channel: Channel[int] = Channel(1)

    async def use() -> None:
        await channel.writer.write(1)
        await channel.reader.read()

    async def wait() -> None:
        with pytest.raises(WrongLoop):
            await channel.reader.read()

    asyncio.run(use())
    asyncio.run(wait())


async def test_two_pumps_move_everything_through_a_narrow_channel() -> None:
    channel: Channel[int] = Channel(2)
    seen: list[int] = []

    async def write(start: int) -> None:
        for number in range(start, start + 100):
            await channel.writer.write(number)

    async def read() -> None:
        async for number in channel.reader:
            seen.append(number)

    readers = [asyncio.create_task(read()) for _ in range(3)]
    await asyncio.gather(write(0), write(1000))
    channel.writer.try_complete()
    await asyncio.gather(*readers)
    assert sorted(seen) == [*range(100), *range(1000, 1100)]
    assert [number for number in seen if number < 1000] == list(range(100))


async def test_what_remains_after_each_read_is_measured() -> None:
    with recording() as (recorded, _):
        channel: Channel[int] = Channel()
        waiting = asyncio.create_task(channel.reader.read())
        await settle()
        for number in range(3):
            channel.writer.try_write(number)
        await waiting
        await channel.reader.read()
        channel.reader.try_read()
        channel.reader.try_read()
    assert recorded.values(CHANNEL_DEPTH) == [2, 1, 0]
