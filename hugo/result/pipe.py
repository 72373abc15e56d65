"""A chain of steps over a result, asynchronous or not, awaited as a whole."""

from collections.abc import Awaitable, Callable, Generator
from functools import partial
from typing import Any, Generic, TypeVar

from hugo.cancellation import CancelToken
from hugo.errors import Error
from hugo.result.awaiting import MaybeAwaitable
from hugo.result.core import Result
from hugo.result.failure import Err, stoppable

T_co = TypeVar("T_co", covariant=True)
U = TypeVar("U")
R = TypeVar("R")


class Pipe(Generic[T_co]):
    """Steps still to be taken. Awaiting it takes them, once, and gives the last result.

    Each step stops when the token fires, with `error.canceled`.
    """

    def __init__(self, source: Awaitable[Result[T_co]], token: CancelToken | None = None) -> None:
        """Begins with the result that `source` yields."""
        self._source = source
        self._token = token

    def __await__(self) -> Generator[Any, Any, Result[T_co]]:
        return self._source.__await__()

    def then(self, step: Callable[[T_co], MaybeAwaitable[Result[U]]]) -> "Pipe[U]":
        """As `Result.then_async`."""
        return self._next(lambda result: result.then_async(step, token=self._token))

    def map(self, change: Callable[[T_co], U]) -> "Pipe[U]":
        """As `Result.map`."""

        async def changed(result: Result[T_co]) -> Result[U]:
            return result if isinstance(result, Err) else await stoppable(partial(result.map, change), self._token)

        return self._next(changed)

    def map_async(self, change: Callable[[T_co], Awaitable[U]]) -> "Pipe[U]":
        """As `Result.map_async`."""
        return self._next(lambda result: result.map_async(change, token=self._token))

    def tap(self, look: Callable[[T_co], object]) -> "Pipe[T_co]":
        """As `Result.tap_async`."""
        return self._next(lambda result: result.tap_async(look, token=self._token))

    def tap_error(self, look: Callable[[Error], object]) -> "Pipe[T_co]":
        """As `Result.tap_error_async`."""
        return self._next(lambda result: result.tap_error_async(look, token=self._token))

    def recover(self, rescue: Callable[[Error], MaybeAwaitable[Result[U]]]) -> "Pipe[T_co | U]":
        """As `Result.recover_async`."""
        return self._next(lambda result: result.recover_async(rescue, token=self._token))

    def ensure(self, holds: Callable[[T_co], object], error: Callable[[T_co], Error] | None = None) -> "Pipe[T_co]":
        """As `Result.ensure_async`."""
        return self._next(lambda result: result.ensure_async(holds, error, token=self._token))

    def _next(self, step: Callable[[Result[T_co]], Awaitable[Result[R]]]) -> "Pipe[R]":
        async def run() -> Result[R]:
            return await step(await self._source)

        return Pipe(run(), self._token)
