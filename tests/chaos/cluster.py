"""A cluster under chaos: its database, its Redis, its frontends, Celery workers and SDK workers."""

from pathlib import Path

from tests.chaos.processes import Victim, Victims
from tests.support import processes
from tests.support.databases import migrate
from tests.support.restartable import DurablePostgreSQL, Restartable
from tests.support.servers import PATIENCE_S, Redis

FRONTENDS = 2
CELERY_WORKERS = 2
SDK_WORKERS = 2


class Cluster:
    """A context manager; what it has written stays when it ends.

    Args:
        directory: for all its files; everybody may enter it.
        task_queue: what the SDK workers serve.

    Attributes:
        postgres, redis: the servers.
        frontends, celery_workers, sdk_workers: the processes.
        addresses: of the frontends.
    """

    def __init__(self, directory: Path, task_queue: str) -> None:
        self._servers = (DurablePostgreSQL(directory), Redis(directory))
        self.postgres, self.redis = map(Restartable, self._servers)
        self.addresses = [f"127.0.0.1:{processes.free_port()}" for _ in range(FRONTENDS)]
        self._directory = directory
        self._task_queue = task_queue
        self._victims: Victims | None = None
        self.frontends: list[Victim] = []
        self.celery_workers: list[Victim] = []
        self.sdk_workers: list[Victim] = []

    @property
    def processes(self) -> list[Victim]:
        """All but the servers."""
        return [*self.frontends, *self.celery_workers, *self.sdk_workers]

    def __enter__(self) -> "Cluster":
        try:
            self._start()
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        for process in self.processes:
            process.kill()
        for server in self._servers:
            server.stop()

    def drain(self) -> None:
        """Ends the processes in an orderly way; the servers go on."""
        assert self._victims is not None
        self._victims.stop()

    def _start(self) -> None:
        postgres = self._servers[0]
        if postgres.run(postgres.preparation()).wait(PATIENCE_S):
            raise RuntimeError(f"PostgreSQL could not make its files:\n{processes.tail(postgres.log)}")
        for server in self._servers:
            server.serve()
        for server in self._servers:
            server.wait()
        migrate(self.postgres.url)
        self._victims = victims = Victims(self._directory, self.postgres.url, self.redis.url)
        for number, address in enumerate(self.addresses):
            port = address.rpartition(":")[2]
            self.frontends.append(victims.frontend(f"frontend-{number}", "--grpc-port", port))
        self.celery_workers = [victims.worker(f"celery-{number}") for number in range(CELERY_WORKERS)]
        for number in range(SDK_WORKERS):
            command = ["-m", "tests.chaos.worker", self.addresses[number % FRONTENDS], self._task_queue]
            self.sdk_workers.append(victims.process(f"worker-{number}", command, "serving"))
        victims.start(*self.processes)
