"""`Err`: the case of a result in which there is an error."""

from asyncio import CancelledError
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Literal, Never, Self, TypeVar

from hugo.cancellation import CancelToken, stopped_by
from hugo.diagnostics.instruments import RESULT_FAILURES
from hugo.errors import Error, ResultError
from hugo.result.awaiting import MaybeAwaitable, settled
from hugo.result.compensated import Compensated

if TYPE_CHECKING:
    from hugo.optional import Nothing
    from hugo.result.core import Result
    from hugo.result.pipe import Pipe

T = TypeVar("T")
U = TypeVar("U")
R = TypeVar("R")


@dataclass(frozen=True, slots=True)
class Err(Compensated):
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
        return rescue(self.error).after(self)

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
        return rescued if rescued is self else rescued.after(self)

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


async def stoppable(call: "Callable[[], MaybeAwaitable[Result[T]]]", token: CancelToken | None) -> "Result[T]":
    """What `call` returns, or `error.canceled` if `token` has fired or stops it; what else is raised propagates."""
    if token is not None and token.cancelled:
        return Err(Error.canceled(token=token))
    try:
        return await settled(call())
    except CancelledError:
        if not stopped_by(token):
            raise
        return Err(Error.canceled(token=token))
