"""The steps of a saga all happen, or what has happened is taken back."""

import asyncio

import pytest

from hugo.cancellation import CancelToken
from hugo.clock import FakeClock
from hugo.errors import ErrorCode
from hugo.policies import Compensation, ExecutionPolicy, RetryPolicy, compensate
from hugo.result import Result, err, ok
from hugo.sagas import Saga, SagaContext


class Trip:
    """Bookings and what was taken back."""

    def __init__(self) -> None:
        self.undone: list[str] = []

    def saga(self) -> Saga:
        return (
            Saga()
            .step("flight", lambda _: ok("F1"), undo=self.undone.append)
            .step("Book Hotel", self.hotel, undo=self.undo_later, key="hotel")
        )

    async def hotel(self, context: SagaContext) -> Result[str]:
        return ok("H-" + context.state["FLIGHT"])

    async def undo_later(self, booking: str) -> None:
        await asyncio.sleep(0)
        self.undone.append(booking)


def fail(_: SagaContext) -> Result[str]:
    return err("sold out")


async def test_values_are_kept_by_key_in_any_case() -> None:
    result = await Trip().saga().execute()
    state = result.unwrap()
    assert dict(state) == {"flight": "F1", "hotel": "H-F1"}
    assert state["Hotel"] == "H-F1"
    assert (state.find("HOTEL", str), state.find("hotel", int), state.find("car")) == ("H-F1", None, None)


async def test_completed_steps_are_taken_back_latest_first_by_default() -> None:
    trip = Trip()
    result = await trip.saga().step("car", fail).execute()
    assert str(result.error) == "sold out"
    assert trip.undone == ["H-F1", "F1"]


async def test_nothing_is_taken_back_if_the_policy_says_so() -> None:
    trip = Trip()
    policy = ExecutionPolicy(compensation=Compensation.NONE)
    assert (await trip.saga().step("car", fail).execute(policy=policy)).is_err
    assert trip.undone == []


async def test_every_compensation_is_tried_and_what_fails_is_told() -> None:
    trip = Trip()

    async def jam(_: str) -> Result[None]:
        return err("jammed")

    saga = trip.saga().step("insurance", lambda _: ok("I1"), undo=jam).step("car", fail)
    error = (await saga.execute()).error
    assert error is not None
    assert (error.code, error.message) == (ErrorCode.AGGREGATE, "Saga execution failed.")
    assert [each.message for each in error.get("errors", list) or []] == ["sold out", "jammed"]
    assert trip.undone == ["H-F1", "F1"]


async def test_several_compensations_of_one_step_run_latest_first() -> None:
    undone: list[int] = []

    def reserve(context: SagaContext) -> Result[int]:
        context.register_compensation(undone.append, 1)
        context.register_compensation(undone.append, 2)
        return ok(3)

    await Saga().step("seats", reserve, undo=undone.append).step("car", fail).execute()
    assert undone == [3, 2, 1]


async def test_each_step_is_tried_again_by_itself() -> None:
    clock, trip = FakeClock(), Trip()
    attempts: list[int] = []

    def flaky(context: SagaContext) -> Result[str]:
        attempts.append(context.attempt)
        return ok("C1") if context.attempt == 3 else err("busy")

    policy = ExecutionPolicy(RetryPolicy.exponential(4, 1.0, max_delay=8.0))
    running = asyncio.ensure_future(trip.saga().step("car", flaky).execute(policy=policy, clock=clock))
    await clock.advance_and_settle(3)
    assert dict((await running).unwrap()) == {"flight": "F1", "hotel": "H-F1", "car": "C1"}
    assert (attempts, trip.undone) == ([1, 2, 3], [])


async def test_a_token_that_fires_between_steps_takes_back() -> None:
    token, trip = CancelToken(), Trip()

    async def stop(_: SagaContext) -> Result[str]:
        token.cancel("enough")
        return ok("stopped")

    saga = trip.saga().step("stop", stop).step("car", lambda _: ok("never"))
    error = (await saga.execute(token=token)).error
    assert error is not None
    assert error.code == ErrorCode.CANCELED
    assert trip.undone == ["H-F1", "F1"]


async def test_the_cancellation_of_the_task_takes_back_and_propagates() -> None:
    trip, begun = Trip(), asyncio.Event()

    async def wait(_: SagaContext) -> Result[str]:
        begun.set()
        await asyncio.Event().wait()
        return ok("never")

    running = asyncio.ensure_future(trip.saga().step("car", wait).execute())
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert trip.undone == ["H-F1", "F1"]


async def test_a_saga_that_is_part_of_something_can_be_taken_back_as_a_whole() -> None:
    trip = Trip()
    result = await trip.saga().execute()
    await compensate(result.compensations)
    assert trip.undone == ["H-F1", "F1"]


async def test_a_saga_needs_steps_with_names_and_keys_of_their_own() -> None:
    error = (await Saga().execute()).error
    assert error is not None
    assert (error.code, error.message) == (ErrorCode.VALIDATION, "Saga contains no steps.")
    with pytest.raises(ValueError):
        Saga().step(" ", fail)
    with pytest.raises(ValueError):
        Saga().step("car", fail).step("CAR", fail)
