"""What becomes of a stream of results in the end."""

from collections.abc import AsyncIterable, Callable
from typing import Literal, TypeVar

from hugo.cancellation import CancelToken
from hugo.errors import Error
from hugo.result.awaiting import MaybeAwaitable, settled
from hugo.result.capture import attempt
from hugo.result.collections import collect_errors, traverse_async
from hugo.result.core import Result, err, ok
from hugo.result.failure import Err

T = TypeVar("T")


async def for_each(
    source: AsyncIterable[Result[T]],
    step: Callable[[T], MaybeAwaitable[Result[None]]],
    *,
    token: CancelToken | None = None,
) -> Result[None]:
    """Calls the step with each value, up to the first failure in the source or of the step, which is returned.

    What is raised is `error.exception`, and `token` stops it with `error.canceled`.
    """

    async def taken(result: Result[T]) -> Result[None]:
        return result if isinstance(result, Err) else await settled(step(result.value))

    return (await traverse_async(source, taken, token=token)).map(lambda _: None)


async def tap_each(
    source: AsyncIterable[Result[T]],
    on_ok: Callable[[T], object] | None = None,
    on_err: Callable[[Error], object] | None = None,
    *,
    errors: Literal["first", "aggregate", "ignore"] = "first",
    token: CancelToken | None = None,
) -> Result[None]:
    """Calls back for each success and each failure of the whole stream; callbacks may be asynchronous.

    `errors` says what of the failures is returned: the first, all as an aggregate, or none.
    """
    failures: list[Error] = []

    async def look() -> Result[None]:
        async for result in source:
            if token is not None:
                token.raise_if_cancelled()
            if isinstance(result, Err):
                failures.append(result.error)
                await settled(None if on_err is None else on_err(result.error))
            elif on_ok is not None:
                await settled(on_ok(result.value))
        return ok()

    looked = await attempt(look, token)
    if isinstance(looked, Err) or not failures or errors == "ignore":
        return looked
    if errors == "first" or len(failures) == 1:
        return err(failures[0])
    return err(Error.aggregate("One or more operations failed.", *failures))


async def collect(source: AsyncIterable[Result[T]]) -> Result[list[T]]:
    """All values of the whole stream, or else every error: the only one itself, several as an aggregate."""
    return collect_errors([result async for result in source])
