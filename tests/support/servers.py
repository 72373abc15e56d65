"""Private PostgreSQL, MariaDB and Redis servers on free ports, as throw-away as their directory.

Nothing is synced to disk: these servers are never expected to survive, only ours are.
"""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

import psycopg
import pymysql

from tests.support import processes
from tests.support.binaries import need

PATIENCE_S = 60.0
ATTEMPTS = 3


class Server:
    """One server: `prepare` makes its files, `serve` runs it, `answers` says whether it is ready."""

    name: ClassVar[str]
    variable: ClassVar[str]
    users: ClassVar[tuple[str, ...]] = ("nobody",)
    stop_signal: ClassVar[signal.Signals] = signal.SIGTERM
    death_signal: ClassVar[signal.Signals] = signal.SIGTERM

    def __init__(self, parent: Path) -> None:
        self.directory = parent / self.name.lower()
        self.data = self.directory / "data"
        self.log = self.directory / "log"
        self.port = 0
        self.process: subprocess.Popen[bytes] | None = None
        self.account = processes.Account.of_first(*self.users)
        self.directory.mkdir(exist_ok=True)
        if self.account:
            os.chown(self.directory, self.account.uid, self.account.gid)

    @property
    def url(self) -> str:
        """How clients reach it."""
        raise NotImplementedError

    def preparation(self) -> list[str | Path]:
        """The command that makes the data directory; empty when none is needed."""
        return []

    def service(self) -> list[str | Path]:
        """The command that serves `self.port` in the foreground."""
        raise NotImplementedError

    def answers(self) -> bool:
        """Whether the server takes a client."""
        raise NotImplementedError

    def run(self, command: list[str | Path]) -> subprocess.Popen[bytes]:
        """Starts a command of this server in its directory, as its user."""
        return processes.start(
            command, account=self.account, log=self.log, directory=self.directory, death_signal=self.death_signal
        )

    def serve(self) -> None:
        """Starts serving on a port that is free now; somebody may take it before we do, hence `wait` tries again."""
        self.port = processes.free_port()
        self.process = self.run(self.service())

    def wait(self) -> None:
        """Returns when the server answers."""
        for attempt in range(ATTEMPTS):
            if attempt:
                self.serve()
            deadline = time.monotonic() + PATIENCE_S
            while self.process and self.process.poll() is None:
                if self.answers():
                    return
                if time.monotonic() > deadline:
                    self.stop()
                time.sleep(0.05)
        raise RuntimeError(f"{self.name} did not start:\n{processes.tail(self.log)}")

    def stop(self) -> None:
        """Ends the server."""
        if self.process:
            processes.stop(self.process, self.stop_signal)


class PostgreSQL(Server):
    name = "PostgreSQL"
    variable = "HUGO_TEST_POSTGRES_URL"
    users = ("postgres", "nobody")
    stop_signal = signal.SIGINT  # "fast": does not wait for clients
    death_signal = signal.SIGQUIT

    @property
    def url(self) -> str:
        return f"postgresql://hugo@127.0.0.1:{self.port}/hugo"

    def preparation(self) -> list[str | Path]:
        if (self.data / "PG_VERSION").exists():
            return []
        return [
            need("initdb"),
            *("--pgdata", self.data, "--username=hugo", "--auth=trust"),
            *("--encoding=UTF8", "--no-locale", "--no-sync", "--no-instructions"),
        ]

    def service(self) -> list[str | Path]:
        options = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.directory,
            "max_connections": 300,
            "shared_buffers": "128MB",
            "fsync": "off",
            "synchronous_commit": "off",
            "full_page_writes": "off",
            "autovacuum_naptime": "10s",
            "log_min_messages": "warning",
        }
        flags = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
        return [need("postgres"), "-D", self.data, *flags]

    def answers(self) -> bool:
        try:
            with psycopg.connect(
                host="127.0.0.1", port=self.port, user="hugo", dbname="postgres", autocommit=True, connect_timeout=5
            ) as client:
                if not client.execute("SELECT 1 FROM pg_database WHERE datname = 'hugo'").fetchone():
                    client.execute("CREATE DATABASE hugo")
        except psycopg.OperationalError:
            return False
        return True


