"""Running a transport from the command line: what goes wrong becomes one sentence and an exit status."""

import asyncio
from collections.abc import Callable

import click

from orchestrator.grpc.serve import Beside, serve_transport
from orchestrator.grpc.transport import (
    Options,
    PortInUse,
    ServerDied,
    Transport,
    TransportError,
    Unavailable,
    choose,
    create,
)
from orchestrator.management.refusal import Refusal
from orchestrator.services.event_loop import fastest_loop


def choose_transport(requested: str) -> tuple[str, str]:
    """Which transport to take, and why; see `orchestrator.grpc.transport.choose`.

    Raises:
        Refusal: it cannot run here, or there is no such transport.
    """
    try:
        return choose(requested)
    except (Unavailable, ValueError) as error:
        raise Refusal(str(error)) from error


def run_transport(
    name: str, options: Options, started: Callable[[Transport], None], beside: Beside | None = None
) -> int:
    """Serves until a signal comes, then drains.

    Args:
        name: `envoy` or `aio`.
        options: what to serve.
        started: called once calls are answered.
        beside: see `serve_transport`; what it raises is raised here.

    Returns:
        The exit status: 0 after a signal, 1 when the server died.

    Raises:
        Refusal: it cannot serve.
    """
    try:
        with asyncio.Runner(loop_factory=fastest_loop) as runner:
            runner.run(serve_transport(create(name, options), started, beside))
    except PortInUse as error:
        raise busy(error, options.port) from error
    except ServerDied as error:
        click.echo(f"hugo: {error}", err=True)
        return 1
    except TransportError as error:
        raise Refusal(str(error)) from error
    return 0


def busy(error: PortInUse, grpc_port: int) -> Refusal:
    """The sentence about a port that is taken."""
    option = "--grpc-port" if error.port == grpc_port else "--http-port"
    return Refusal(f"{str(error).rstrip('.')}: end what listens there, or choose another with {option}.")
