"""Exceptions become errors, cancellation by a token does too, cancellation of the task does not."""

import asyncio

import pytest

from hugo.cancellation import CancelToken
from hugo.errors import Error, ErrorCode
from hugo.result import Ok, Result, attempt, err, from_optional, ok, try_, try_async


def fail() -> int:
    raise KeyError("gone")


async def fail_later() -> int:
    return fail()


async def test_what_a_call_raises_becomes_an_error() -> None:
    assert try_(lambda: 1) == ok(1)
    for result in (try_(fail), await try_async(fail_later)):
        assert result.error is not None
        assert result.error.code == ErrorCode.EXCEPTION
        assert isinstance(result.error.cause, KeyError)
        assert result.error.get("exceptionType") == "KeyError"


async def test_the_caller_may_name_the_error_or_leave_it() -> None:
    assert str(try_(fail, on_error=lambda exception: Error(f"no {exception}")).error) == "no 'gone'"
    usual = await try_async(fail_later, on_error=lambda _: None)
    assert usual.error is not None
    assert usual.error.code == ErrorCode.EXCEPTION


async def test_cancellation_is_an_error_only_if_the_own_token_did_it() -> None:
    token = CancelToken()

    async def stop() -> int:
        token.cancel("enough")
        token.raise_if_cancelled()
        return 1

    with pytest.raises(asyncio.CancelledError):
        await try_async(stop)
    result = await try_async(stop, token=token)
    assert result.error is not None
    assert result.error.code == ErrorCode.CANCELED
    with pytest.raises(asyncio.CancelledError):
        try_(token.raise_if_cancelled)


async def test_an_attempt_keeps_the_result() -> None:
    async def succeed() -> Result[int]:
        return ok(1)

    failure = err("no")
    assert await attempt(succeed) == Ok(1)
    assert await attempt(lambda: failure) is failure
    assert (await attempt(lambda: ok(fail()))).is_err


def test_none_becomes_an_error() -> None:
    assert from_optional(0) == ok(0)
    missing: Result[int] = from_optional(None, lambda: Error("missing"))
    assert str(missing.error) == "missing"
