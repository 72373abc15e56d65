"""A result is a value or an error, and every operator leaves the one it is not about alone."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hugo.cancellation import CancelToken
from hugo.diagnostics.instruments import RESULT_FAILURES, RESULT_SUCCESSES
from hugo.diagnostics.memory import recording
from hugo.errors import Error, ErrorCode, ResultError
from hugo.optional import NOTHING, Some
from hugo.result import Err, Ok, Result, err, ok

FAILURE = err("no", "test.failed")

results = some.one_of(some.integers().map(ok), some.just(FAILURE))
functions: some.SearchStrategy[Callable[[int], int]] = some.sampled_from([lambda n: n + 1, lambda n: -n, hash])
steps: some.SearchStrategy[Callable[[int], Result[int]]] = some.sampled_from(
    [ok, lambda n: ok(n * 2), lambda n: ok(n) if n > 0 else FAILURE]
)


def fired() -> CancelToken:
    token = CancelToken()
    token.cancel("enough")
    return token


def never(_: Any) -> Any:
    raise AssertionError("This must not be called.")


@given(results)
def test_mapping_nothing_changes_nothing(result: Result[int]) -> None:
    assert result.map(lambda value: value) == result


@given(results, functions, functions)
def test_two_maps_are_one(result: Result[int], f: Callable[[int], int], g: Callable[[int], int]) -> None:
    assert result.map(f).map(g) == result.map(lambda value: g(f(value)))


@given(some.integers(), steps)
def test_ok_is_neutral_before_a_step(value: int, step: Callable[[int], Result[int]]) -> None:
    assert ok(value).then(step) == step(value)


@given(results)
def test_ok_is_neutral_after_a_step(result: Result[int]) -> None:
    assert result.then(ok) == result


@given(results, steps, steps)
def test_steps_associate(result: Result[int], f: Callable[[int], Result[int]], g: Callable[[int], Result[int]]) -> None:
    assert result.then(f).then(g) == result.then(lambda value: f(value).then(g))


@given(results, steps)
async def test_the_asynchronous_twins_agree(result: Result[int], step: Callable[[int], Result[int]]) -> None:
    async def later(value: int) -> Result[int]:
        await asyncio.sleep(0)
        return step(value)

    async def negated(value: int) -> int:
        return -value

    async def rescue(error: Error) -> Result[int]:
        return ok(len(error.message))

    async def positive(value: int) -> bool:
        return value > 0

    async def width(value: int) -> str:
        return str(value)

    async def message(error: Error) -> str:
        return error.message

    assert await result.then_async(later) == await result.then_async(step) == result.then(step)
    assert await result.map_async(negated) == result.map(lambda value: -value)
    assert await result.recover_async(rescue) == result.recover(lambda error: ok(len(error.message)))
    assert (await result.ensure_async(positive)).is_ok == result.ensure(lambda value: value > 0).is_ok
    assert await result.fold_async(width, message) == result.fold(str, lambda error: error.message)
    chained = await result.pipe().then(later).map(str).ensure(bool).recover(lambda error: ok(error.message))
    assert chained == result.then(step).map(str).recover(lambda error: ok(error.message))


def test_a_failure_has_no_value_and_does_not_raise() -> None:
    assert (FAILURE.value, FAILURE.is_ok, FAILURE.is_err) == (None, False, True)
    assert (ok(1).error, ok(1).is_ok, ok(1).is_err) == (None, True, False)


def test_unwrapping_a_failure_raises_its_error() -> None:
    cause = KeyError("gone")
    with pytest.raises(ResultError) as raised:
        err(cause).unwrap()
    assert raised.value.error.code == ErrorCode.EXCEPTION
    assert raised.value.__cause__ is cause


def test_a_failure_always_carries_an_error() -> None:
    assert err().error.code == ErrorCode.UNSPECIFIED
    assert err("no").error.message == "no"
    assert err("no", "mine").error.code == "mine"
    assert err(ValueError("bad"), ErrorCode.VALIDATION).error.code == ErrorCode.VALIDATION


def test_failures_are_equal_by_the_identity_of_their_error() -> None:
    error = Error("no")
    assert err(error) == err(error)
    assert err("no") != err("no")
    assert ok(1) == ok(1) != ok(2)


def test_an_error_passes_every_step_as_the_same_object() -> None:
    assert FAILURE.then(never) is FAILURE
    assert FAILURE.map(never) is FAILURE
    assert FAILURE.tap(never) is FAILURE
    assert FAILURE.ensure(never) is FAILURE
    assert ok(1).recover(never) == ok(1).tap_error(never) == ok(1)


def test_taps_see_what_there_is() -> None:
    seen: list[object] = []
    ok(1).tap(seen.append).tap_error(never)
    FAILURE.tap(never).tap_error(seen.append)
    assert seen == [1, FAILURE.error]


def test_a_condition_that_does_not_hold_is_a_validation_error() -> None:
    error = ok(1).ensure(lambda value: value > 1).error
    assert error is not None
    assert (error.code, error.message) == (
        ErrorCode.VALIDATION,
        "The result did not satisfy the required condition.",
    )
    named = ok(1).ensure(lambda value: value > 1, lambda value: Error(f"{value} is too small"))
    assert str(named.error) == "1 is too small"


def test_a_fold_calls_one_callback_once() -> None:
    assert ok(1).fold(str, never) == ok(1).finally_(str, never) == "1"
    assert FAILURE.fold(never, str) == FAILURE.finally_(never, str) == "test.failed: no"


def test_defaults_and_options() -> None:
    assert (ok(1).value_or(2), FAILURE.value_or(2)) == (1, 2)
    assert (ok(1).value_or_else(never), FAILURE.value_or_else(str)) == (1, "test.failed: no")
    assert (ok(None).to_option(), FAILURE.to_option()) == (Some(None), NOTHING)


def test_what_a_callback_raises_propagates() -> None:
    with pytest.raises(ZeroDivisionError):
        ok(0).map(lambda value: 1 // value)


def test_results_count_once_and_not_again_when_they_pass() -> None:
    with recording() as (recorded, _):
        ok(1).with_compensation(print).tap(str).recover(never)
        failure = err("no")
        failure.map(never).then(never).with_compensation(print)
    assert (recorded.total(RESULT_SUCCESSES), recorded.total(RESULT_FAILURES)) == (1, 1)


def test_compensations_survive_later_steps_in_order() -> None:
    called: list[int] = []
    result = (
        ok(1)
        .with_compensation(called.append, 1)
        .then(lambda value: ok(value).with_compensation(called.append, 2))
        .map(str)
        .ensure(lambda _: False)
        .with_compensation(called.append, 3)
        .recover(lambda _: ok("rescued"))
    )
    for undo in result.compensations:
        undo()
    assert called == [1, 2, 3]
    assert result == ok("rescued")


def test_cases_match() -> None:
    results: list[Result[int]] = [ok(1), FAILURE]
    found: list[object] = []
    for result in results:
        match result:
            case Ok(value):
                found.append(value)
            case Err(error):
                found.append(error)
    assert found == [1, FAILURE.error]


def test_the_type_of_a_value_may_be_spelled_out() -> None:
    assert Ok[int](1) == ok(1)
    assert Some[int](1) == Some(1)


def test_results_are_immutable() -> None:
    with pytest.raises(AttributeError):
        ok(1).value = 2  # type: ignore[misc]


TWINS: list[Callable[[Result[int], Any, CancelToken], Awaitable[Result[Any]]]] = [
    lambda result, call, token: result.then_async(call, token=token),
    lambda result, call, token: result.map_async(call, token=token),
    lambda result, call, token: result.tap_async(call, token=token),
    lambda result, call, token: result.ensure_async(call, token=token),
    lambda result, call, token: result.pipe(token=token).map(call),
    lambda result, call, token: result.pipe(token=token).map_async(call),
]


@pytest.mark.parametrize("twin", TWINS)
async def test_a_token_that_has_fired_stops_a_success_and_leaves_an_error(twin: Any) -> None:
    stopped = await twin(ok(1), never, fired())
    assert stopped.error.code == ErrorCode.CANCELED
    assert await twin(FAILURE, never, fired()) is FAILURE


@pytest.mark.parametrize("twin", [TWINS[0], TWINS[1], TWINS[2], TWINS[3], TWINS[5]])
async def test_a_token_that_fires_during_a_step_stops_it(twin: Any) -> None:
    token = CancelToken()

    async def step(_: int) -> None:
        token.cancel("enough")
        token.raise_if_cancelled()

    stopped = await twin(ok(1), step, token)
    assert stopped.error.code == ErrorCode.CANCELED


async def test_a_rescue_that_is_stopped_leaves_the_error() -> None:
    token = CancelToken()

    async def stop(_: object) -> Result[int]:
        token.cancel()
        token.raise_if_cancelled()
        return ok(1)

    assert await FAILURE.recover_async(stop, token=token) is FAILURE
    assert await FAILURE.recover_async(never, token=fired()) is FAILURE
    assert await FAILURE.tap_error_async(never, token=fired()) is FAILURE


@pytest.mark.parametrize("twin", [TWINS[0], TWINS[1], TWINS[2], TWINS[3], TWINS[5]])
async def test_the_cancellation_of_the_task_propagates_even_beside_a_fired_token(twin: Any) -> None:
    token = CancelToken()
    waiting = asyncio.Event()

    async def step(_: int) -> None:
        waiting.set()
        await asyncio.Event().wait()

    task = asyncio.ensure_future(twin(ok(1), step, token))
    await waiting.wait()
    token.cancel()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_taps_of_a_pipe_see_what_there_is() -> None:
    seen: list[object] = []

    async def see(value: object) -> None:
        seen.append(value)

    assert await ok(1).pipe().tap(see).tap_error(see) == ok(1)
    assert await FAILURE.pipe().tap(see).tap_error(see) is FAILURE
    assert await ok(1).recover_async(never) == ok(1)
    assert seen == [1, FAILURE.error]


async def test_a_rescue_whose_task_is_cancelled_propagates() -> None:
    async def rescue(_: Error) -> Result[int]:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await FAILURE.recover_async(rescue, token=CancelToken())


async def test_a_cancellation_without_a_token_propagates() -> None:
    async def step(_: int) -> Result[int]:
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await ok(1).then_async(step)
    with pytest.raises(asyncio.CancelledError):
        await ok(1).then_async(step, token=CancelToken())


async def test_an_asynchronous_fold_calls_the_error_callback_once_when_its_token_has_fired() -> None:
    seen: list[Error] = []

    async def see(error: Error) -> None:
        seen.append(error)

    await ok(1).fold_async(never, see, token=fired())
    assert [error.code for error in seen] == [ErrorCode.CANCELED]
