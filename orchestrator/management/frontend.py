"""What `hugo frontend` does: serves gRPC beside other processes of a cluster."""

import asyncio
import ipaddress
import socket
from contextlib import ExitStack

from orchestrator.conf import HugoSettings, hugo_settings
from orchestrator.grpc.transport import Options, PortInUse, Transport, resolve
from orchestrator.management.banner import Welcome
from orchestrator.management.database import open_database
from orchestrator.management.refusal import Refusal
from orchestrator.management.serving import busy, choose_transport, run_transport
from orchestrator.management.supervisor import Child, supervise
from orchestrator.services.bootstrap import SchemaMismatch, check_shared

STOP_SECONDS = 10.0
"""Seconds a frontend may take to drain: polls end at once, a commit in flight within its timeout."""
FRONTEND = "orchestrator.grpc.handlers:build_frontend"
OWNING_FRONTEND = "orchestrator.grpc.handlers:build_owning_frontend"
SUPERVISOR_PATIENCE = STOP_SECONDS + 5.0


def run_frontend(
    host: str,
    grpc_port: int,
    http_port: int | None,
    workers: int,
    transport: str | None,
    *,
    migrate: bool,
    own_shards: bool,
) -> int:
    """Serves until a signal comes, in this process or in several that this one supervises.

    Args:
        host: the name or address to listen on.
        grpc_port: of Temporal's API, shared with other frontends; 0 for a free one.
        http_port: of REST and the admin; 0 for a free one, None for none.
        workers: serving processes; one serves by itself, more are supervised.
        transport: `auto`, `envoy` or `aio`; None for what the settings say.
        migrate: whether to migrate the database first.
        own_shards: whether it takes its share of the shards, for a site without Celery workers.

    Returns:
        The exit status: 0 after a signal, 1 when the server died.

    Raises:
        Refusal: something is in the way.
    """
    library = hugo_settings()
    address = listening_address(host, library)
    try:
        check_shared(library.database)
    except SchemaMismatch as error:
        raise Refusal(str(error)) from error
    name, reason = choose_transport(transport or library.transport)
    database = open_database(library.database, migrate=migrate)
    welcome = Welcome("Hugo frontend", name, reason, library.server_version, database)

    if workers > 1:
        return _run_supervised(address, grpc_port, http_port, workers, name, welcome, own_shards=own_shards)

    def say(serving: Transport) -> None:
        welcome.say_places(address, serving.port, serving.http_port)

    options = Options(
        host=address,
        port=grpc_port,
        http_port=http_port,
        handlers=OWNING_FRONTEND if own_shards else FRONTEND,
        reuse_port=True,
        reflection=library.reflection,
        stop_seconds=STOP_SECONDS,
    )
    return run_transport(name, options, say)


def _run_supervised(
    address: str,
    grpc_port: int,
    http_port: int | None,
    workers: int,
    transport: str,
    welcome: Welcome,
    *,
    own_shards: bool,
) -> int:
    with ExitStack() as held:
        try:
            ports = [held.enter_context(hold(address, port)) for port in (grpc_port, http_port) if port is not None]
        except PortInUse as error:
            raise busy(error, grpc_port) from error
        grpc, http = [*(int(each.getsockname()[1]) for each in ports), None][:2]
        assert grpc is not None
        arguments = [
            *("hugo", "frontend", "--host", address, "--transport", transport),
            *("--grpc-port", str(grpc), "--http-port", "none" if http is None else str(http)),
            *(("--own-shards",) if own_shards else ()),
        ]
        children = [Child(number, "django", arguments) for number in range(1, workers + 1)]
        return asyncio.run(supervise(children, lambda: welcome.say_places(address, grpc, http), SUPERVISOR_PATIENCE))


def hold(address: str, port: int) -> socket.socket:
    """Binds a port without listening: the number stays ours while the processes that share it come and go.

    Args:
        address: the address to bind to.
        port: 0 for a free one.

    Raises:
        PortInUse: somebody has it who does not share it.
    """
    held = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    try:
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        held.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        held.bind((address, port))
    except OSError as error:
        held.close()
        raise PortInUse(port) from error
    return held


def listening_address(host: str, library: HugoSettings) -> str:
    """The address of a host; calls are not authenticated, so it must be loopback unless the network is trusted.

    Raises:
        Refusal: it is not, or the name is unknown.
    """
    try:
        address = resolve(host)
    except OSError as error:
        raise Refusal(f"The host {host} has no address: {error.strerror}.") from error
    if library.trusted_network or ipaddress.ip_address(address).is_loopback:
        return address
    raise Refusal(
        f"Whoever reaches {host} could do everything, because calls are not authenticated: listen on 127.0.0.1, or set "
        "HUGO['TRUSTED_NETWORK'] where only trusted clients reach that network."
    )
