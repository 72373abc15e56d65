"""Between streams of results and channels."""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterable, Callable, Sequence
from typing import TypeVar

from hugo.cancellation import CancelToken, OperationCanceled
from hugo.channels import Channel, ChannelReader, ChannelWriter
from hugo.errors import Error
from hugo.result.capture import attempt
from hugo.result.core import Result, err, ok
from hugo.result.failure import Err

T = TypeVar("T")


async def to_channel(
    source: AsyncIterable[Result[T]], writer: ChannelWriter[Result[T]], *, token: CancelToken | None = None
) -> Result[None]:
    """Writes every result of the stream, and completes the channel whatever happens.

    When `token` fires, or the stream raises, the last item written is that error, which is also returned.
    """
    return await _written(source, lambda _: writer, (writer,), token)


async def partition_stream(
    source: AsyncIterable[Result[T]],
    holds: Callable[[T], object],
    accepted: ChannelWriter[Result[T]],
    others: ChannelWriter[Result[T]],
    *,
    token: CancelToken | None = None,
) -> Result[None]:
    """Writes the successes for which `holds` is true to one channel, the others and all failures to the other.

    Both are completed whatever happens; when `token` fires, or the stream raises, that error goes to `others` and is
    returned.
    """

    def choose(result: Result[T]) -> ChannelWriter[Result[T]]:
        return others if isinstance(result, Err) or not holds(result.value) else accepted

    return await _written(source, choose, (others, accepted), token)


async def read_all(
    reader: ChannelReader[Result[T]], *, token: CancelToken | None = None
) -> AsyncGenerator[Result[T], None]:
    """The items of a channel up to its completion; when `token` fires, the last is `error.canceled`.

    An error the channel was completed with is raised.
    """
    while True:
        try:
            if not await reader.wait_to_read(token=token):
                return
        except OperationCanceled:
            yield err(Error.canceled(token=token))
            return
        item = reader.try_read()
        if item is not None:
            yield item


async def merge_streams(
    sources: Sequence[AsyncIterable[Result[T]]], *, token: CancelToken | None = None
) -> AsyncGenerator[Result[T], None]:
    """The results of all streams as they come, until all have ended; what a stream raises is its last result.

    Each stream is read one item ahead. When `token` fires, the last result is `error.canceled`.
    """
    channel: Channel[Result[T]] = Channel(max(1, len(sources)))

    async def pump(source: AsyncIterable[Result[T]]) -> None:
        async def write() -> Result[None]:
            async for result in source:
                await channel.writer.write(result)
            return ok()

        ended = await attempt(write)
        if isinstance(ended, Err):
            await channel.writer.write(ended)

    async def run() -> None:
        await asyncio.gather(*pumps)
        channel.writer.try_complete()

    pumps = [asyncio.ensure_future(pump(source)) for source in sources]
    running = asyncio.ensure_future(run())
    try:
        async for result in read_all(channel.reader, token=token):
            yield result
    finally:
        tasks = [running, *pumps]
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)


async def _written(
    source: AsyncIterable[Result[T]],
    choose: Callable[[Result[T]], ChannelWriter[Result[T]]],
    writers: Sequence[ChannelWriter[Result[T]]],
    token: CancelToken | None,
) -> Result[None]:
    """Writes each result where `choose` says, then completes all; what stops it goes to the first."""

    async def write() -> Result[None]:
        async for result in source:
            await choose(result).write(result, token=token)
        return ok()

    try:
        ended = await attempt(write, token)
        if isinstance(ended, Err):
            writers[0].try_write(ended)
        return ended
    finally:
        for writer in writers:
            writer.try_complete()
