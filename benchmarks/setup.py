"""Brings up what the command line asks for, and takes it down again."""

from __future__ import annotations

import argparse
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlsplit

from benchmarks.counters import PostgresCounters
from benchmarks.postgres import private_cluster
from benchmarks.systems import System, command_server, own_server

DATABASE = "hugo"


@contextmanager
def work_directory(parent: Path | None) -> Iterator[Path]:
    """A directory for the data of one run, removed afterwards."""
    directory = Path(tempfile.mkdtemp(prefix="hugo-bench-", dir=parent))
    try:
        yield directory
    finally:
        shutil.rmtree(directory, ignore_errors=True)


def databases(args: argparse.Namespace) -> list[str | None]:
    """The databases to start our server on, one after the other; None when it runs already."""
    if args.server:
        return [None]
    return ["sqlite", "postgres"] if args.database == "both" else [args.database]


@contextmanager
def server_under_test(args: argparse.Namespace, database: str | None, directory: Path) -> Iterator[System]:
    """The server to measure, started or as named by --server."""
    with ExitStack() as stack:
        if database is None:
            counters = _counters(stack, args.server_dsn)
            yield System("server", args.server, tuple(args.server_pid), tuple(args.server_db_pid), counters)
        elif database == "sqlite":
            home = directory / "sqlite"
            home.mkdir()
            address, pid = stack.enter_context(own_server("sqlite", home, transport=args.transport))
            yield System("sqlite", address, (pid,))
        else:
            cluster = stack.enter_context(private_cluster(directory, (DATABASE,), args.pg_bindir))
            home = directory / "on-postgres"
            home.mkdir()
            address, pid = stack.enter_context(
                own_server("postgres", home, transport=args.transport, database_url=cluster.dsn(DATABASE))
            )
            counters = PostgresCounters(cluster.dsn(), DATABASE)
            stack.callback(counters.close)
            yield System("postgres", address, (pid,), (cluster.pid,), counters)


@contextmanager
def peer(args: argparse.Namespace, directory: Path) -> Iterator[System | None]:
    """The other server, when one is asked for."""
    with ExitStack() as stack:
        if args.peer_command:
            home = Path(tempfile.mkdtemp(prefix="peer-", dir=directory))
            namespace = args.namespace or "default"
            address, pid = stack.enter_context(command_server("peer", args.peer_command, home, namespace))
            yield System(args.peer_name, address, (pid,), tuple(args.peer_db_pid), _counters(stack, args.peer_dsn))
        elif args.peer:
            counters = _counters(stack, args.peer_dsn)
            yield System(args.peer_name, args.peer, tuple(args.peer_pid), tuple(args.peer_db_pid), counters)
        else:
            yield None


def _counters(stack: ExitStack, dsn: str | None) -> PostgresCounters | None:
    """Counters of the database a URL names; read over it itself, so its own few statements are counted."""
    if not dsn:
        return None
    counters = PostgresCounters(dsn, urlsplit(dsn).path.lstrip("/"))
    stack.callback(counters.close)
    return counters
