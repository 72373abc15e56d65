"""Running a transport until a signal comes."""

import asyncio
import logging
import signal
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from orchestrator.grpc.transport import Options, Transport, TransportError, choose, create
from orchestrator.services.collector import settle_collector
from orchestrator.services.event_loop import fastest_loop

log = logging.getLogger(__name__)

Beside = Callable[[Transport], Awaitable[None]]


async def serve(options: Options, requested: str = "auto", started: Callable[[Transport], None] | None = None) -> int:
    """Serves until SIGTERM or SIGINT, then drains.

    Args:
        options: what to serve.
        requested: `auto`, `envoy` or `aio`.
        started: called once calls are answered, with the transport, whose ports are known by then.

    Returns:
        The exit status for the process: 0 after a signal, 1 when it could not serve or the server died. The reason is
        one sentence on standard error.
    """
    try:
        name, reason = choose(requested)
        log.info("gRPC transport: %s (%s)", name, reason)
        await serve_transport(create(name, options), started)
    except TransportError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


async def serve_transport(
    transport: Transport, started: Callable[[Transport], None] | None = None, beside: Beside | None = None
) -> None:
    """Starts a transport, serves until SIGTERM or SIGINT, and drains it. A signal while it starts ends it too.

    Args:
        transport: not started yet.
        started: called once calls are answered.
        beside: runs while the server serves, and is cancelled when a signal comes. The server goes on when it returns,
            and is drained when it raises; what it raised is raised again.

    Raises:
        TransportError: it could not start, or it died.
    """
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    asked = asyncio.create_task(told.wait())
    try:
        if not await _start(transport, asked):
            return
        settle_collector()
        ended = asyncio.create_task(transport.wait())
        try:
            if started is not None:
                started(transport)
            await _serve(transport, ended, asked, beside)
        finally:
            await transport.stop()
        await ended
    finally:
        asked.cancel()


async def _start(transport: Transport, asked: asyncio.Future[Any]) -> bool:
    """Starts the transport unless a signal comes meanwhile; whether it serves."""
    starting = asyncio.create_task(transport.start())
    await asyncio.wait((starting, asked), return_when=asyncio.FIRST_COMPLETED)
    if starting.done():
        starting.result()
        return True
    starting.cancel()
    with suppress(asyncio.CancelledError):
        await starting
    return False


async def _serve(
    transport: Transport, ended: asyncio.Future[None], asked: asyncio.Future[Any], beside: Beside | None
) -> None:
    """Returns when the server ended or a signal came; raises what `beside` raised."""
    if beside is not None:
        company = asyncio.ensure_future(beside(transport))
        await asyncio.wait((ended, asked, company), return_when=asyncio.FIRST_COMPLETED)
        if company.done():
            company.result()
        else:
            company.cancel()
            await asyncio.wait((company,))
    await asyncio.wait((ended, asked), return_when=asyncio.FIRST_COMPLETED)


def run(options: Options, requested: str = "auto", started: Callable[[Transport], None] | None = None) -> int:
    """`serve` on an event loop of its own, uvloop where it is installed."""
    with asyncio.Runner(loop_factory=fastest_loop) as runner:
        return runner.run(serve(options, requested, started))
