"""The processes of a cluster, each with a log of its own: `hugo frontend`, Celery workers, beat."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

from tests.support.databases import ROOT, server_environment
from tests.support.processes import dying_with_parent, stop, tail

QUEUES = "hugo.timer,hugo.transfer,hugo.history,hugo.visibility,hugo.system"
PATIENCE = 60.0


class Process:
    """One process of a cluster, which may be started again after it ended.

    Args:
        name: of the process and its log.
        command: the arguments of the Python interpreter.
        ready: what it prints when it is ready; the match is kept.
        directory: where its log is.
        environment: all of its variables.

    Attributes:
        log: all that it has printed, over all its lives.
        match: of `ready`, in its present life.
    """

    def __init__(
        self, name: str, command: Sequence[str], ready: str, directory: Path, environment: Mapping[str, str]
    ) -> None:
        self.name = name
        self.log = directory / f"{name}.log"
        self.match: re.Match[str] | None = None
        self._command = [sys.executable, *command]
        self._ready = ready
        self._environment = environment
        self._process: subprocess.Popen[bytes] | None = None
        self._begin = 0

    @property
    def pid(self) -> int:
        """Its number."""
        return self._started.pid

    @property
    def printed(self) -> str:
        """What it has printed in its present life."""
        with self.log.open("rb") as file:
            file.seek(self._begin)
            return file.read().decode(errors="replace")

    @property
    def _started(self) -> subprocess.Popen[bytes]:
        assert self._process is not None, f"{self.name} was never started"
        return self._process

    def launch(self) -> Self:
        """Starts it, and does not wait until it is ready."""
        with self.log.open("ab") as output:
            self._begin = output.tell()
            self._process = subprocess.Popen(
                dying_with_parent(self._command),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        return self

    def await_ready(self) -> Self:
        """Waits until it is ready."""
        self.match = self.until(self._ready)
        return self

    def start(self) -> Self:
        """Starts it and waits until it is ready."""
        return self.launch().await_ready()

    def until(self, pattern: str) -> re.Match[str]:
        """Waits until it has printed something in its present life, and returns the match."""
        deadline = time.monotonic() + PATIENCE
        while not (found := re.search(pattern, self.printed, re.MULTILINE)):
            if self._started.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"{self.name} has not printed {pattern!r}:\n{tail(self.log)}")
            time.sleep(0.02)
        return found

    def wait(self) -> int:
        """Waits until it ends by itself and returns its status."""
        return self._started.wait(PATIENCE)

    def terminate(self) -> None:
        """Tells it to drain, if it runs, and does not wait."""
        if self._process is not None and self._process.poll() is None:
            self._process.terminate()

    def stop(self, how: signal.Signals = signal.SIGTERM) -> int:
        """Drains it and returns its status; 0 when it was never started."""
        if self._process is None:
            return 0
        stop(self._process, how, PATIENCE)
        return self._process.returncode

    def kill(self) -> None:
        """SIGKILL to it and its children, if it runs: nothing is flushed, nobody is told."""
        if self._process is not None and self._process.poll() is None:
            os.killpg(self.pid, signal.SIGKILL)
            self._process.wait()


class Cluster:
    """Makes the processes of a cluster; they are started one by one, and all that still run are killed at the end.

    Args:
        directory: where the logs are.
        url: DATABASE_URL.
        redis_url: REDIS_URL; empty for none.
        environment: further variables.

    Attributes:
        processes: all that were made.
    """

    def __init__(self, directory: Path, url: str, redis_url: str, environment: Mapping[str, str] | None = None) -> None:
        self.processes: list[Process] = []
        self._directory = directory
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HUGO_", "DATABASE"))}
        redis = {"REDIS_URL": redis_url} if redis_url else {}
        fixed = {"PYTHONUNBUFFERED": "1", "HUGO_DATA_DIR": str(directory / "data")}
        self._environment = inherited | server_environment(url) | redis | fixed | dict(environment or {})

    def process(self, name: str, command: Sequence[str], ready: str) -> Process:
        """A process with the environment of the cluster."""
        made = Process(name, command, ready, self._directory, self._environment)
        self.processes.append(made)
        return made

    def frontend(self, name: str, *arguments: str) -> Process:
        """A `hugo frontend` on a free port, unless the arguments say otherwise; `match["grpc"]` is where it serves."""
        port = () if "--grpc-port" in arguments else ("--grpc-port", "0")
        return self.process(
            name, ["manage.py", "hugo", "frontend", *port, *arguments], r"^READY grpc=(?P<grpc>\S+) http=(?P<http>\S+)"
        )

    def worker(self, name: str, *arguments: str) -> Process:
        """A Celery worker of all hugo.* queues."""
        pool = () if "--pool" in arguments else ("--pool", "solo")
        celery = ["-W", "ignore", "-m", "celery", "-A", "config", "worker"]
        node = ("-n", f"{name}@cluster", "-l", "INFO", "--without-mingle", "--without-gossip")
        return self.process(name, [*celery, *node, "-Q", QUEUES, *pool, *arguments], r"\S+@cluster ready\.")

    def beat(self, name: str) -> Process:
        """A Celery beat."""
        return self.process(name, ["-m", "celery", "-A", "config", "beat", "-l", "INFO"], "beat: Starting")

    def start(self, *processes: Process) -> None:
        """Starts processes together and waits until all are ready."""
        for process in processes:
            process.launch()
        for process in processes:
            process.await_ready()

    def stop(self) -> None:
        """Drains all that run, together."""
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.stop()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self.processes:
            process.kill()
