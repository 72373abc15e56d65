"""A private PostgreSQL for one benchmark run: own data directory, free port, durable settings."""

from __future__ import annotations

import os
import pwd
import re
import secrets
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.systems import StartError, free_port, stop

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "256MB",
    "max_connections": "200",
    "autovacuum": "on",
}
"""What a careful installation would run with: figures without flushes to disk would be worth nothing."""

STATEMENT_SETTINGS = {
    "shared_preload_libraries": "pg_stat_statements",
    # Multi-row statements count as different ones by their number of rows, so there are many more than usual.
    "pg_stat_statements.max": "20000",
}

SEARCHED = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/usr/local/pgsql/bin",
    "/opt/homebrew/opt/postgresql*/bin",
)


@dataclass(frozen=True)
class Cluster:
    """A running server. `dsn` is the maintenance database, from where the counters are read."""

    pid: int
    port: int
    password: str
    version: str
    has_statements: bool

    def dsn(self, database: str = "postgres") -> str:
        """URL of a database of the cluster."""
        return f"postgresql://postgres:{self.password}@127.0.0.1:{self.port}/{database}"


def find_binaries(asked: Path | None = None) -> Path:
    """The directory with initdb and postgres: the asked one, that on the PATH, or the newest version installed."""
    candidates = [asked] if asked else []
    if not asked:
        on_path = shutil.which("initdb")
        candidates += [Path(on_path).resolve().parent] if on_path else []
        found = [p for pattern in SEARCHED for p in Path("/").glob(pattern.lstrip("/"))]
        candidates += sorted(found, key=major_version, reverse=True)
    for directory in candidates:
        if (directory / "initdb").exists() and (directory / "postgres").exists():
            return directory
    raise StartError("no PostgreSQL server binaries found (initdb, postgres); name their directory with --pg-bindir")


def major_version(directory: Path) -> int:
    """The first number in the path, which in every packaging is the major version."""
    number = re.search(r"\d+", str(directory))
    return int(number.group()) if number else 0


@contextmanager
def private_cluster(directory: Path, databases: tuple[str, ...], asked: Path | None = None) -> Iterator[Cluster]:
    """Initialize and run a cluster in `directory`/postgres with empty `databases`; gone with the context."""
    binaries = find_binaries(asked)
    user = _user()
    home = directory / "postgres"
    home.mkdir()
    if user:
        shutil.chown(home, user)
        # The parents were made for us alone; the server only has to pass through.
        directory.chmod(0o711)
    password = secrets.token_hex(16)
    password_file = home / "password"
    password_file.touch(0o600)
    password_file.write_text(password)
    if user:
        shutil.chown(password_file, user)
    data, port = home / "data", free_port()
    _run(
        [
            *(binaries / "initdb", "-D", data, "-U", "postgres", "-E", "UTF8", "--locale", "C"),
            *("-A", "scram-sha-256", "--pwfile", password_file),
        ],
        home,
        user,
    )
    has_statements = _has_statements(binaries)
    settings = {**SETTINGS, **(STATEMENT_SETTINGS if has_statements else {})}
    settings |= {"port": str(port), "listen_addresses": "127.0.0.1", "unix_socket_directories": ""}
    with (data / "postgresql.conf").open("a") as file:
        file.writelines(f"{key} = '{value}'\n" for key, value in settings.items())
    log = home / "postgres.log"
    with log.open("wb") as output:
        server = subprocess.Popen(
            [binaries / "postgres", "-D", data],
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            user=user,
        )
    try:
        cluster = Cluster(server.pid, port, password, _version(binaries), has_statements)
        _create(cluster, databases, server, log)
        yield cluster
    finally:
        stop(server, signal.SIGINT)  # "fast": ends the sessions that are left


def _create(cluster: Cluster, databases: tuple[str, ...], server: subprocess.Popen[bytes], log: Path) -> None:
    import psycopg

    deadline = time.monotonic() + 30
    while True:
        try:
            connection = psycopg.connect(cluster.dsn(), autocommit=True)
            break
        except psycopg.OperationalError as error:
            if server.poll() is not None or time.monotonic() > deadline:
                raise StartError(f"PostgreSQL did not start: {error}\n{log.read_text(errors='replace')}") from None
            time.sleep(0.1)
    with connection:
        for database in databases:
            connection.execute(psycopg.sql.SQL("CREATE DATABASE {}").format(psycopg.sql.Identifier(database)))
        if cluster.has_statements:
            connection.execute("CREATE EXTENSION pg_stat_statements")


def _user() -> str | None:
    """PostgreSQL refuses to run as root, so then the account its package made is used."""
    if os.geteuid() != 0:
        return None
    try:
        return pwd.getpwnam("postgres").pw_name
    except KeyError:
        raise StartError("running as root and there is no user postgres to run PostgreSQL as") from None


def _has_statements(binaries: Path) -> bool:
    try:
        share = subprocess.run([binaries / "pg_config", "--sharedir"], capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return False
    return (Path(share.stdout.strip()) / "extension" / "pg_stat_statements.control").exists()


def _version(binaries: Path) -> str:
    shown = subprocess.run([binaries / "postgres", "--version"], capture_output=True, text=True, check=True)
    return shown.stdout.strip().removeprefix("postgres (PostgreSQL) ")


def _run(command: list[Path | str], directory: Path, user: str | None) -> None:
    done = subprocess.run(command, cwd=directory, user=user, capture_output=True, text=True)
    if done.returncode:
        raise StartError(f"{command[0]} failed:\n{done.stderr.strip()}")
