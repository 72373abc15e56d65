"""Commands of `manage.py hugo` as processes, their output read line by line."""

import os
import re
import select
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.support.databases import ROOT, server_environment
from tests.support.processes import dying_with_parent

PATIENCE = 60.0
READY = re.compile(r"^READY grpc=(127\.0\.0\.1:\d+) http=(127\.0\.0\.1:\d+|none)$")


def command_line(data: Path, *arguments: str) -> list[str]:
    """The command line of `hugo dev`; ports are free ones unless the arguments say otherwise."""
    ports = [] if "--grpc-port" in arguments else ["--grpc-port", "0"]
    ports += [] if "--http-port" in arguments else ["--http-port", "0"]
    return [sys.executable, "manage.py", "hugo", "dev", "--data", str(data), *ports, *arguments]


def environment(url: str | None, more: Mapping[str, str]) -> dict[str, str]:
    """The environment of the command, without what the caller's own one says about databases."""
    kept = {name: value for name, value in os.environ.items() if name not in {"DATABASE_URL", "HUGO_DATA_DIR"}}
    return kept | server_environment(url) | dict(more)


def frontend_line(*arguments: str) -> list[str]:
    """The command line of `hugo frontend`; the port is a free one unless the arguments say otherwise."""
    port = [] if "--grpc-port" in arguments else ["--grpc-port", "0"]
    return [sys.executable, "manage.py", "hugo", "frontend", *port, *arguments]


def run(data: Path, *arguments: str, url: str | None = None, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs `hugo dev` to its end."""
    return run_line(command_line(data, *arguments), url, **more)


def run_line(line: list[str], url: str | None, **more: str) -> subprocess.CompletedProcess[str]:
    """Runs a command line to its end."""
    return subprocess.run(
        line,
        cwd=ROOT,
        env=environment(url, more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=PATIENCE,
        check=False,
    )


class Command:
    """A running command.

    Args:
        line: the command line.
        errors_file: where its standard error goes.
        url: its DATABASE_URL; None for SQLite.
        more: further environment variables.

    Attributes:
        grpc, http: HOST:PORT, once `ready`.
        lines: what it has printed to standard output so far.
    """

    def __init__(self, line: list[str], errors_file: Path, url: str | None, more: Mapping[str, str]) -> None:
        self.lines: list[str] = []
        self.grpc = self.http = ""
        self._unread = b""
        self.errors_file = errors_file
        with self.errors_file.open("wb") as errors:
            self.process = subprocess.Popen(
                dying_with_parent(line),
                cwd=ROOT,
                env=environment(url, more),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=errors,
            )

    @property
    def errors(self) -> str:
        """What it has printed to standard error."""
        return self.errors_file.read_text()

    def line(self) -> str:
        """The next line it prints; raises EOFError at the end of its output."""
        assert self.process.stdout is not None
        while b"\n" not in self._unread:
            if not select.select([self.process.stdout], [], [], PATIENCE)[0]:
                raise TimeoutError(f"Nothing more was printed after {self.lines[-5:]}.")
            chunk = os.read(self.process.stdout.fileno(), 65536)
            if not chunk:
                raise EOFError("\n".join([*self.lines, self.errors]))
            self._unread += chunk
        line, _, self._unread = self._unread.partition(b"\n")
        self.lines.append(line.decode())
        return self.lines[-1]

    def until(self, text: str) -> str:
        """Reads on to the first line that contains a text."""
        while text not in (line := self.line()):
            pass
        return line

    def ready(self) -> "Command":
        """Waits until it serves."""
        match = READY.match(line := self.until("READY"))
        assert match, line
        self.grpc, self.http = match.groups()
        return self

    def children(self) -> dict[int, str]:
        """Its child processes: pid and command line."""
        pid = self.process.pid
        found = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        return {int(child): Path(f"/proc/{child}/cmdline").read_text().replace("\0", " ") for child in found}

    def end(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Sends a signal and returns the exit status."""
        self.process.send_signal(how)
        return self.process.wait(PATIENCE)


@contextmanager
def dev(data: Path, *arguments: str, url: str | None = None, **more: str) -> Iterator[Command]:
    """A `hugo dev` that is ended at the end, if it still runs then."""
    with ended(Command(command_line(data, *arguments), data.parent / f"{data.name}.errors", url, more)) as command:
        yield command


@contextmanager
def frontend(directory: Path, url: str, *arguments: str, **more: str) -> Iterator[Command]:
    """A `hugo frontend` that is ended at the end, if it still runs then."""
    errors = directory / f"frontend-{uuid.uuid4().hex[:8]}.errors"
    with ended(Command(frontend_line(*arguments), errors, url, more)) as command:
        yield command


@contextmanager
def ended(command: Command) -> Iterator[Command]:
    """Ends the command at the end."""
    try:
        yield command
    finally:
        if command.process.poll() is None:
            command.process.kill()
            command.process.wait()
        assert command.process.stdout is not None
        command.process.stdout.close()


def wait_for(condition: Callable[[], bool], what: str) -> None:
    """Waits until something holds that the kernel brings about and nobody announces."""
    deadline = time.monotonic() + PATIENCE
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(what)
        time.sleep(0.01)


def gone(pid: int) -> bool:
    """Whether a process has ended; one that nobody has reaped yet has."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True
