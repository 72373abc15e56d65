"""The servers under test: ours started here, one started by a command, or one that runs already."""

from __future__ import annotations

import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc
from temporalio.api.workflowservice.v1 import DescribeNamespaceRequest, service_pb2_grpc

from benchmarks.counters import PostgresCounters

PROJECT = Path(__file__).resolve().parent.parent
START_WITHIN = 90.0
STOP_WITHIN = 15.0
READY = re.compile(r"^READY grpc=(\S+) http=\S+", re.MULTILINE)


class StartError(RuntimeError):
    """A server did not come up; holds the end of its log."""


@dataclass(frozen=True)
class System:
    """Something to measure. The process trees under the pids are its CPU; the database's are told apart when known."""

    name: str
    address: str
    server_pids: tuple[int, ...] = ()
    database_pids: tuple[int, ...] = ()
    counters: PostgresCounters | None = None


def ready_address(output: str) -> str | None:
    """The gRPC address in the server's READY line, when it has been printed."""
    found = READY.search(output)
    return found.group(1) if found else None


def free_port() -> int:
    """A TCP port of the loopback interface nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def own_server(
    name: str, directory: Path, *, transport: str | None = None, database_url: str | None = None
) -> Iterator[tuple[str, int]]:
    """Start our server with its data in `directory`; yields its gRPC address and pid."""
    data = directory / "data"
    data.mkdir()
    command = [sys.executable, "manage.py", "hugo", "dev", "--no-sample", "--grpc-port", "0", "--http-port", "0"]
    command += ["--data", str(data)]
    if transport:
        command += ["--transport", transport]
    # An inherited DATABASE_URL would silently turn a SQLite run into something else.
    environment = {k: v for k, v in os.environ.items() if k != "DATABASE_URL"}
    if database_url:
        environment["DATABASE_URL"] = database_url
    log = directory / f"{name}.log"
    with running(command, log, environment) as process:
        yield await_ready(process, log), process.pid


def await_ready(process: subprocess.Popen[bytes], log: Path) -> str:
    """The gRPC address a server of ours prints once it serves; raises StartError when it does not."""
    return await_log(process, log, ready_address, "a READY line")


def await_log(process: subprocess.Popen[bytes], log: Path, find: Callable[[str], str | None], awaited: str) -> str:
    """What a process writes into its log sooner or later, as `find` returns it; raises StartError when it does not."""
    deadline = time.monotonic() + START_WITHIN
    while not (found := find(log.read_text(errors="replace"))):
        _check(process, log, deadline, awaited)
        time.sleep(0.05)
    return found


@contextmanager
def command_server(name: str, template: str, directory: Path, namespace: str) -> Iterator[tuple[str, int]]:
    """Start a server by a command line; `{port}`, `{port2}` and `{dir}` in it are filled in. Yields address and pid."""
    port, port2 = free_port(), free_port()
    command = [part.format(port=port, port2=port2, dir=directory) for part in shlex.split(template)]
    address, log = f"127.0.0.1:{port}", directory / f"{name}.log"
    with running(command, log, dict(os.environ)) as process:
        deadline = time.monotonic() + START_WITHIN
        while not answers(address, namespace):
            _check(process, log, deadline, f"an answer at {address}")
            time.sleep(0.2)
        yield address, process.pid


def answers(address: str, namespace: str) -> bool:
    """Whether the server knows the namespace; a port may listen well before its server can work."""
    with grpc.insecure_channel(address) as channel:
        stub = service_pb2_grpc.WorkflowServiceStub(channel)
        try:
            stub.DescribeNamespace(DescribeNamespaceRequest(namespace=namespace), timeout=2)
        except grpc.RpcError:
            return False
        return True


@contextmanager
def running(command: Sequence[str], log: Path, environment: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """Run a command in the project's directory, its output in a file, and end it with the context."""
    # Output goes to a file, not a pipe: nobody has to keep reading while the load runs.
    with log.open("wb") as output:
        process = subprocess.Popen(
            command,
            cwd=PROJECT,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        yield process
    finally:
        stop(process)


def stop(process: subprocess.Popen[bytes], polite: signal.Signals = signal.SIGTERM) -> None:
    """Ask the process to end, then kill its session's group (it was started as the leader of its own)."""
    if process.poll() is None:
        process.send_signal(polite)
        with suppress(subprocess.TimeoutExpired):
            process.wait(STOP_WITHIN)
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _check(process: subprocess.Popen[bytes], log: Path, deadline: float, awaited: str) -> None:
    ended = process.poll()
    if ended is None and time.monotonic() < deadline:
        return
    why = f"ended with status {ended}" if ended is not None else f"gave no sign within {START_WITHIN:.0f} s"
    tail = "\n".join(log.read_text(errors="replace").splitlines()[-15:])
    raise StartError(f"{shlex.join(map(str, process.args))}\n{why}, waiting for {awaited}\n{tail}")  # type: ignore[arg-type]
