"""Running a transport until a signal comes."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable

from orchestrator.grpc.transport import Options, Transport, TransportError, choose, create

log = logging.getLogger(__name__)


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
        transport = create(name, options)
        await transport.start()
    except TransportError as error:
        print(error, file=sys.stderr)
        return 1
    loop = asyncio.get_running_loop()
    told = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    if started is not None:
        started(transport)
    ended = asyncio.create_task(transport.wait())
    asked = asyncio.create_task(told.wait())
    try:
        await asyncio.wait((ended, asked), return_when=asyncio.FIRST_COMPLETED)
        await transport.stop()
        await ended
    except TransportError as error:
        print(error, file=sys.stderr)
        return 1
    finally:
        asked.cancel()
    return 0


def run(options: Options, requested: str = "auto", started: Callable[[Transport], None] | None = None) -> int:
    """`serve` on an event loop of its own, uvloop where it is installed."""
    with asyncio.Runner(loop_factory=fastest_loop) as runner:
        return runner.run(serve(options, requested, started))


def fastest_loop() -> asyncio.AbstractEventLoop:
    """A new event loop: uvloop's where it is installed."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop()
