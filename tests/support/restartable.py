"""A server of a test's own, which may be stopped and started again where it was."""

import asyncio
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.support import processes
from tests.support.servers import PATIENCE_S, MariaDB, PostgreSQL, Server, short_directory


class DurablePostgreSQL(PostgreSQL):
    """One that forgets nothing it acknowledged, unless the machine itself fails."""

    def service(self) -> list[str | Path]:
        """See Server."""
        return [*super().service(), "-c", "synchronous_commit=on"]


class DurableMariaDB(MariaDB):
    """The same."""

    def service(self) -> list[str | Path]:
        """See Server."""
        return [*super().service(), "--innodb-flush-log-at-trx-commit=2"]


class Restartable:
    """Ends and starts a server.

    Args:
        server: one that serves.
    """

    def __init__(self, server: Server) -> None:
        self.server = server

    @property
    def url(self) -> str:
        """How clients reach it."""
        return self.server.url

    def stop(self, how: signal.Signals | None = None) -> None:
        """Ends it, by its own signal or another, and its clients with it."""
        if self.server.process is not None:
            processes.stop(self.server.process, how or self.server.stop_signal)

    def start(self) -> None:
        """Starts it where it was. Not in a thread that ends: the server would end with it."""
        self.server.process = self.server.run(self.server.service())

    async def restart(self, how: signal.Signals | None = None, away_s: float = 0.0) -> None:
        """Ends it, and starts it again so many seconds later; returns when it answers."""
        await asyncio.to_thread(self.stop, how)
        await asyncio.sleep(away_s)
        self.start()
        async with asyncio.timeout(PATIENCE_S):
            while not await asyncio.to_thread(self.server.answers):
                await asyncio.sleep(0.05)


@contextmanager
def restartable(kind: type[Server]) -> Iterator[Restartable]:
    """A server of a kind, ready for clients; its files go with it."""
    # The path of its socket must be short.
    directory = Path(tempfile.mkdtemp(prefix="hugo-restart-", dir=short_directory()))
    os.chmod(directory, 0o755)
    server = kind(directory)
    try:
        if command := server.preparation():
            if server.run(command).wait(PATIENCE_S):
                raise RuntimeError(f"{server.name} could not make its files:\n{processes.tail(server.log)}")
        server.serve()
        server.wait()
        yield Restartable(server)
    finally:
        server.stop()
        shutil.rmtree(directory, ignore_errors=True)
