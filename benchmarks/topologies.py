"""Clusters of ours to measure: frontends and Celery workers over one database and one Redis."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.systems import PROJECT, StartError, await_log, await_ready, free_port, running

QUEUES = "hugo.history,hugo.timer,hugo.transfer,hugo.visibility,hugo.system"


@dataclass(frozen=True)
class Topology:
    """How many processes of each kind there are."""

    name: str
    frontends: int
    workers: int

    @property
    def database(self) -> str:
        """The name of its database."""
        return f"hugo_{self.frontends}_{self.workers}"


TOPOLOGIES = (Topology("one frontend", 1, 1), Topology("two frontends", 2, 1))
"""Measured beside `hugo dev`, which is everything in one process, on the same PostgreSQL."""


@contextmanager
def private_redis(directory: Path) -> Iterator[tuple[str, int]]:
    """Run a Redis that keeps nothing; yields its URL without a database, and its pid."""
    program = shutil.which("redis-server")
    if program is None:
        raise StartError("no redis-server found; install Redis, or put it on the PATH")
    port = free_port()
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(directory)]
    with running(command, directory / "redis.log", dict(os.environ)) as process:
        yield f"redis://127.0.0.1:{port}", process.pid


@contextmanager
def own_cluster(
    topology: Topology, directory: Path, database_url: str, redis_url: str
) -> Iterator[tuple[str, list[int]]]:
    """Run the processes of a topology; yields the gRPC address and their pids."""
    environment = dict(os.environ) | {
        "DATABASE_URL": database_url,
        "DJANGO_SETTINGS_MODULE": "config.settings.production",
        "DJANGO_SECRET_KEY": "a key for servers that are measured",
        "DJANGO_ALLOWED_HOSTS": "localhost",
        "REDIS_URL": redis_url,
        "HUGO_DATA_DIR": str(directory),
    }
    migrate = [sys.executable, "manage.py", "migrate", "--verbosity", "0"]
    subprocess.run(migrate, cwd=PROJECT, env=environment, check=True, stdin=subprocess.DEVNULL)
    with ExitStack() as stack:
        pids = []
        for number in range(topology.workers):
            name = f"worker{number}"
            command = [sys.executable, "-m", "celery", "-A", "config", "worker", "-Q", QUEUES]
            command += ["--pool", "solo", "--hostname", f"{name}@%h", "--loglevel", "INFO"]
            log = directory / f"{name}.log"
            worker = stack.enter_context(running(command, log, environment))
            await_log(worker, log, _said_ready, "the worker")
            pids.append(worker.pid)
        command = [sys.executable, "manage.py", "hugo", "frontend", "--grpc-port", "0", "--http-port", "none"]
        command += ["--workers", str(topology.frontends)]
        log = directory / "frontend.log"
        frontend = stack.enter_context(running(command, log, environment))
        yield await_ready(frontend, log), [*pids, frontend.pid]


def _said_ready(text: str) -> str:
    """What Celery says once a worker takes tasks; empty before."""
    return "ready." if " ready." in text else ""