class MariaDB(Server):
    name = "MariaDB"
    variable = "HUGO_TEST_MARIADB_URL"
    users = ("mysql", "nobody")

    @property
    def url(self) -> str:
        return f"mysql://root@127.0.0.1:{self.port}/hugo"

    def preparation(self) -> list[str | Path]:
        return [
            need("mariadb-install-db"),
            *("--no-defaults", f"--datadir={self.data}", "--auth-root-authentication-method=normal"),
            *("--skip-test-db", "--skip-name-resolve", "--innodb-log-file-size=16M"),
        ]

    def service(self) -> list[str | Path]:
        return [
            need("mariadbd"),
            *("--no-defaults", f"--datadir={self.data}", f"--port={self.port}", "--bind-address=127.0.0.1"),
            *(f"--socket={self.directory}/s", f"--pid-file={self.directory}/pid", f"--tmpdir={self.directory}"),
            *("--skip-name-resolve", "--skip-log-bin", "--character-set-server=utf8mb4", "--max-connections=300"),
            *("--innodb-flush-log-at-trx-commit=0", "--innodb-buffer-pool-size=64M", "--innodb-log-file-size=16M"),
        ]

    def answers(self) -> bool:
        try:
            with (
                pymysql.connect(host="127.0.0.1", port=self.port, user="root", connect_timeout=5) as client,
                client.cursor() as cursor,
            ):
                cursor.execute("CREATE DATABASE IF NOT EXISTS hugo CHARACTER SET utf8mb4")
        except pymysql.OperationalError:
            return False
        return True


class Redis(Server):
    name = "Redis"
    variable = "HUGO_TEST_REDIS_URL"
    users = ("redis", "nobody")

    @property
    def url(self) -> str:
        return f"redis://127.0.0.1:{self.port}/0"

    def service(self) -> list[str | Path]:
        return [
            need("redis-server"),
            *("--port", str(self.port), "--bind", "127.0.0.1", "--dir", self.directory),
            *("--save", "", "--appendonly", "no", "--loglevel", "warning"),
        ]

    def answers(self) -> bool:
        try:
            with socket.create_connection(("127.0.0.1", self.port), timeout=5) as client:
                client.sendall(b"PING\r\n")
                return client.recv(16).startswith(b"+PONG")
        except OSError:
            return False


@contextmanager
def running(
    kinds: Sequence[type[Server]] = (PostgreSQL, MariaDB, Redis), directory: Path | None = None
) -> Iterator[dict[str, str]]:
    """Runs servers and yields the environment variables that name them; stops them after.

    Args:
        kinds: which.
        directory: for their files, which stay there and are used again; None for a temporary one.
    """
    parent = directory or Path(tempfile.mkdtemp(prefix="hugo-servers-", dir=short_directory()))
    parent.mkdir(parents=True, exist_ok=True)
    parent.chmod(0o755)
    servers = [kind(parent) for kind in kinds]
    try:
        preparing = [(each, each.run(command)) for each in servers if (command := each.preparation())]
        for server, process in preparing:
            if process.wait(timeout=PATIENCE_S):
                raise RuntimeError(f"{server.name} could not make its files:\n{processes.tail(server.log)}")
        for server in servers:
            server.serve()
        for server in servers:
            server.wait()
        yield {server.variable: server.url for server in servers}
    finally:
        for server in servers:
            server.stop()
        if directory is None:
            shutil.rmtree(parent, ignore_errors=True)


def short_directory() -> str | None:
    """The path of a Unix socket has about 100 characters, which some TMPDIRs use up; and other users must reach it."""
    return "/tmp" if Path("/tmp").is_dir() else None
