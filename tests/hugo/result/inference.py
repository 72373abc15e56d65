"""What a type checker infers for results, and what it refuses; `test_inference.py` runs mypy over this file.

A line that must be refused carries the error code it is refused with: an unused one is itself an error.
"""

from typing import assert_never, assert_type

from hugo.errors import Error
from hugo.optional import Option
from hugo.result import Err, Ok, Result, err, ok, try_async


def half(number: int) -> Result[float]:
    return ok(number / 2) if number % 2 == 0 else err("odd")


async def half_later(number: int) -> Result[float]:
    return half(number)


async def text_later(number: float) -> str:
    return str(number)


def chains() -> None:
    assert_type(ok(1), Result[int])
    assert_type(ok(), Result[None])
    assert_type(err("no"), Err)
    assert_type(ok(1).then(half).map(str), Result[str])
    assert_type(ok(1).map(lambda number: [number]), Result[list[int]])
    assert_type(ok(1).then(lambda number: ok(str(number)) if number else err("zero")), Result[str])
    assert_type(ok(1).ensure(lambda number: number > 0).tap(print).tap_error(print), Result[int])
    assert_type(ok(1).recover(lambda error: ok(len(error.message))), Result[int])
    assert_type(ok(1).recover(lambda error: ok(error.message)), Ok[int] | Ok[str] | Err)
    assert_type(ok(1).with_compensation(print, "undone"), Result[int])
    assert_type(ok(1).to_option().map(str), Option[str])


def ends() -> None:
    assert_type(ok(1).unwrap(), int)
    assert_type(ok(1).value, int | None)
    assert_type(ok(1).error, Error | None)
    assert_type(ok(1).value_or(2), int)
    assert_type(ok(1).value_or(None), int | None)
    assert_type(ok(1).fold(str, str), str)


async def asynchronous_chains() -> None:
    assert_type(await ok(1).then_async(half_later), Result[float])
    assert_type(await ok(1).then_async(half), Result[float])
    assert_type(await ok(1.0).map_async(text_later), Result[str])
    assert_type(await ok(1).pipe().then(half_later).then(half).map(str), Result[str])  # type: ignore[arg-type]
    assert_type(await ok(1).pipe().then(half_later).map_async(text_later).map(len), Result[int])
    assert_type(await try_async(lambda: text_later(1.0)), Result[str])


def both_cases_are_all(result: Result[int]) -> int:
    match result:
        case Ok(number):
            return assert_type(number, int)
        case Err(error):
            return len(assert_type(error, Error).message)
        case _:
            assert_never(result)


def a_test_narrows(result: Result[int]) -> int:
    if result.is_err:
        return len(result.error.message)
    return result.value


def a_narrower_result_fits(result: Result[bool]) -> Result[int]:
    return result


def refusals(result: Result[int]) -> None:
    result.then(str)  # type: ignore[arg-type]
    result.then(lambda number: number)  # type: ignore[arg-type,return-value]
    result.map(len)  # type: ignore[arg-type]
    result.value + 1  # type: ignore[operator]
    result.with_compensation(half, "not a number")  # type: ignore[arg-type]
    a_narrower_result_fits(result.map(str))  # type: ignore[arg-type]
    result.value = 2  # type: ignore[misc]
    a_narrower_result_fits(ok("text"))  # type: ignore[arg-type]
