"""Lanes of a prioritised channel: the most urgent first, and none overtaken by what was written later."""

import asyncio
from typing import Any

import pytest

from hugo.channels import ChannelClosed, FullMode, PrioritizedChannel
from hugo.clock import settle


async def test_the_most_urgent_lane_is_read_first_and_each_in_order() -> None:
    channel: PrioritizedChannel[str] = PrioritizedChannel(3)
    for item, priority in [("c1", 2), ("a1", 0), ("b1", 1), ("c2", None), ("a2", 0)]:
        await channel.writer.write(item, priority)
    channel.writer.try_complete()
    assert [item async for item in channel.reader] == ["a1", "a2", "b1", "c1", "c2"]


async def test_an_urgent_item_passes_what_was_there_before() -> None:
    channel: PrioritizedChannel[str] = PrioritizedChannel(2, prefetch=5)
    for number in range(3):
        await channel.writer.write(f"slow{number}", 1)
    assert await channel.reader.read() == "slow0"
    await channel.writer.write("urgent", 0)
    assert await channel.reader.read() == "urgent"


async def test_three_levels_of_which_the_last_is_the_default() -> None:
    channel: PrioritizedChannel[str] = PrioritizedChannel()
    assert (channel.levels, channel.default_priority) == (3, 2)
    other: PrioritizedChannel[str] = PrioritizedChannel(default_priority=0)
    await other.writer.write("low", 1)
    await other.writer.write("default")
    assert await other.reader.read() == "default"


@pytest.mark.parametrize(
    "wrong",
    [{"levels": 0}, {"prefetch": 0}, {"capacity_per_level": 0}, {"default_priority": 3}, {"default_priority": -1}],
)
def test_numbers_out_of_range_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError):
        PrioritizedChannel(**wrong)


@pytest.mark.parametrize("priority", [-1, 3])
async def test_a_lane_that_is_not_there_is_refused(priority: int) -> None:
    channel: PrioritizedChannel[int] = PrioritizedChannel()
    with pytest.raises(ValueError):
        await channel.writer.write(1, priority)
    with pytest.raises(ValueError):
        channel.writer.try_write(1, priority)


async def test_each_lane_has_its_own_capacity() -> None:
    channel: PrioritizedChannel[str] = PrioritizedChannel(2, capacity_per_level=1)
    assert channel.writer.try_write("a", 0)
    assert channel.writer.try_write("b", 1)
    waiting = asyncio.create_task(channel.writer.write("b2", 1))
    room = asyncio.create_task(channel.writer.wait_to_write(1))
    await settle()
    assert await channel.reader.read() == "a"
    await settle()
    assert not waiting.done()
    assert await channel.reader.read() == "b"
    await waiting
    assert await channel.reader.read() == "b2"
    assert await room


async def test_a_lane_drops_by_its_mode() -> None:
    channel: PrioritizedChannel[int] = PrioritizedChannel(2, capacity_per_level=1, full_mode=FullMode.DROP_OLDEST)
    for number in range(3):
        await channel.writer.write(number)
    assert await channel.reader.read() == 2
    assert channel.reader.count == 0


async def test_completion_ends_all_lanes_with_its_error() -> None:
    channel: PrioritizedChannel[int] = PrioritizedChannel(2, capacity_per_level=1)
    await channel.writer.write(1, 1)
    waiting = asyncio.create_task(channel.writer.write(2, 1))
    await settle()
    assert channel.writer.try_complete(KeyError("gone"))
    assert not channel.writer.try_complete()
    with pytest.raises(ChannelClosed):
        await waiting
    assert await channel.reader.read() == 1
    with pytest.raises(KeyError):
        await channel.reader.read()
