"""A transport in a process of its own, as the commands run it: `python -m tests.grpc.server NAME OPTIONS`."""

import json
import os
import select
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import grpc

from orchestrator.grpc.embedded import die_with_parent
from orchestrator.grpc.serve import run
from orchestrator.grpc.transport import Options, Transport
from tests.grpc.table import SERVICE

ROOT = Path(__file__).resolve().parents[2]


class Server:
    """A running server; a context manager.

    Args:
        transport: `envoy` or `aio`.
        fails: whether it may fail to start; then `process` and `errors` tell how.
        options: fields of `Options` other than the defaults of these tests.
    """

    def __init__(self, transport: str, fails: bool = False, **options: Any) -> None:
        self.transport = transport
        self.process = subprocess.Popen(
            [sys.executable, "-W", "error", "-m", "tests.grpc.server", transport, json.dumps(options)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )
        self.errors = ""
        self._unread = b""
        said = self.line()
        if not said:
            self.close()
            if not fails:
                raise RuntimeError(f"The server did not start:\n{self.errors}")
            return
        started = json.loads(said)
        self.port: int = started["port"]
        self.http_port: int | None = started["http_port"]
        self.child: int | None = started["child"]
        self.channel = self.connect()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()

    def connect(self) -> grpc.Channel:
        """A channel with a connection of its own."""
        options = [("grpc.max_receive_message_length", -1), ("grpc.use_local_subchannel_pool", 1)]
        return grpc.insecure_channel(f"127.0.0.1:{self.port}", options=options)

    def line(self, patience: float = 60.0) -> str:
        """The next line of standard output, empty at its end."""
        assert self.process.stdout is not None
        while b"\n" not in self._unread:
            if not select.select([self.process.stdout], [], [], patience)[0]:
                raise TimeoutError("The server says nothing.")
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                return ""
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        return line.decode()

    def method(self, name: str, service: str = SERVICE) -> grpc.UnaryUnaryMultiCallable:
        """A method that takes and returns bytes."""
        return self.channel.unary_unary(f"/{service}/{name}")

    def until(self, note: str, times: int = 1) -> None:
        """Returns when a handler has noted something so many times."""
        self.method("Await")(json.dumps({"note": note, "times": times}).encode(), timeout=60)

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal and returns the exit status."""
        self.process.send_signal(how)
        return self.process.wait(30)

    def close(self) -> None:
        """Ends what still runs and keeps what was written to standard error in `errors`."""
        if hasattr(self, "channel"):
            self.channel.close()
        if self.process.poll() is None and hasattr(self, "channel"):
            self.process.terminate()
        output, errors = self.process.communicate(timeout=30)
        self._unread += output
        self.errors = errors.decode()


def main(transport: str, options: dict[str, Any]) -> int:
    """Serves the test table and prints where."""

    die_with_parent()

    def started(server: Transport) -> None:
        process = getattr(server, "process", None)
        child = None if process is None else process.pid
        print(json.dumps({"port": server.port, "http_port": server.http_port, "child": child}), flush=True)

    if transport == "envoy":
        options = {"http_port": 0, "http_application": "tests.grpc.site:application"} | options
    defaults: dict[str, Any] = {"port": 0, "handlers": "tests.grpc.table:Table", "sweep_seconds": 0.2}
    return run(Options(**(defaults | options)), transport, started)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], json.loads(sys.argv[2])))
