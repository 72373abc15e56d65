"""Select beside a model: which channel is chosen does not depend on timing, and no item is lost or taken twice."""

import asyncio

from hypothesis import given, settings
from hypothesis import strategies as st

from hugo.channels import Channel
from hugo.clock import settle
from hugo.select import on, select, select_fan_in

contents = st.lists(st.lists(st.integers(), max_size=4), min_size=1, max_size=4)


@given(contents, st.data())
@settings(deadline=None)
def test_the_choice_is_the_ready_channel_with_the_least_priority_then_place(
    items: list[list[int]], data: st.DataObject
) -> None:
    priorities = data.draw(st.lists(st.integers(-1, 1), min_size=len(items), max_size=len(items)))

    async def scenario() -> None:
        channels: list[Channel[int]] = [Channel() for _ in items]
        for channel, content in zip(channels, items, strict=True):
            for item in content:
                channel.writer.try_write(item)
            channel.writer.try_complete()
        cases = [
            on(channel.reader, lambda item, place=place: (place, item), priority=priorities[place])  # type: ignore[misc]
            for place, channel in enumerate(channels)
        ]
        left = [list(content) for content in items]
        while any(left):
            place = min((place for place, content in enumerate(left) if content), key=lambda place: priorities[place])
            assert (await select(*cases)).value == (place, left[place].pop(0))
        error = (await select(*cases)).error
        assert error is not None
        assert error.code == "error.select.drained"

    asyncio.run(scenario())


@given(contents)
@settings(deadline=None)
def test_busy_channels_take_turns_and_each_keeps_its_order(items: list[list[int]]) -> None:
    async def scenario() -> None:
        channels: list[Channel[tuple[int, int]]] = [Channel() for _ in items]
        for place, content in enumerate(items):
            for item in content:
                channels[place].writer.try_write((place, item))
            channels[place].writer.try_complete()
        seen: list[tuple[int, int]] = []
        assert (await select_fan_in([channel.reader for channel in channels], seen.append)).is_ok
        longest = max(map(len, items))
        turns = [
            (p, content[turn]) for turn in range(longest) for p, content in enumerate(items) if turn < len(content)
        ]
        assert seen == turns

    asyncio.run(scenario())


@given(st.lists(st.sampled_from(["write", "select", "cancel"]), max_size=30), st.data())
@settings(deadline=None, max_examples=60)
def test_selects_that_compete_and_are_cancelled_lose_nothing(actions: list[str], data: st.DataObject) -> None:
    async def scenario() -> None:
        channels: list[Channel[int]] = [Channel() for _ in range(2)]
        selects: list[asyncio.Task[object]] = []
        written = 0
        taken: list[int] = []
        for action in actions:
            if action == "write":
                written += 1
                channels[data.draw(st.integers(0, 1))].writer.try_write(written)
            elif action == "select":
                cases = [on(channel.reader, taken.append) for channel in channels]
                selects.append(asyncio.create_task(select(*cases)))
            elif selects:
                selects[data.draw(st.integers(0, len(selects) - 1))].cancel()
            if data.draw(st.booleans()):
                await settle(5)
        await settle(10)
        left = [item for channel in channels for item in iter(channel.reader.try_read, None)]
        assert sorted(taken + left) == list(range(1, written + 1))
        # As long as there is an item, nobody waits.
        assert not left or all(task.done() for task in selects)
        for task in selects:
            task.cancel()
        await asyncio.gather(*selects, return_exceptions=True)

    asyncio.run(scenario())
