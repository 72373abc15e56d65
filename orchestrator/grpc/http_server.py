"""The HTTP port of the aio transport: uvicorn on the same event loop, so that both ports share what the loop holds."""

import asyncio
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import uvicorn

from orchestrator.grpc.http import Application
from orchestrator.grpc.transport import PortInUse


class HttpServer:
    """One ASGI application on one port.

    Args:
        application: the application; it is not told of the lifespan, the handlers have their own.
        stop_seconds: how long requests in flight may take once it stops.
    """

    def __init__(self, application: Application, stop_seconds: float) -> None:
        config = uvicorn.Config(
            application,
            lifespan="off",
            loop="none",
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            timeout_graceful_shutdown=max(1, int(stop_seconds)),
        )
        self._server = _Server(config)
        self._socket: socket.socket | None = None
        self._serving: asyncio.Task[None] | None = None

    def bind(self, address: str, port: int, reuse_port: bool) -> int:
        """Takes the port and returns its number.

        Raises:
            PortInUse: it cannot be bound.
        """
        family = socket.AF_INET6 if ":" in address else socket.AF_INET
        taken = socket.socket(family, socket.SOCK_STREAM)
        try:
            taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if reuse_port:
                taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
            taken.bind((address, port))
        except OSError as error:
            taken.close()
            raise PortInUse(port) from error
        self._socket = taken
        return int(taken.getsockname()[1])

    def start(self) -> None:
        """Begins to answer."""
        assert self._socket is not None
        self._serving = asyncio.create_task(self._server.serve([self._socket]))

    async def stop(self) -> None:
        """Ends after the requests in flight."""
        if self._serving is not None:
            self._server.should_exit = True
            await self._serving
        if self._socket is not None:
            self._socket.close()


class _Server(uvicorn.Server):
    """uvicorn without its signal handlers: the transport is told when to stop."""

    @contextmanager
    def capture_signals(self) -> Iterator[Any]:
        yield
