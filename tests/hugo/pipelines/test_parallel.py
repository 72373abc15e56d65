"""Operations at once: all of them, or the first that succeeds, and nothing half done is left."""

import asyncio

import pytest

from hugo.cancellation import CancelToken
from hugo.clock import FakeClock, settle
from hugo.errors import Error, ErrorCode
from hugo.pipelines import race, when_all
from hugo.policies import ExecutionPolicy, Operation, RetryPolicy, StepContext
from hugo.result import Result, err, ok

NO = err("no")


class Booking:
    """Operations that can be undone, and what was undone."""

    def __init__(self) -> None:
        self.undone: list[str] = []

    def book(self, what: str, after: asyncio.Event | None = None) -> Operation[str]:
        async def run(step: StepContext) -> Result[str]:
            if after is not None:
                await after.wait()
            step.register_compensation(self.undone.append, what)
            return ok(what)

        return run

    def book_that_cannot_be_undone(self, what: str) -> Operation[str]:
        def jam() -> None:
            raise RuntimeError(f"{what} is jammed")

        return lambda _: ok(what).with_compensation(jam)


def fail(_: StepContext) -> Result[str]:
    return NO


async def until_stopped(step: StepContext) -> Result[str]:
    await step.token.wait()
    step.token.raise_if_cancelled()
    return ok("never")


def messages(error: Error | None) -> list[str]:
    assert error is not None
    return [each.message for each in error.get("errors", list) or []]


async def test_all_values_come_in_the_order_of_the_operations() -> None:
    gate, booking = asyncio.Event(), Booking()
    ops = [booking.book("car", gate), booking.book("room")]
    running = asyncio.ensure_future(when_all(ops))
    await settle()
    gate.set()
    result = await running
    assert result == ok(["car", "room"])
    assert len(result.compensations) == 2
    assert booking.undone == []
    assert await when_all([]) == ok([])


async def test_a_failure_waits_for_the_others_and_takes_them_back() -> None:
    gate, booking = asyncio.Event(), Booking()
    running = asyncio.ensure_future(when_all([booking.book("car", gate), fail, booking.book("room")]))
    await settle()
    assert not running.done()
    gate.set()
    result = await running
    assert result.error is NO.error
    assert booking.undone == ["room", "car"]


async def test_several_failures_are_an_aggregate() -> None:
    error = (await when_all([fail, fail])).error
    assert error is not None
    assert (error.code, error.message) == (ErrorCode.AGGREGATE, "One or more operations failed.")
    assert messages(error) == ["no", "no"]


async def test_what_cannot_be_taken_back_is_told() -> None:
    error = (await when_all([Booking().book_that_cannot_be_undone("car"), fail])).error
    assert messages(error) == ["no", "car is jammed"]


async def test_the_token_makes_it_a_cancellation_that_names_what_else_failed() -> None:
    token, booking = CancelToken(), Booking()
    running = asyncio.ensure_future(when_all([booking.book("car"), fail, until_stopped], token=token))
    await settle()
    token.cancel()
    error = (await running).error
    assert error is not None
    assert error.code == ErrorCode.CANCELED
    assert error.metadata["whenall.partialFailures"] == [NO.error]
    assert booking.undone == ["car"]


async def test_each_operation_is_retried_by_itself() -> None:
    clock = FakeClock()
    tried: list[int] = []

    def flaky(step: StepContext) -> Result[int]:
        tried.append(step.attempt)
        return ok(1) if step.attempt == 2 else NO

    policy = ExecutionPolicy(RetryPolicy.fixed(2, 1))
    running = asyncio.ensure_future(when_all([flaky, lambda _: ok(2)], policy=policy, clock=clock))
    await clock.advance_and_settle(1)
    assert await running == ok([1, 2])
    assert tried == [1, 2]


@pytest.mark.parametrize("combine", [when_all, race])
async def test_the_cancellation_of_the_task_stops_and_takes_back_everything(combine: object) -> None:
    booking, stopped, begun = Booking(), asyncio.Event(), asyncio.Event()

    async def wait(step: StepContext) -> Result[str]:
        step.register_compensation(booking.undone.append, "half")
        begun.set()
        try:
            await asyncio.Event().wait()
        finally:
            stopped.set()
        return ok("never")

    first = [booking.book("car")] if combine is when_all else []
    running = asyncio.ensure_future(combine([*first, wait]))  # type: ignore[operator]
    await begun.wait()
    await settle()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stopped.is_set()
    assert booking.undone == ["half", *(["car"] if first else [])]


async def test_the_first_success_wins_and_the_others_have_ended() -> None:
    ended = asyncio.Event()

    async def slow(step: StepContext) -> Result[str]:
        try:
            return await until_stopped(step)
        finally:
            ended.set()

    assert await race([fail, slow, lambda _: ok("won")]) == ok("won")
    assert ended.is_set()


async def test_a_success_that_is_too_late_is_taken_back() -> None:
    booking = Booking()

    async def late(step: StepContext) -> Result[str]:
        try:
            await step.token.wait()
        except asyncio.CancelledError:
            pass
        return await booking.book("late")(step)  # type: ignore[no-any-return,misc]

    assert await race([late, booking.book("first")]) == ok("first")
    assert booking.undone == ["late"]


async def test_a_race_fails_if_a_late_success_cannot_be_taken_back() -> None:
    booking = Booking()
    error = (await race([booking.book("first"), booking.book_that_cannot_be_undone("late")])).error
    assert messages(error) == ["late is jammed"]
    assert booking.undone == ["first"]


async def test_a_race_nobody_wins() -> None:
    error = (await race([fail, fail])).error
    assert error is not None
    assert (error.code, error.message) == (ErrorCode.AGGREGATE, "All operations failed.")
    assert messages(error) == ["no", "no"]
    nobody = (await race([])).error
    assert nobody is not None
    assert nobody.code == ErrorCode.VALIDATION


async def test_the_token_ends_a_race() -> None:
    token = CancelToken()
    running = asyncio.ensure_future(race([until_stopped, fail], token=token))
    await settle()
    token.cancel()
    error = (await running).error
    assert error is not None
    assert error.code == ErrorCode.CANCELED
