"""What Envoy's Python runs: the lifespan, gRPC on one port and the HTTP application on the other.

pyvoy makes one thread with one uvloop for each filter configuration; there is one, so the handlers and the HTTP
application share the interpreter and the event loop, and what the
factory of the handlers builds (the engine) is an object a view can call.

The parent speaks with this process over a socket pair: lines of JSON, see `Control`. The environment names what to run:

- `HUGO_HANDLERS`: dotted path of the factory of the table of handlers;
- `HUGO_HTTP_APPLICATION`: dotted path of the HTTP application; unset when there is no HTTP port;
- `HUGO_CONTROL_FD`: the descriptor of this process's end of the socket pair;
- `HUGO_SWEEP_SECONDS`: the pace of the sweep over waiting calls.
"""

import asyncio
import ctypes
import json
import logging
import os
import signal
import socket
import sys
import traceback
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any, cast

from orchestrator.grpc.asgi import GrpcApplication, Scope, Send
from orchestrator.grpc.call import Handlers
from orchestrator.grpc.http import HttpApplication
from orchestrator.grpc.inflight import Inflight, Receive
from orchestrator.grpc.transport import HANDLERS, build, load
from orchestrator.services.collector import settle_collector
from orchestrator.services.loops import Loops

log = logging.getLogger(__name__)

_PR_SET_PDEATHSIG = 1


class Embedded:
    """The ASGI application of the Envoy process.

    Attributes:
        loop: the one event loop, from the start of the lifespan on.
    """

    # A plain call that returns the coroutine saves one coroutine a request; this tells pyvoy it is ASGI 3 all the same.
    _asgi_single_callable = True

    def __init__(self) -> None:
        self.loop: asyncio.AbstractEventLoop | None = None
        self._grpc: GrpcApplication | None = None
        self._http: HttpApplication | None = None
        self._http_port: int | None = None
        self._handlers: Handlers | None = None
        self._loops = Loops()

    def __call__(self, scope: Scope, receive: Receive, send: Send) -> Awaitable[None]:
        """Answers one request, or lives the lifespan."""
        if scope["type"] == "http":
            if self._http is not None and scope["server"][1] == self._http_port:
                return self._http(scope, receive, send)
            assert self._grpc is not None
            return self._grpc(scope, receive, send)
        return self._lifespan(receive, send)

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        self.loop = asyncio.get_running_loop()
        await receive()
        control = await Control.open(int(os.environ["HUGO_CONTROL_FD"]))
        try:
            await self._start()
        except Exception as error:
            traceback.print_exc()
            await control.send(failed=f"{type(error).__name__}: {error}")
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        self._loops.go("hugo-control", self._obey, control)
        await control.send(ready=True)
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._stop()
        await send({"type": "lifespan.shutdown.complete"})

    async def _start(self) -> None:
        die_with_parent()
        if "DJANGO_SETTINGS_MODULE" in os.environ:
            import django

            django.setup()
        inflight = Inflight(float(os.environ.get("HUGO_SWEEP_SECONDS", "5")))
        http = os.environ.get("HUGO_HTTP_APPLICATION")
        if http:
            self._http = HttpApplication(cast(Callable[..., Awaitable[None]], load(http)), inflight)
        self._handlers = build(os.environ.get("HUGO_HANDLERS", HANDLERS))
        await self._handlers.start()
        self._grpc = GrpcApplication(self._handlers, inflight)
        self._loops.go("hugo-hung-up", inflight.sweep_for_ever)
        settle_collector()

    async def _stop(self) -> None:
        await self._loops.stop()
        assert self._handlers is not None
        await self._handlers.stop()

    async def _obey(self, control: "Control") -> None:
        """Does what the parent says; without a parent the process ends itself."""
        assert self._handlers is not None
        while (order := await control.receive()) is not None:
            if "http_port" in order:
                self._http_port = order["http_port"]
                await control.send(routed=True)
            elif "drain" in order:
                with suppress(Exception):
                    await self._handlers.drain()
                await control.send(drained=True)
        os.kill(os.getpid(), signal.SIGTERM)


class Control:
    """One end of the socket pair between the parent and the Envoy process: one JSON object a line.

    The child says `{"ready": true}` or `{"failed": text}`, later `{"drained": true}`; the parent says
    `{"http_port": number}` and `{"drain": true}`.
    """

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @classmethod
    async def open(cls, descriptor: int) -> "Control":
        """Takes over a connected socket."""
        return cls(*await asyncio.open_unix_connection(sock=socket.socket(fileno=descriptor)))

    async def send(self, **message: Any) -> None:
        """Sends one message; a gone other side is ignored, `receive` tells of it."""
        with suppress(ConnectionError):
            self._writer.write(json.dumps(message).encode() + b"\n")
            await self._writer.drain()

    async def receive(self) -> dict[str, Any] | None:
        """The next message, or None when the other side is gone."""
        try:
            line = await self._reader.readline()
        except ConnectionError:
            return None
        return json.loads(line) if line else None

    def close(self) -> None:
        """Closes this end; the other one receives None."""
        self._writer.close()


def die_with_parent() -> None:
    """Makes the kernel kill this process when its parent is gone, however that ended (Linux)."""
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


application = Embedded()
