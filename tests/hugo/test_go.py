"""The facade: a small program written with what it offers."""

import hugo.go
from hugo.clock import FakeClock
from hugo.go import UNIT, ErrGroup, Result, WaitGroup, after, defer, err, make_channel, ok, on, select, ticker


async def test_a_pipeline_of_stages_joined_by_channels() -> None:
    numbers, squares = make_channel(2), make_channel(2)
    log: list[str] = []

    async def produce() -> Result[None]:
        with defer(numbers.writer.try_complete):
            for number in range(5):
                await numbers.writer.write(number)
        return ok(UNIT)

    async def square() -> Result[None]:
        with defer(squares.writer.try_complete), defer(log.append, "squared"):
            async for number in numbers.reader:
                await squares.writer.write(number * number)
        return ok()

    async with ErrGroup() as group, WaitGroup() as waiting:
        group.go(produce)
        group.go(square)
        seen: list[int] = []

        async def consume() -> None:
            async for number in squares.reader:
                seen.append(number)

        waiting.go(consume)
        assert (await group.wait()).is_ok
    assert seen == [0, 1, 4, 9, 16]
    assert log == ["squared"]


async def test_a_select_between_a_ticker_and_a_timeout() -> None:
    clock = FakeClock()
    async with ticker(2, clock=clock) as ticks:
        timeout = after(3, clock=clock)
        cases = [on(timeout, lambda _: err("too late")), on(ticks.reader, lambda moment: ok(moment.second))]
        clock.advance(2)
        assert (await select(*cases)).value == 2
        clock.advance(2)
        assert (await select(*cases)).is_err


def test_every_name_of_the_facade_is_there() -> None:
    assert all(hasattr(hugo.go, name) for name in hugo.go.__all__)
