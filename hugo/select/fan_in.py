"""Many channels into one."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from hugo.cancellation import CancelToken
from hugo.channels import Channel, ChannelReader, ChannelWriter
from hugo.clock import SYSTEM_CLOCK, Clock
from hugo.errors import Error, ErrorCode, ResultError
from hugo.result import Err, MaybeAwaitable, Ok, Result, err, ok
from hugo.result.awaiting import settled
from hugo.select.cases import on
from hugo.select.select import select
from hugo.sync.run import run

T = TypeVar("T")


async def select_fan_in(
    readers: Iterable[ChannelReader[T]],
    on_value: Callable[[T], MaybeAwaitable[Any]],
    *,
    timeout: float | None = None,
    token: CancelToken | None = None,
    clock: Clock | None = None,
) -> Result[None]:
    """Gives every item of the channels to `on_value` until all are drained; the busy ones take turns.

    The first `Err` or exception of `on_value` ends it, as does a channel that was completed with an error. `timeout`
    is in seconds for the whole call: `error.timeout`. When the token fires: `error.canceled`.
    """
    clock = clock or SYSTEM_CLOCK
    started = clock.monotonic()
    waiting = list(readers)

    async def take(reader: ChannelReader[T], item: T) -> Result[Any]:
        # Whoever was served goes to the end of the line.
        waiting.remove(reader)
        waiting.append(reader)
        value = await settled(on_value(item))
        return value if isinstance(value, Ok | Err) else ok(value)

    while waiting:
        left = None if timeout is None else max(0.0, started + timeout - clock.monotonic())
        cases = [on(reader, partial(take, reader)) for reader in waiting]
        result = await select(*cases, timeout=left, clock=clock, token=token)
        if result.error is not None:
            if result.error.code == ErrorCode.SELECT_DRAINED:
                break
            return err(result.error)
        waiting = [reader for reader in waiting if not reader.drained or reader.error is not None]
    return ok()


async def fan_in(
    sources: Iterable[ChannelReader[T]],
    destination: ChannelWriter[T],
    *,
    complete: bool = True,
    timeout: float | None = None,
    token: CancelToken | None = None,
    clock: Clock | None = None,
) -> Result[None]:
    """Moves every item of the sources into the destination until all are drained, as `select_fan_in` does.

    With `complete` the destination is completed at the end, with the error if there is one. A destination that takes no
    more is `error.exception` with ChannelClosed as its cause.
    """
    result: Result[None] = err(Error.canceled("The fan-in was cancelled."))
    try:
        result = await select_fan_in(
            sources, partial(destination.write, token=token), timeout=timeout, token=token, clock=clock
        )
    finally:
        if complete:
            destination.try_complete(None if result.error is None else ResultError(result.error))
    return result


def merge(
    sources: Iterable[ChannelReader[T]],
    *,
    timeout: float | None = None,
    token: CancelToken | None = None,
    clock: Clock | None = None,
) -> ChannelReader[T]:
    """A channel without bound with every item of the sources, moved there by a task; an error is raised to readers."""
    channel: Channel[T] = Channel()
    run(partial(fan_in, timeout=timeout, token=token, clock=clock), sources, channel.writer)
    return channel.reader
