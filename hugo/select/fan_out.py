"""One channel into many."""

from collections.abc import Callable, Sequence
from functools import partial
from typing import TypeVar

from hugo.cancellation import CancelToken, OperationCanceled
from hugo.channels import Channel, ChannelClosed, ChannelReader, ChannelWriter
from hugo.clock import Clock
from hugo.errors import Error, ErrorCode, ResultError
from hugo.result import Result, attempt, err, ok
from hugo.sync.run import run

T = TypeVar("T")


async def fan_out(
    source: ChannelReader[T],
    destinations: Sequence[ChannelWriter[T]],
    *,
    complete: bool = True,
    deadline: float | None = None,
    token: CancelToken | None = None,
    clock: Clock | None = None,
) -> Result[None]:
    """Writes every item of the source to every destination, in order, at the pace of the slowest, until it is drained.

    `deadline` is the seconds one item may take to reach all of them: `error.timeout`. A destination that is completed:
    `error.channel.completed`. When the token fires: `error.canceled`. With `complete` the destinations are completed at
    the end, with the error if there is one.
    """
    result: Result[None] = err(Error.canceled("The fan-out was cancelled."))
    try:
        result = await attempt(partial(_move, source, destinations, deadline, token, clock), token)
    finally:
        if complete:
            for destination in destinations:
                destination.try_complete(None if result.error is None else ResultError(result.error))
    return result


def broadcast(
    source: ChannelReader[T],
    branches: int,
    *,
    make: Callable[[], Channel[T]] = Channel,
    deadline: float | None = None,
    token: CancelToken | None = None,
    clock: Clock | None = None,
) -> list[ChannelReader[T]]:
    """As many channels, each with every item of the source, written there by a task; an error is raised to readers.

    `make` makes each of them; by default they have no bound. Raises ValueError unless `branches` is positive.
    """
    if branches <= 0:
        raise ValueError("The number of branches is positive.")
    channels = [make() for _ in range(branches)]
    writers = [channel.writer for channel in channels]
    run(partial(fan_out, deadline=deadline, token=token, clock=clock), source, writers)
    return [channel.reader for channel in channels]


async def _move(
    source: ChannelReader[T],
    destinations: Sequence[ChannelWriter[T]],
    deadline: float | None,
    token: CancelToken | None,
    clock: Clock | None,
) -> Result[None]:
    while True:
        try:
            item = await source.read(token=token)
        except ChannelClosed:
            if source.error is not None:
                raise
            return ok()
        with CancelToken.linked(token) as item_token:
            if deadline is not None:
                item_token.cancel_after(deadline, clock)
            try:
                for destination in destinations:
                    await destination.write(item, token=item_token)
            except ChannelClosed:
                return err(Error("Destination channel has completed.", ErrorCode.CHANNEL_COMPLETED))
            except OperationCanceled as stopped:
                if stopped.token is not item_token or (token is not None and token.cancelled):
                    raise
                return err(Error.timeout(deadline))
