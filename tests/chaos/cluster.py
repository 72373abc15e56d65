"""A cluster under chaos: its database, its Redis, its frontends, Celery workers and SDK workers."""

import os
import sys
import time
from pathlib import Path

from tests.chaos.processes import Process
from tests.chaos.stores import PostgreSQL, Redis
from tests.support.databases import migrate, server_environment
from tests.support.processes import free_port

FRONTENDS = 2
CELERY_WORKERS = 2
SDK_WORKERS = 2
QUEUES = "hugo.history,hugo.timer,hugo.transfer,hugo.visibility,hugo.system"
PATIENCE_S = 60.0


class Cluster:
    """A context manager.

    Args:
        directory: for all its files; everybody may enter it.
        task_queue: what the SDK workers serve.

    Attributes:
        postgres, redis: the servers.
        frontends, celery_workers, sdk_workers: the processes.
        addresses: of the frontends.
    """

    def __init__(self, directory: Path, task_queue: str) -> None:
        self.postgres = PostgreSQL(directory)
        self.redis = Redis(directory)
        self.addresses = [f"127.0.0.1:{free_port()}" for _ in range(FRONTENDS)]
        self._directory = directory
        self._task_queue = task_queue
        self.frontends: list[Process] = []
        self.celery_workers: list[Process] = []
        self.sdk_workers: list[Process] = []

    @property
    def processes(self) -> list[Process]:
        """All but the servers."""
        return [*self.frontends, *self.celery_workers, *self.sdk_workers]

    def __enter__(self) -> "Cluster":
        try:
            self._start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """Ends the processes, then the servers."""
        self.stop_processes()
        for server in (self.postgres, self.redis):
            server.stop()

    def stop_processes(self) -> None:
        """Ends the processes; the servers go on."""
        for process in (*self.sdk_workers, *self.celery_workers, *self.frontends):
            process.stop()

    def _start(self) -> None:
        preparation = self.postgres.run(self.postgres.preparation())
        if preparation.wait(PATIENCE_S):
            raise RuntimeError(f"PostgreSQL could not make its files: {self.postgres.log}")
        for server in (self.postgres, self.redis):
            server.serve()
        for server in (self.postgres, self.redis):
            server.wait()
        migrate(self.postgres.url)
        self._make_processes()
        for process in self.processes:
            process.start()
        self._wait()

    def _make_processes(self) -> None:
        inherited = {name: value for name, value in os.environ.items() if not name.startswith(("HUGO", "DATABASE"))}
        ours = server_environment(self.postgres.url) | {"REDIS_URL": self.redis.url, "PYTHONUNBUFFERED": "1"}
        environment = inherited | ours

        def process(name: str, *command: str) -> Process:
            return Process(name, [sys.executable, *command], self._directory, environment)

        for number, address in enumerate(self.addresses):
            port = address.rpartition(":")[2]
            self.frontends.append(process(f"frontend-{number}", "manage.py", "hugo", "frontend", "--grpc-port", port))
        for number in range(CELERY_WORKERS):
            name = f"celery-{number}"
            options = ("worker", "-Q", QUEUES, "--concurrency", "1", "--loglevel", "INFO", "--hostname", name)
            self.celery_workers.append(process(name, "-m", "celery", "-A", "config", *options))
        for number in range(SDK_WORKERS):
            address = self.addresses[number % FRONTENDS]
            self.sdk_workers.append(process(f"worker-{number}", "-m", "tests.chaos.worker", address, self._task_queue))

    def _wait(self) -> None:
        """Returns when the frontends say that they serve."""
        until = time.monotonic() + PATIENCE_S
        for frontend in self.frontends:
            while b"READY" not in frontend.log.read_bytes():
                if not frontend.alive or time.monotonic() > until:
                    raise RuntimeError(f"{frontend.name} does not serve: {frontend.log}")
                time.sleep(0.05)
