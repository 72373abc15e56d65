"""A plain HTTP/2 client: what a gRPC library would never send, and what it would hide."""

import socket
import struct
from dataclasses import dataclass, field
from types import TracebackType
from typing import Self

from h2.connection import H2Connection
from h2.events import (
    ConnectionTerminated,
    DataReceived,
    PingAckReceived,
    ResponseReceived,
    StreamEnded,
    StreamReset,
    TrailersReceived,
)

from tests.grpc.table import SERVICE


@dataclass
class Answer:
    """What came back on a stream.

    Attributes:
        headers: the response headers, the trailers among them.
        body: the frames' data.
        in_headers: whether the status came with the headers, without body and trailers.
        reset: the error code of RST_STREAM, None without one.
    """

    headers: dict[str, str] = field(default_factory=dict)
    body: bytes = b""
    in_headers: bool = False
    ended: bool = False
    reset: int | None = None

    @property
    def status(self) -> int | None:
        """The gRPC status."""
        return int(self.headers["grpc-status"]) if "grpc-status" in self.headers else None

    @property
    def message(self) -> bytes:
        """The one message of the body, without its prefix."""
        length = struct.unpack(">I", self.body[1:5])[0]
        assert self.body[0] == 0
        assert len(self.body) == 5 + length
        return self.body[5:]


class Connection:
    """One connection; blocking.

    Args:
        port: of the loopback interface.
    """

    def __init__(self, port: int) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=30)
        self._h2 = H2Connection()
        self._h2.initiate_connection()
        self._answers: dict[int, Answer] = {}
        self._pings = 0
        self.terminated = False
        self._flush()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._socket.close()

    def begin(self, method: str, *headers: tuple[str, str], service: str = SERVICE) -> int:
        """Sends the headers of a call and returns its stream."""
        stream = self._h2.get_next_available_stream_id()
        fixed = [
            (":method", "POST"),
            (":scheme", "http"),
            (":path", f"/{service}/{method}"),
            (":authority", "test"),
            ("te", "trailers"),
        ]
        if not any(name == "content-type" for name, _ in headers):
            fixed.append(("content-type", "application/grpc"))
        self._h2.send_headers(stream, [*fixed, *headers])
        self._answers[stream] = Answer()
        self._flush()
        return stream

    def send(self, stream: int, data: bytes, end: bool = False) -> None:
        """Sends one DATA frame, in a packet of its own."""
        self._h2.send_data(stream, data, end_stream=end)
        self._flush()

    def reset(self, stream: int) -> None:
        """Cancels a stream."""
        self._h2.reset_stream(stream, error_code=8)
        self._flush()

    def call(self, method: str, *frames: bytes, headers: tuple[tuple[str, str], ...] = ()) -> Answer:
        """One call from its DATA frames to its answer."""
        stream = self.begin(method, *headers)
        for frame in frames[:-1]:
            self.send(stream, frame)
        self.send(stream, frames[-1] if frames else b"", end=True)
        return self.answer(stream)

    def answer(self, stream: int) -> Answer:
        """The answer of a stream, once it is complete."""
        answer = self._answers[stream]
        while not answer.ended and answer.reset is None and not self.terminated:
            self._receive()
        return answer

    def until_lost(self) -> None:
        """Returns when the server is gone."""
        while not self.terminated:
            self._receive()

    def ping(self) -> None:
        """Sends a ping and waits for its acknowledgement."""
        before = self._pings
        self._h2.ping(b"12345678")
        self._flush()
        while self._pings == before and not self.terminated:
            self._receive()

    def _flush(self) -> None:
        self._socket.sendall(self._h2.data_to_send())

    def _receive(self) -> None:
        try:
            data = self._socket.recv(65536)
        except ConnectionResetError:
            data = b""
        if not data:
            self.terminated = True
            return
        for event in self._h2.receive_data(data):
            if isinstance(event, ConnectionTerminated):
                self.terminated = True
            elif isinstance(event, PingAckReceived):
                self._pings += 1
            stream = getattr(event, "stream_id", None)
            if stream not in self._answers:
                continue
            answer = self._answers[stream]
            if isinstance(event, ResponseReceived | TrailersReceived):
                found = {_text(name): _text(value) for name, value in event.headers}
                answer.in_headers = isinstance(event, ResponseReceived) and "grpc-status" in found
                answer.headers.update(found)
            elif isinstance(event, DataReceived):
                answer.body += event.data
                self._h2.acknowledge_received_data(event.flow_controlled_length, stream)
            elif isinstance(event, StreamEnded):
                answer.ended = True
            elif isinstance(event, StreamReset):
                answer.reset = event.error_code
        self._flush()


def framed(message: bytes, flag: int = 0) -> bytes:
    """A message behind gRPC's prefix."""
    return struct.pack(">BI", flag, len(message)) + message


def _text(value: bytes | str) -> str:
    return value if isinstance(value, str) else value.decode()
