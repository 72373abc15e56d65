"""gRPC as an ASGI application: frames, deadlines, metadata, trailers.

It runs inside Envoy, which speaks HTTP/2. Every await, allocation and header of the common path is paid thousands of
times a second, so that path is written out, not factored.
"""

import asyncio
import binascii
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from typing import Any, Final

from orchestrator.errors import DeadlineExceeded, Internal, ServiceError
from orchestrator.grpc.call import Handlers
from orchestrator.grpc.framing import ACCEPTED_ENCODINGS, MESSAGE_LIMIT, PREFIX, UnknownEncoding, announced, unframe
from orchestrator.grpc.inflight import Inflight, Receive, Request
from orchestrator.grpc.metadata import metadata_of, timeout_seconds
from orchestrator.grpc.status import details, percent_encoded, refusal

Scope = MutableMapping[str, Any]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_CONTENT_TYPE = (b"content-type", b"application/grpc")
_START: Final[dict[str, Any]] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [_CONTENT_TYPE],
    "trailers": True,
}
_OK: Final[dict[str, Any]] = {"type": "http.response.trailers", "headers": [(b"grpc-status", b"0")]}
_END: Final[dict[str, Any]] = {"type": "http.response.body", "body": b""}
_NOT_GRPC: Final[dict[str, Any]] = {"type": "http.response.start", "status": 415, "headers": []}


class Hangup(Exception):
    """The caller was gone before its request was complete."""


class GrpcCall(Request):
    """A gRPC call in Envoy; the `Call` its handler sees."""

    __slots__ = ("_headers", "_metadata", "deadline", "expired", "gone", "method")

    def __init__(
        self, method: str, headers: Mapping[bytes, bytes], receive: Receive, task: asyncio.Task[Any], arrived: float
    ) -> None:
        self.receive = receive
        self.task = task
        self.arrived = arrived
        self.body_ended = False
        self.method = method
        self.deadline: float | None = None
        self.expired = False
        self.gone = False
        self._headers = headers
        self._metadata: dict[str, str | bytes] | None = None

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        """The caller's metadata, decoded when first asked for."""
        if self._metadata is None:
            self._metadata = metadata_of(self._headers)
        return self._metadata

    async def client_gone(self) -> bool:
        """Asks Envoy once."""
        if not self.gone:
            # A cancelled answer would be reported as an error when Envoy gives it, hence the shield.
            event = await asyncio.shield(asyncio.ensure_future(self.receive()))
            self.gone = event["type"] == "http.disconnect"
        return self.gone

    def hung_up(self) -> None:
        """The sweep found the caller gone."""
        self.gone = True
        self.task.cancel()

    def expire(self) -> None:
        """The deadline passed."""
        self.expired = True
        self.task.cancel()


class GrpcApplication:
    """Answers gRPC requests from a table of handlers.

    Args:
        handlers: the table.
        inflight: where the calls register while their handlers run.
    """

    def __init__(self, handlers: Handlers, inflight: Inflight) -> None:
        self._find = handlers.find
        self._inflight = inflight
        self._loop = asyncio.get_running_loop()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answers one request."""
        headers: dict[bytes, bytes] = dict(scope["headers"])
        if not headers.get(b"content-type", b"").startswith(b"application/grpc"):
            await send(_NOT_GRPC)
            await send(_END)
            return
        loop = self._loop
        task = asyncio.current_task(loop)
        assert task is not None
        call = GrpcCall(scope["path"], headers, receive, task, loop.time())
        inflight = self._inflight
        inflight.add(call)
        timer = None
        try:
            timeout = headers.get(b"grpc-timeout")
            if timeout is not None:
                call.deadline = call.arrived + timeout_seconds(timeout)
            handler = self._find(call.method)

            event = await receive()
            if event["type"] != "http.request":
                return
            body = event["body"]
            if event.get("more_body") or len(body) < PREFIX or announced(body) != len(body):
                body = await _rest(body, event, receive)
            call.body_ended = True
            message = unframe(body, headers.get(b"grpc-encoding")) if body[0] else body[PREFIX:]

            if call.deadline is not None:
                timer = loop.call_at(call.deadline, call.expire)
            reply = await handler(call, message)
        except asyncio.CancelledError:
            if call.gone:
                return
            if not call.expired:
                raise
            task.uncancel()
            await _refuse(DeadlineExceeded("context deadline exceeded"), send)
            return
        except Hangup:
            return
        except Exception as error:
            await _refuse(refusal(call.method, error), send)
            return
        finally:
            if timer is not None:
                timer.cancel()
            inflight.discard(call)

        await send(_START)
        await send({"type": "http.response.body", "body": b"\0" + len(reply).to_bytes(4, "big") + reply})
        await send(_OK)


async def _rest(body: bytes, event: MutableMapping[str, Any], receive: Receive) -> bytes:
    """The whole body of a request that did not come in one piece.

    Raises:
        Hangup: the caller left in the middle.
        Internal: there is less or more than one message.
        MessageTooLarge: as soon as the prefix says so.
    """
    parts, received = [body], len(body)
    whole: int | None = None
    while True:
        if whole is None and received >= PREFIX:
            parts = [b"".join(parts)]
            whole = announced(parts[0])
        if received > (PREFIX + MESSAGE_LIMIT if whole is None else whole):
            raise Internal("grpc: received more than one message for a unary call")
        if not event.get("more_body"):
            break
        event = await receive()
        if event["type"] != "http.request":
            raise Hangup
        parts.append(event["body"])
        received += len(parts[-1])
    if received != whole:
        raise Internal("grpc: the request ended before its message did: unexpected EOF")
    return b"".join(parts)


async def _refuse(error: ServiceError, send: Send) -> None:
    """Sends a response of headers alone, which carry the status."""
    headers = [
        _CONTENT_TYPE,
        (b"grpc-status", b"%d" % error.code),
        (b"grpc-message", percent_encoded(error.message)),
    ]
    packed = details(error)
    if packed is not None:
        headers.append((b"grpc-status-details-bin", binascii.b2a_base64(packed, newline=False).rstrip(b"=")))
    if isinstance(error, UnknownEncoding):
        headers.append((b"grpc-accept-encoding", ACCEPTED_ENCODINGS.encode("ascii")))
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send(_END)
