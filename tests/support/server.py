"""A server of ours in a process of its own, as `manage.py hugo dev` runs it."""

import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.databases import ROOT, server_environment
from tests.support.processes import dying_with_parent, stop, tail

READY = re.compile(r"^READY grpc=(?P<grpc>\S+) http=(?P<http>\S+)", re.MULTILINE)


class StartError(RuntimeError):
    """The server ended, or kept silent, before it said READY."""


@dataclass
class Server:
    """One server process; a context manager that ends it.

    Attributes:
        directory: where its data directory and its log are.
        url: its DATABASE_URL; None for a SQLite file in the data directory.
        arguments: further arguments of `hugo dev`.
        environment: further environment variables.
        checkout: the code it runs.
        grpc, http: HOST:PORT of a server that was started.
    """

    directory: Path
    url: str | None = None
    arguments: Sequence[str] = ()
    environment: Mapping[str, str] = field(default_factory=dict)
    checkout: Path = ROOT
    grpc: str = ""
    http: str = ""
    process: subprocess.Popen[bytes] | None = None

    @property
    def log(self) -> Path:
        """All that the server has printed, over all its starts."""
        return self.directory / "server.log"

    def start(self, patience: float = 60.0) -> Self:
        """Starts the server and waits until it serves. May be called again after it ended: same data, other ports."""
        self.directory.mkdir(parents=True, exist_ok=True)
        with self.log.open("ab") as output:
            begin = output.tell()
            self.process = subprocess.Popen(
                self._watched(self.command()),
                cwd=self.checkout,
                env=self._environment(),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + patience
        while not (ready := READY.search(self._printed(begin))):
            if self.process.poll() is not None:
                raise StartError(f"The server ended with status {self.process.returncode}:\n{tail(self.log)}")
            if time.monotonic() > deadline:
                self.kill()
                raise StartError(f"The server was not ready after {patience:.0f} s:\n{tail(self.log)}")
            time.sleep(0.05)
        self.grpc, self.http = ready["grpc"], ready["http"]
        return self

    def command(self) -> list[str]:
        """The command line."""
        ports = ("--grpc-port", "0", "--http-port", "0")
        data = ("--data", str(self.directory / "data"))
        return [sys.executable, "manage.py", "hugo", "dev", "--no-sample", *ports, *data, *self.arguments]

    def stop(self, patience: float = 20.0) -> int:
        """Drains the server (SIGTERM) and returns its exit status."""
        process = self._started()
        stop(process, signal.SIGTERM, patience)
        return process.returncode

    def kill(self) -> None:
        """SIGKILL: nothing is flushed, nobody is told."""
        process = self._started()
        process.kill()
        process.wait()

    def _started(self) -> subprocess.Popen[bytes]:
        if self.process is None:
            raise RuntimeError("The server was never started.")
        return self.process

    def _printed(self, begin: int) -> str:
        with self.log.open("rb") as file:
            file.seek(begin)
            return file.read().decode(errors="replace")

    def _environment(self) -> dict[str, str]:
        inherited = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "HUGO_DATA_DIR"}}
        return inherited | server_environment(self.url) | {"PYTHONUNBUFFERED": "1"} | dict(self.environment)

    def _watched(self, command: Sequence[str]) -> Sequence[str]:
        # The kernel's promise is tied to the thread that starts the child: only the main thread lasts long enough.
        return dying_with_parent(command) if threading.current_thread() is threading.main_thread() else command

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.process is not None:
            self.stop()


@contextmanager
def scratch_server(*arguments: str, url: str | None = None) -> Iterator[Server]:
    """A server in a temporary directory, for use outside pytest."""
    with tempfile.TemporaryDirectory(prefix="hugo-server-") as directory, Server(Path(directory), url, arguments) as it:
        yield it
