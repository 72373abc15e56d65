"""A TCP proxy in front of PostgreSQL that loses a client's request, or the answer to it, at a chosen moment.

It knows just enough of the protocol to see a statement being executed. Messages of a client are a type, a length and
a body, after a first one that has no type. Clients must connect with `sslmode=disable` and `gssencmode=disable`.
"""

import socket
import struct
import threading
from collections.abc import Callable
from enum import Enum
from types import TracebackType
from typing import BinaryIO, Self
from urllib.parse import urlsplit

_LENGTH = struct.Struct("!i")
EXECUTE = frozenset((b"E"[0], b"Q"[0]))


class Cut(Enum):
    """What becomes of the next statement of the connection that is armed."""

    REQUEST = "lost on its way: the server never sees it"
    ANSWER = "executed, and its answer is lost"
    LATE = "delivered only when it is released, long after its client was cut off"


class Proxy:
    """A context manager; `url` leads through it to the server of another URL.

    Attributes:
        url: where clients connect.
        cuts: how many statements were cut.
        delivered: set once a statement that was late has been dealt with, or has found its server's session gone.
    """

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        self._server = (parts.hostname or "127.0.0.1", parts.port or 5432)
        self._listener = socket.create_server(("127.0.0.1", 0))
        port = self._listener.getsockname()[1]
        options = "&".join(filter(None, (parts.query, "sslmode=disable", "gssencmode=disable")))
        self.url = parts._replace(netloc=f"{parts.username}@127.0.0.1:{port}", query=options).geturl()
        self.cuts = 0
        self._cut: Cut | None = None
        self._words = b""
        self._lock = threading.Lock()
        self._release = threading.Event()
        self.delivered = threading.Event()
        self._sockets: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def arm(self, cut: Cut, words: str = "") -> None:
        """The next statement of any client is cut; where words are given, the next that has them in its text."""
        self._release.clear()
        self.delivered.clear()
        with self._lock:
            self._cut, self._words = cut, words.encode()

    def release(self) -> None:
        """Delivers what was held back."""
        self._release.set()

    def __enter__(self) -> Self:
        self._start(self._accept)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._release.set()
        # A listener that is only closed would go on waiting in accept().
        _end(self._listener)
        for each in self._sockets:
            _end(each)
        for thread in self._threads:
            thread.join(10)

    def _start(self, function: Callable[[], None]) -> None:
        thread = threading.Thread(target=function, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
                server = socket.create_connection(self._server)
            except OSError:
                return
            self._sockets += [client, server]
            connection = _Connection(self, client, server)
            self._start(connection.upwards)
            self._start(connection.downwards)

    def take(self, statement: bytes) -> Cut | None:
        """What is to become of a statement that was just seen; it is meant only once."""
        with self._lock:
            if self._words not in statement:
                return None
            cut, self._cut = self._cut, None
            self.cuts += cut is not None
        return cut

    def wait(self) -> None:
        """Returns when what was held back may go."""
        self._release.wait()


class _Connection:
    """One client and its connection to the server."""

    def __init__(self, proxy: Proxy, client: socket.socket, server: socket.socket) -> None:
        self._proxy = proxy
        self._client = client
        self._server = server
        self._deaf = False
        self._late = False

    def upwards(self) -> None:
        """Passes on what the client says."""
        stream = self._client.makefile("rb")
        try:
            self._server.sendall(_untyped(stream.read(4), stream))
            waiting = b""
            while kind := stream.read(1):
                message = kind + _untyped(stream.read(4), stream)
                waiting += message
                cut = self._proxy.take(waiting) if kind[0] in EXECUTE else None
                if cut is Cut.REQUEST:
                    break
                if cut is Cut.LATE:
                    rest = stream.read(5) if kind == b"E" else b""  # Sync
                    self._late = True
                    _end(self._client)
                    self._proxy.wait()
                    self._server.sendall(waiting + rest)
                    return
                if cut is Cut.ANSWER:
                    self._deaf = True
                if kind[0] not in b"PBD":
                    self._server.sendall(waiting)
                    waiting = b""
        except (OSError, EOFError):
            pass
        finally:
            _end(self._client)
            if not self._deaf:
                _end(self._server)

    def downwards(self) -> None:
        """Passes on what the server says, until it must not be heard any more."""
        try:
            while data := self._server.recv(65536):
                if self._deaf:
                    # Something is answered, so the statement has been executed.
                    break
                self._client.sendall(data)
        except OSError:
            pass
        finally:
            _end(self._client)
            _end(self._server)
            if self._late:
                self._proxy.delivered.set()


def _untyped(length: bytes, stream: BinaryIO) -> bytes:
    if len(length) < 4:
        raise EOFError
    body: bytes = stream.read(_LENGTH.unpack(length)[0] - 4)
    return length + body


def _end(each: socket.socket) -> None:
    try:
        each.shutdown(socket.SHUT_RDWR)
    except OSError:
        pass
    each.close()
