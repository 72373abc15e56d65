"""From exceptions and None to results."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from hugo.cancellation import CancelToken
from hugo.errors import Error
from hugo.result.awaiting import MaybeAwaitable
from hugo.result.core import Result, err, ok
from hugo.result.failure import stoppable

T = TypeVar("T")

OnError = Callable[[Exception], Error | None]
"""The error for an exception; None for the usual one."""


def try_(call: Callable[[], T], *, on_error: OnError | None = None) -> Result[T]:
    """What `call` returns; what it raises becomes an error, by default `error.exception`. Cancellation propagates."""
    try:
        return ok(call())
    except Exception as exception:
        return err(_error(exception, on_error))


async def try_async(
    call: Callable[[], Awaitable[T]], *, on_error: OnError | None = None, token: CancelToken | None = None
) -> Result[T]:
    """The same for an asynchronous call; if `token` stops it, the error is `error.canceled`."""

    async def succeed() -> Result[T]:
        return ok(await call())

    return await attempt(succeed, token, on_error=on_error)


async def attempt(
    call: Callable[[], MaybeAwaitable[Result[T]]], token: CancelToken | None = None, *, on_error: OnError | None = None
) -> Result[T]:
    """The result that `call` returns; what it raises becomes an error, as with `try_async`."""
    try:
        return await stoppable(call, token)
    except Exception as exception:
        return err(_error(exception, on_error))


def from_optional(value: T | None, error: Callable[[], Error] = Error.unspecified) -> Result[T]:
    """The value, or the error that `error` makes if it is None."""
    return err(error()) if value is None else ok(value)


def _error(exception: Exception, on_error: OnError | None) -> Error:
    return (on_error(exception) if on_error is not None else None) or Error.from_exception(exception)
