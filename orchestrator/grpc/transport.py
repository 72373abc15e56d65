"""One face for the gRPC transports: what they are told, what they promise, how they fail, and which one to take."""

import importlib
import importlib.util
import platform
import socket
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, cast

from orchestrator.grpc.call import Handlers
from orchestrator.grpc.health import WithHealth

HANDLERS = "orchestrator.grpc.handlers:build"
"""The default factory of the table of handlers."""

HTTP_APPLICATION = "config.asgi:application"
"""The default ASGI application of the HTTP port."""


class TransportError(Exception):
    """A transport cannot serve; the text is one sentence for the operator."""


class PortInUse(TransportError):
    """Somebody else listens on the port."""

    def __init__(self, port: int) -> None:
        super().__init__(f"Port {port} is in use.")
        self.port = port


class StartFailed(TransportError):
    """The transport did not come up."""


class ServerDied(TransportError):
    """The serving process ended although nobody stopped it."""


class Unavailable(TransportError):
    """The transport asked for cannot run here."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a transport is told.

    Attributes:
        host: the address to listen on; a name is resolved.
        port: the gRPC port; 0 takes a free one.
        http_port: the port of the HTTP application; 0 takes a free one, None serves none.
        handlers: dotted path, `module:callable`, of a callable without arguments that returns the table of handlers.
        http_application: dotted path of the ASGI application of the HTTP port.
        reuse_port: share the port with other processes (SO_REUSEPORT).
        reflection: serve grpc.reflection; aio only.
        start_seconds: how long starting may take.
        stop_seconds: how long stopping may take, in-flight calls included.
        sweep_seconds: the mean pace at which waiting calls are asked whether their caller is there; Envoy only.
        envoy_threads: Envoy's own threads, which speak HTTP/2; Python runs on one more; Envoy only.
        keep_open: descriptors the serving process inherits, so that what they lock is locked until it is gone.
    """

    host: str = "127.0.0.1"
    port: int = 7233
    http_port: int | None = None
    handlers: str = HANDLERS
    http_application: str = HTTP_APPLICATION
    reuse_port: bool = False
    reflection: bool = False
    start_seconds: float = 60.0
    stop_seconds: float = 5.0
    sweep_seconds: float = 5.0
    envoy_threads: int = 1
    keep_open: tuple[int, ...] = ()


class Transport(Protocol):
    """A server of one table of handlers."""

    @property
    def port(self) -> int:
        """The gRPC port; known once started."""
        ...

    @property
    def http_port(self) -> int | None:
        """The port of the HTTP application; known once started, None without one."""
        ...

    async def start(self) -> None:
        """Returns when calls are answered.

        Raises:
            PortInUse: somebody else listens on the port.
            StartFailed: anything else went wrong.
        """
        ...

    async def wait(self) -> None:
        """Returns when the server was stopped.

        Raises:
            ServerDied: it ended by itself.
        """
        ...

    async def stop(self) -> None:
        """Drains: polls end empty, calls in flight finish, the handlers are stopped."""
        ...


def load(path: str) -> object:
    """The object a dotted path `module:attribute` names."""
    module, _, attribute = path.partition(":")
    return getattr(importlib.import_module(module), attribute)


def build(factory: str) -> Handlers:
    """The table of handlers a factory's dotted path names, with the health check in front."""
    return WithHealth(cast("Callable[[], Handlers]", load(factory))())


def resolve(host: str) -> str:
    """The first address of a host, as text."""
    return str(socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)[0][4][0])


def check_port(address: str, port: int, reuse_port: bool) -> None:
    """Binds the port and lets it go again.

    Raises:
        PortInUse: it cannot be bound.
    """
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if reuse_port:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
        try:
            probe.bind((address, port))
        except OSError as error:
            raise PortInUse(port) from error


def choose(requested: str) -> tuple[str, str]:
    """Which transport to take, and why.

    Args:
        requested: `auto`, `envoy` or `aio`.

    Returns:
        `envoy` or `aio`, and the reason in words.

    Raises:
        Unavailable: Envoy is requested and cannot run here.
        ValueError: there is no such transport.
    """
    if requested == "aio":
        return "aio", "as requested"
    if requested not in ("auto", "envoy"):
        raise ValueError(f"No transport is called {requested!r}; there are auto, envoy and aio.")
    obstacle = envoy_obstacle()
    if obstacle is None:
        return "envoy", "as requested" if requested == "envoy" else "Envoy can run here and is the faster one"
    if requested == "envoy":
        raise Unavailable(f"Envoy cannot run here: {obstacle}.")
    return "aio", f"Envoy cannot run here: {obstacle}"


def envoy_obstacle() -> str | None:
    """Why Envoy cannot run on this machine, or None when it can."""
    if sys.platform == "linux":
        if platform.libc_ver()[0] != "glibc":
            return "the C library is not glibc"
    elif sys.platform != "darwin":
        return f"the platform is {sys.platform}, not Linux or macOS"
    for package in ("pyvoy", "envoy", "find_libpython", "uvloop"):
        if importlib.util.find_spec(package) is None:
            return f"the package {package} is not installed"
    if shared_libpython() is None:
        return "this Python has no shared libpython"
    return None


def shared_libpython() -> Path | None:
    """The shared library of the running Python, or None when it has none."""
    from find_libpython import candidate_paths

    suffix = ".dylib" if sys.platform == "darwin" else ".so"
    for candidate in map(Path, candidate_paths()):
        if candidate.name.startswith("libpython") and suffix in candidate.name and candidate.exists():
            return candidate
    return None


def create(name: str, options: Options) -> Transport:
    """The transport of a name `choose` returned."""
    if name == "envoy":
        from orchestrator.grpc.envoy import EnvoyTransport

        return EnvoyTransport(options)
    from orchestrator.grpc.aio import AioTransport

    return AioTransport(options)
