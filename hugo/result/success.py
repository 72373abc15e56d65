"""`Ok`: the case of a result in which there is a value."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Generic, Literal, Self, TypeVar

from hugo.cancellation import CancelToken
from hugo.diagnostics.instruments import RESULT_SUCCESSES
from hugo.errors import Error, ErrorCode
from hugo.result.awaiting import MaybeAwaitable, settled
from hugo.result.compensated import Compensated
from hugo.result.failure import Err, stoppable

if TYPE_CHECKING:
    from hugo.optional import Some
    from hugo.result.core import Result
    from hugo.result.pipe import Pipe

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")
R = TypeVar("R")


# Without slots: Python 3.11 cannot call `Ok[int](1)` on a generic class that is frozen and has slots.
@dataclass(frozen=True)
class Ok(Compensated, Generic[T_co]):
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
        return step(self.value).after(self)

    def map(self, change: Callable[[T_co], U]) -> "Ok[U]":
        """The changed value."""
        return Ok(change(self.value)).after(self)

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
        return (await stoppable(partial(step, self.value), token)).after(self)

    async def map_async(
        self, change: Callable[[T_co], Awaitable[U]], *, token: CancelToken | None = None
    ) -> "Result[U]":
        """`map` with an asynchronous change, stopped by `token`."""

        async def changed() -> "Result[U]":
            return Ok(await change(self.value)).after(self)

        return await stoppable(changed, token)

    async def tap_async(self, look: Callable[[T_co], object], *, token: CancelToken | None = None) -> "Result[T_co]":
        """`tap` with a callback that may be asynchronous, stopped by `token`."""

        async def looked() -> "Result[T_co]":
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

        async def ensured() -> "Result[T_co]":
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
            return Err(error(self.value)).after(self)
        message = "The result did not satisfy the required condition."
        return Err(Error(message, ErrorCode.VALIDATION)).after(self)
