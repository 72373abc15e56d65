"""The grpc.aio transport: the same table of handlers where Envoy cannot run, and where reflection is wanted."""

import asyncio
import importlib
from collections.abc import Mapping
from contextlib import suppress
from typing import Any, cast

import grpc

from hugo.go import WaitGroup
from orchestrator.errors import MessageTooLarge, ServiceError, Unimplemented
from orchestrator.grpc.call import Handler, Handlers
from orchestrator.grpc.framing import MESSAGE_LIMIT, gunzip
from orchestrator.grpc.http import Application
from orchestrator.grpc.http_server import HttpServer
from orchestrator.grpc.status import details, refusal
from orchestrator.grpc.transport import Options, PortInUse, StartFailed, build, check_port, load, resolve

WIRE_LIMIT = 64 * 1024 * 1024
"""What gRPC itself accepts, in bytes; what is between this and the limit is refused with the text SDKs match."""

REFLECTED = (
    "temporal.api.workflowservice.v1.WorkflowService",
    "temporal.api.operatorservice.v1.OperatorService",
)

_CODES = {code.value[0]: code for code in grpc.StatusCode}
_PENDING = 1_000_000
_IDENTITY_AND_GZIP = 0b101
# No protobuf message starts with this byte: it would be the unknown wire type 7.
_GZIP_MAGIC = b"\x1f\x8b"


class AioCall:
    """A call in grpc.aio; the `Call` its handler sees."""

    __slots__ = ("_context", "_metadata", "_task", "deadline", "method")

    def __init__(self, method: str, context: Any) -> None:
        self.method = method
        remaining = context.time_remaining()
        self.deadline = None if remaining is None else asyncio.get_running_loop().time() + remaining
        self._context = context
        self._task = asyncio.current_task()
        self._metadata: dict[str, str | bytes] | None = None

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        """The caller's metadata."""
        if self._metadata is None:
            self._metadata = dict(self._context.invocation_metadata())
        return self._metadata

    async def client_gone(self) -> bool:
        """Whether gRPC has cancelled the call, which it does by cancelling the task that answers it."""
        return self._task is not None and (self._task.done() or self._task.cancelling() > 0)


class Router(grpc.GenericRpcHandler):
    """Sends every path to the table of handlers, as bytes."""

    def __init__(self, handlers: Handlers) -> None:
        self._handlers = handlers
        self._known: dict[str, grpc.RpcMethodHandler] = {}

    def service(self, handler_call_details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        """The method handler of a path; one that refuses for a path that is not served."""
        method = handler_call_details.method
        known = self._known.get(method)
        if known is not None:
            return known
        try:
            known = grpc.unary_unary_rpc_method_handler(answering(method, self._handlers.find(method)))
        except Unimplemented as error:
            return grpc.unary_unary_rpc_method_handler(refusing(error))
        self._known[method] = known
        return known


def answering(method: str, handler: Handler) -> Any:
    """The behaviour grpc.aio runs for a method."""

    async def behaviour(request: bytes, context: Any) -> bytes:
        try:
            if len(request) > MESSAGE_LIMIT:
                raise MessageTooLarge(len(request), MESSAGE_LIMIT)
            if request[:2] == _GZIP_MAGIC:
                request = gunzip(request)
            return await handler(AioCall(method, context), request)
        except Exception as error:
            refused = refusal(method, error)
        await abort(context, refused)
        raise AssertionError("abort raises")

    return behaviour


def refusing(error: ServiceError) -> Any:
    """A behaviour that always answers with the same error."""

    async def behaviour(request: bytes, context: Any) -> bytes:
        await abort(context, error)
        raise AssertionError("abort raises")

    return behaviour


async def abort(context: Any, error: ServiceError) -> None:
    """Ends the call with an error and its detail."""
    packed = details(error)
    trailing = () if packed is None else (("grpc-status-details-bin", packed),)
    await context.abort(_CODES[int(error.code)], error.message, trailing)


class AioTransport:
    """Serves in this process and on this event loop.

    Args:
        options: what to serve.
    """

    def __init__(self, options: Options) -> None:
        self._options = options
        self._server: grpc.aio.Server | None = None
        self._handlers: Handlers | None = None
        self._port = 0
        self._http: HttpServer | None = None
        self._http_port: int | None = None

    @property
    def port(self) -> int:
        """The gRPC port."""
        return self._port

    @property
    def http_port(self) -> int | None:
        """The port of the HTTP application."""
        return self._http_port

    async def start(self) -> None:
        """Starts the handlers and the server.

        Raises:
            PortInUse: somebody else listens on a port.
            StartFailed: the handlers did not start.
        """
        options = self._options
        address = resolve(options.host)
        check_port(address, options.port, options.reuse_port)
        if options.http_port is not None:
            self._http = HttpServer(cast(Application, load(options.http_application)), options.stop_seconds * 0.6)
            self._http_port = self._http.bind(address, options.http_port, options.reuse_port)
        try:
            self._handlers = build(options.handlers)
            await self._handlers.start()
        except Exception as error:
            raise StartFailed(f"The handlers did not start: {type(error).__name__}: {error}") from error
        self._server = grpc.aio.server(options=channel_options(options.reuse_port))
        self._server.add_generic_rpc_handlers((Router(self._handlers),))
        if options.reflection:
            reflect(self._server)
        target = f"[{address}]" if ":" in address else address
        try:
            self._port = self._server.add_insecure_port(f"{target}:{options.port}")
        except RuntimeError as error:
            await self._handlers.stop()
            raise PortInUse(options.port) from error
        await self._server.start()
        if self._http is not None:
            self._http.start()

    async def wait(self) -> None:
        """Returns when the server was stopped."""
        assert self._server is not None
        await self._server.wait_for_termination()

    async def stop(self) -> None:
        """Drains: no new calls, polls end empty, calls in flight finish within `stop_seconds`."""
        if self._server is None or self._handlers is None:
            return
        grace = self._options.stop_seconds * 0.6
        async with WaitGroup() as ending:
            ending.go(self._server.stop, grace)
            if self._http is not None:
                ending.go(self._http.stop)
            with suppress(TimeoutError):
                async with asyncio.timeout(grace):
                    await self._handlers.drain()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._options.stop_seconds - grace):
                await self._handlers.stop()


def channel_options(reuse_port: bool) -> list[tuple[str, int]]:
    """The options of the server's connections."""
    return [
        ("grpc.so_reuseport", int(reuse_port)),
        ("grpc.max_receive_message_length", WIRE_LIMIT),
        ("grpc.max_send_message_length", -1),
        # gRPC would decompress without a bound; `gunzip` has one.
        ("grpc.per_message_decompression", 0),
        ("grpc.compression_enabled_algorithms_bitset", _IDENTITY_AND_GZIP),
        # A burst of polls waits for Python to accept it; by default gRPC refuses what is behind the first thousand.
        ("grpc.server.max_pending_requests", _PENDING),
        ("grpc.server.max_pending_requests_hard_limit", _PENDING),
        ("grpc.keepalive_permit_without_calls", 1),
        ("grpc.http2.min_ping_interval_without_data_ms", 10_000),
        ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ]


def reflect(server: grpc.aio.Server) -> None:
    """Serves grpc.reflection for the Temporal services; needs grpcio-reflection and googleapis-common-protos."""
    reflection = importlib.import_module("grpc_reflection.v1alpha.reflection")
    for service in REFLECTED:
        # Importing registers the descriptors the reflection shows.
        importlib.import_module(f"temporalio.api.{service.split('.')[2]}.v1.service_pb2")
    reflection.enable_server_reflection((*REFLECTED, reflection.SERVICE_NAME), server)
