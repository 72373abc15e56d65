"""Select chooses by rule: what is ready, then priority, then the order of naming."""

import asyncio
from typing import Any

import pytest

from hugo.cancellation import CancelToken
from hugo.channels import Channel
from hugo.clock import FakeClock, settle
from hugo.diagnostics import configure, instruments, reset
from hugo.diagnostics.memory import Recorded
from hugo.result import Result, err, ok
from hugo.select import SelectBuilder, on, select
from hugo.timers import after
from tests.hugo.stepping import Run, at_each_step


def channels(*items: int | None) -> list[Channel[int]]:
    """Channels with one item each, or none."""
    made: list[Channel[int]] = [Channel() for _ in items]
    for channel, item in zip(made, items, strict=True):
        if item is not None:
            channel.writer.try_write(item)
    return made


def code(result: Result[Any]) -> str | None:
    return None if result.error is None else result.error.code


async def test_the_lowest_priority_number_wins_then_the_first_named() -> None:
    one, two, three = channels(1, 2, 3)
    cases = [on(one.reader, str, priority=1), on(two.reader, str), on(three.reader, str)]
    assert [(await select(*cases)).value for _ in range(3)] == ["2", "3", "1"]


async def test_a_linked_handler_gets_a_token_that_lasts_as_long_as_it_does() -> None:
    outer, (one,) = CancelToken(), channels(1)
    seen: list[CancelToken] = []

    async def handle(item: int, token: CancelToken) -> int:
        seen.append(token)
        assert not token.cancelled
        return item

    builder: SelectBuilder[int] = SelectBuilder(token=outer)
    assert (await builder.case(one.reader, handle, linked=True).execute()).value == 1
    assert seen[0].cancelled
    assert not outer.cancelled


async def test_the_token_of_a_select_stops_a_linked_handler() -> None:
    outer, (one,) = CancelToken(), channels(1)

    async def handle(_: int, token: CancelToken) -> None:
        outer.cancel("enough")
        token.raise_if_cancelled()

    assert code(await select(on(one.reader, handle, linked=True), token=outer)) == "error.canceled"


async def test_only_the_chosen_channel_loses_an_item() -> None:
    one, two = channels(1, 2)
    await select(on(one.reader, str), on(two.reader, str))
    assert (one.reader.count, two.reader.count) == (0, 1)


async def test_it_waits_for_the_first_item_and_applies_the_same_rule_then() -> None:
    one, two = channels(None, None)
    waiting = asyncio.create_task(select(on(one.reader, str, priority=5), on(two.reader, str)))
    await settle()
    one.writer.try_write(1)
    two.writer.try_write(2)
    assert (await waiting).value == "2"
    assert one.reader.count == 1


async def test_the_default_is_taken_only_if_nothing_is_ready() -> None:
    one, two = channels(1, None)
    assert (await select(on(one.reader, str), default=lambda: "default")).value == "1"
    assert (await select(on(one.reader, str), on(two.reader, str), default=lambda: "default")).value == "default"
    assert (await select(default=lambda: "alone")).value == "alone"


async def test_a_handler_may_return_a_result_or_be_asynchronous_or_raise() -> None:
    async def later(number: int) -> int:
        await asyncio.sleep(0)
        return number + 1

    (one,) = channels(1)
    assert (await select(on(one.reader, lambda number: ok(number)))).value == 1
    one.writer.try_write(1)
    assert (await select(on(one.reader, later))).value == 2
    one.writer.try_write(1)
    assert code(await select(on(one.reader, lambda _: err("no", "app.no")))) == "app.no"
    one.writer.try_write(1)
    assert code(await select(on(one.reader, lambda _: [].pop()))) == "error.exception"


async def test_nothing_within_the_timeout_is_an_error() -> None:
    clock = FakeClock()
    (one,) = channels(None)
    waiting = asyncio.create_task(select(on(one.reader, str), timeout=3, clock=clock))
    await clock.advance_and_settle(2)
    assert not waiting.done()
    await clock.advance_and_settle(1)
    error = (await waiting).error
    assert error is not None
    assert error.code == "error.timeout"
    assert error.metadata["duration"].total_seconds() == 3
    assert clock.next_due is None
    assert code(await select(on(one.reader, str), timeout=0, clock=clock)) == "error.timeout"


async def test_the_token_is_an_error_before_or_while_it_waits() -> None:
    one, _ = channels(None, None)
    token = CancelToken()
    waiting = asyncio.create_task(select(on(one.reader, str), token=token))
    await settle()
    token.cancel()
    assert code(await waiting) == "error.canceled"
    one.writer.try_write(1)
    assert code(await select(on(one.reader, str), token=token)) == "error.canceled"
    assert one.reader.count == 1


