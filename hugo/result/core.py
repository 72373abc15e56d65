"""A value or an error: what a call that may fail returns.

    match withdraw(account, 20):
        case Ok(balance):
            ...
        case Err(error):
            ...

`Result[T]` is `Ok[T] | Err`, so a type checker knows that these two cases are all. Operators catch nothing: what a
callback raises propagates. Their asynchronous twins (`then_async` and so on) turn the cancellation of their own `token`
into `error.canceled`; the cancellation of the task propagates. An error that is already there always wins over a later
cancellation.
"""

import copy
from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from functools import partial
from inspect import isawaitable
from typing import TYPE_CHECKING, Any, Generic, Literal, Never, ParamSpec, Self, TypeAlias, TypeVar, overload

from hugo.cancellation import CancelToken, stopped_by
from hugo.diagnostics.instruments import RESULT_FAILURES, RESULT_SUCCESSES
from hugo.errors import Error, ErrorCode, ResultError

if TYPE_CHECKING:
    from hugo.optional import Nothing, Some
    from hugo.result.pipe import Pipe

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
U = TypeVar("U")
R = TypeVar("R")
P = ParamSpec("P")

MaybeAwaitable: TypeAlias = Awaitable[T] | T

Undo = Callable[[], object]
"""Takes back what was done. It may return an awaitable; to raise or to return an `Err` is to fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Compensated:
    """A result's compensations, oldest first."""

    compensations: tuple[Undo, ...] = field(default=(), compare=False, repr=False)

    def with_compensation(self, undo: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> Self:
        """The same result with `undo(*args, **kwargs)` attached: what runs it under a policy calls that on failure.

        Compensations survive further steps and are called latest first. `undo` may return an awaitable.
        """
        return self.with_compensations((*self.compensations, partial(undo, *args, **kwargs)))

    def with_compensations(self, compensations: tuple[Undo, ...]) -> Self:
        """The same result, not counted again, with these compensations, oldest first, in place of its own."""
        if compensations == self.compensations:
            return self
        result = copy.copy(self)
        object.__setattr__(result, "compensations", compensations)
        return result

    def _after(self, earlier: "_Compensated") -> Self:
        """The same result with the compensations of the step before."""
        return self.with_compensations(earlier.compensations + self.compensations)


# Without slots: Python 3.11 cannot call `Ok[int](1)` on a generic class that is frozen and has slots.
@dataclass(frozen=True)
class Ok(_Compensated, Generic[T_co]):
    """A value."""

    value: T_co

    def __post_init__(self) -> None:
        """Counts the success."""
        RESULT_SUCCESSES.record()

    @property
    def error(self) -> None:
        """None."""
        return None

    @property
    def is_ok(self) -> Literal[True]:
        """True."""
        return True

    @property
    def is_err(self) -> Literal[False]:
        """False."""
        return False

    def then(self, step: "Callable[[T_co], Result[U]]") -> "Result[U]":
        """The result of the next step, which gets the value."""
        return step(self.value)._after(self)

    def map(self, change: Callable[[T_co], U]) -> "Ok[U]":
        """The changed value."""
        return Ok(change(self.value))._after(self)

    def tap(self, look: Callable[[T_co], object]) -> Self:
        """The same result, after `look` was called with the value."""
        look(self.value)
        return self

    def tap_error(self, look: Callable[[Error], object]) -> Self:
        """The same result."""
        return self

    def recover(self, rescue: object) -> Self:
        """The same result."""
        return self

    def ensure(self, holds: Callable[[T_co], object], error: Callable[[T_co], Error] | None = None) -> "Self | Err":
        """The same result if `holds` is true for the value.

        Otherwise the error that `error` makes of the value, by default `error.validation`.
        """
        return self if holds(self.value) else self._unsatisfied(error)

    def fold(self, on_ok: Callable[[T_co], R], on_err: object) -> R:
        """What `on_ok` returns for the value. Hugo's name of it is `finally_`; it is no cleanup."""
        return on_ok(self.value)

    def finally_(self, on_ok: Callable[[T_co], R], on_err: object) -> R:
        """Hugo's name of `fold`."""
        return on_ok(self.value)

    def value_or(self, default: object) -> T_co:
        """The value."""
        return self.value

    def value_or_else(self, make: object) -> T_co:
        """The value."""
        return self.value

    def unwrap(self) -> T_co:
        """The value."""
        return self.value

    def to_option(self) -> "Some[T_co]":
        """Some value."""
        from hugo.optional import Some

        return Some(self.value)

    def pipe(self, *, token: CancelToken | None = None) -> "Pipe[T_co]":
        """A chain of steps, asynchronous or not, that is awaited as a whole: `await ok(1).pipe().then(f).map(g)`."""
        from hugo.result.pipe import Pipe

        return Pipe(settled(self), token)

    async def then_async(
        self, step: "Callable[[T_co], MaybeAwaitable[Result[U]]]", *, token: CancelToken | None = None
    ) -> "Result[U]":
        """`then` with a step that may be asynchronous, stopped by `token`."""
        return (await stoppable(partial(step, self.value), token))._after(self)

    async def map_async(
        self, change: Callable[[T_co], Awaitable[U]], *, token: CancelToken | None = None
    ) -> "Result[U]":
        """`map` with an asynchronous change, stopped by `token`."""

        async def changed() -> Result[U]:
            return Ok(await change(self.value))._after(self)

        return await stoppable(changed, token)

    async def tap_async(self, look: Callable[[T_co], object], *, token: CancelToken | None = None) -> "Result[T_co]":
        """`tap` with a callback that may be asynchronous, stopped by `token`."""

        async def looked() -> Result[T_co]:
            await settled(look(self.value))
            return self

        return await stoppable(looked, token)

    async def tap_error_async(self, look: object, *, token: CancelToken | None = None) -> Self:
        """The same result."""
        return self

    async def recover_async(self, rescue: object, *, token: CancelToken | None = None) -> Self:
        """The same result."""
        return self

    async def ensure_async(
        self,
        holds: Callable[[T_co], object],
        error: Callable[[T_co], Error] | None = None,
        *,
        token: CancelToken | None = None,
    ) -> "Result[T_co]":
        """`ensure` with a condition that may be asynchronous, stopped by `token`."""

        async def ensured() -> Result[T_co]:
            return self if await settled(holds(self.value)) else self._unsatisfied(error)

        return await stoppable(ensured, token)

    async def fold_async(
        self,
        on_ok: Callable[[T_co], Awaitable[R]],
        on_err: Callable[[Error], Awaitable[R]],
        *,
        token: CancelToken | None = None,
    ) -> R:
        """`fold` with asynchronous callbacks.

        Exactly one is called, once: `on_err` with `error.canceled` if `token` has fired before. What a callback raises
        propagates, be it a cancellation.
        """
        if token is not None and token.cancelled:
            return await on_err(Error.canceled(token=token))
        return await on_ok(self.value)

    def _unsatisfied(self, error: Callable[[T_co], Error] | None) -> "Err":
        if error is not None:
            return Err(error(self.value))._after(self)
        message = "The result did not satisfy the required condition."
        return Err(Error(message, ErrorCode.VALIDATION))._after(self)


@dataclass(frozen=True, slots=True)
class Err(_Compensated):
    """An error."""

    error: Error

    def __post_init__(self) -> None:
        """Counts the failure."""
        RESULT_FAILURES.record()

    @property
    def value(self) -> None:
        """None; `unwrap` is the one that raises."""
        return None

    @property
    def is_ok(self) -> Literal[False]:
        """False."""
        return False

    @property
    def is_err(self) -> Literal[True]:
        """True."""
        return True

    def then(self, step: object) -> Self:
        """The same error."""
        return self

    def map(self, change: object) -> Self:
        """The same error."""
        return self

    def tap(self, look: object) -> Self:
        """The same error."""
        return self

    def tap_error(self, look: Callable[[Error], object]) -> Self:
        """The same error, after `look` was called with it."""
        look(self.error)
        return self

    def recover(self, rescue: "Callable[[Error], Result[U]]") -> "Result[U]":
        """What `rescue` makes of the error."""
        return rescue(self.error)._after(self)

    def ensure(self, holds: object, error: object = None) -> Self:
        """The same error."""
        return self

    def fold(self, on_ok: object, on_err: Callable[[Error], R]) -> R:
        """What `on_err` returns for the error. Hugo's name of it is `finally_`; it is no cleanup."""
        return on_err(self.error)

    def finally_(self, on_ok: object, on_err: Callable[[Error], R]) -> R:
        """Hugo's name of `fold`."""
        return on_err(self.error)

    def value_or(self, default: U) -> U:
        """The default."""
        return default

    def value_or_else(self, make: Callable[[Error], U]) -> U:
        """What `make` returns for the error."""
        return make(self.error)

    def unwrap(self) -> Never:
        """Raises ResultError."""
        raise ResultError(self.error) from self.error.cause

    def to_option(self) -> "Nothing":
        """Nothing."""
        from hugo.optional import NOTHING

        return NOTHING

    def pipe(self, *, token: CancelToken | None = None) -> "Pipe[Never]":
        """A chain of steps that is awaited as a whole; here only those that look at errors will do anything."""
        from hugo.result.pipe import Pipe

        return Pipe(settled(self), token)

    async def then_async(self, step: object, *, token: CancelToken | None = None) -> Self:
        """The same error."""
        return self

    async def map_async(self, change: object, *, token: CancelToken | None = None) -> Self:
        """The same error."""
        return self

    async def tap_async(self, look: object, *, token: CancelToken | None = None) -> Self:
        """The same error."""
        return self

    async def tap_error_async(self, look: Callable[[Error], object], *, token: CancelToken | None = None) -> Self:
        """`tap_error` with a callback that may be asynchronous; `token` stops it, and the error stays."""

        async def looked() -> Self:
            await settled(look(self.error))
            return self

        await self._unless_stopped(looked, token)
        return self

    async def recover_async(
        self, rescue: "Callable[[Error], MaybeAwaitable[Result[U]]]", *, token: CancelToken | None = None
    ) -> "Result[U]":
        """`recover` with a rescue that may be asynchronous; if `token` stops it, the error it was to rescue stays."""
        rescued = await self._unless_stopped(partial(rescue, self.error), token)
        return rescued if rescued is self else rescued._after(self)

    async def ensure_async(self, holds: object, error: object = None, *, token: CancelToken | None = None) -> Self:
        """The same error."""
        return self

    async def fold_async(
        self, on_ok: object, on_err: Callable[[Error], Awaitable[R]], *, token: CancelToken | None = None
    ) -> R:
        """`fold` with an asynchronous callback."""
        return await on_err(self.error)

    async def _unless_stopped(
        self, call: "Callable[[], MaybeAwaitable[Result[U]]]", token: CancelToken | None
    ) -> "Result[U]":
        """What `call` returns; this error, which wins over the cancellation, if `token` has fired or stops it."""
        if token is not None and token.cancelled:
            return self
        try:
            return await settled(call())
        except CancelledError:
            if not stopped_by(token):
                raise
            return self


Result: TypeAlias = Ok[T] | Err
"""Either a value of type T or an error."""


@overload
def ok() -> Result[None]: ...
@overload
def ok(value: T) -> Result[T]: ...
def ok(value: Any = None) -> Result[Any]:
    """A success."""
    return Ok(value)


def err(error: Error | str | BaseException | None = None, code: str | None = None) -> Err:
    """A failure: with this error, or one made of a message or an exception, under `code` if there is one.

    Without anything it is `error.unspecified`.
    """
    if error is None:
        error = Error.unspecified()
    elif isinstance(error, str):
        error = Error(error)
    elif isinstance(error, BaseException):
        error = Error.from_exception(error)
    return Err(error if code is None else error.with_code(code))


async def settled(value: MaybeAwaitable[T]) -> T:
    """The value, awaited if it has to be."""
    return await value if isawaitable(value) else value


async def stoppable(call: Callable[[], MaybeAwaitable[Result[T]]], token: CancelToken | None) -> Result[T]:
    """What `call` returns, or `error.canceled` if `token` has fired or stops it; what else is raised propagates."""
    if token is not None and token.cancelled:
        return err(Error.canceled(token=token))
    try:
        return await settled(call())
    except CancelledError:
        if not stopped_by(token):
            raise
        return err(Error.canceled(token=token))