async def test_completed_channels_are_left_out_and_when_none_is_left_that_is_an_error() -> None:
    one, two = channels(None, None)
    one.writer.try_complete()
    waiting = asyncio.create_task(select(on(one.reader, str), on(two.reader, str)))
    await settle()
    assert not waiting.done()
    two.writer.try_complete()
    result = await waiting
    assert str(result.error) == ("error.select.drained: All channel cases completed without yielding a value.")


async def test_a_channel_completed_with_an_exception_is_an_error() -> None:
    one, two = channels(None, None)
    waiting = asyncio.create_task(select(on(one.reader, str), on(two.reader, str)))
    await settle()
    two.writer.try_complete(KeyError("gone"))
    result = await waiting
    assert code(result) == "error.exception"
    assert isinstance(result.error and result.error.cause, KeyError)


async def test_a_channel_that_a_token_ended_is_an_error_too() -> None:
    token = CancelToken()
    reader = after(5, clock=FakeClock(), token=token)
    token.cancel()
    assert code(await select(on(reader, str))) == "error.canceled"


async def test_who_was_too_slow_goes_on_waiting() -> None:
    one, two = channels(None, None)
    waiting = asyncio.create_task(select(on(one.reader, str), on(two.reader, str)))
    await settle()
    one.writer.try_write(1)
    assert one.reader.try_read() == 1
    await settle()
    assert not waiting.done()
    two.writer.try_write(2)
    assert (await waiting).value == "2"


async def test_a_select_without_anything_to_wait_for_is_refused() -> None:
    with pytest.raises(ValueError):
        await select()
    with pytest.raises(RuntimeError):
        await SelectBuilder[str]().execute()
    with pytest.raises(ValueError):
        await select(default=str, timeout=-1)
    with pytest.raises(ValueError):
        SelectBuilder[str]().default(str).default(str)
    with pytest.raises(ValueError):
        SelectBuilder[str]().deadline(-1, str)


async def test_the_builder_collects_cases_with_priorities_and_a_default() -> None:
    one, two = channels(1, 2)

    def build() -> SelectBuilder[str]:
        return SelectBuilder[str]().case(one.reader, str, priority=1).case(two.reader, str).default(lambda: "none")

    assert [(await build().execute()).value for _ in range(3)] == ["2", "1", "none"]


async def test_a_deadline_counts_from_when_it_was_added() -> None:
    clock = FakeClock()
    (one,) = channels(None)
    builder = SelectBuilder[str](clock=clock).case(one.reader, str).deadline(5, lambda moment: moment.isoformat())
    clock.advance(3)
    waiting = asyncio.create_task(builder.execute())
    await clock.advance_and_settle(2)
    assert (await waiting).value == "2000-01-01T00:00:05+00:00"


async def test_a_deadline_that_has_passed_competes_by_priority() -> None:
    clock = FakeClock()
    (one,) = channels(1)
    early = SelectBuilder[str](clock=clock).case(one.reader, str).deadline(1, lambda _: "late", priority=-1)
    clock.advance(1)
    assert (await early.execute()).value == "late"
    later = SelectBuilder[str](clock=clock).case(one.reader, str).deadline(0, lambda _: "late", priority=1)
    assert (await later.execute()).value == "1"


async def test_a_select_cancelled_at_any_await_has_taken_nothing_unless_its_handler_ran() -> None:
    async def scenario(run: Run) -> None:
        one, two = channels(None, None)
        handled: list[int] = []

        async def handle(number: int) -> None:
            handled.append(number)
            await asyncio.sleep(0)

        other = asyncio.create_task(settle(2))
        other.add_done_callback(lambda _: two.writer.try_write(7))
        await run(select(on(one.reader, handle), on(two.reader, handle)))
        await settle()
        assert (handled, two.reader.count) in (([7], 0), ([], 1))
        assert not one.reader.watchers.futures
        assert not two.reader.watchers.futures

    assert await at_each_step(scenario) == 4


async def test_outcomes_are_counted_and_timed() -> None:
    recorded, clock = Recorded(), FakeClock()
    configure(recorder=recorded)
    try:
        (one,) = channels(1)
        token = CancelToken()
        token.cancel()
        await select(on(one.reader, str))
        await select(on(one.reader, str), timeout=0)
        await select(on(one.reader, str), token=token)
        waiting = asyncio.create_task(select(on(one.reader, str), timeout=2, clock=clock))
        await clock.advance_and_settle(2)
        await waiting
    finally:
        reset()
    assert recorded.total(instruments.CHANNEL_SELECT_ATTEMPTS) == 4
    assert recorded.total(instruments.CHANNEL_SELECT_COMPLETIONS) == 1
    assert recorded.total(instruments.CHANNEL_SELECT_TIMEOUTS) == 2
    assert recorded.total(instruments.CHANNEL_SELECT_CANCELLATIONS) == 1
    assert recorded.values(instruments.CHANNEL_SELECT_LATENCY)[-1] == 2000
