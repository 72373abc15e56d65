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
from benchmarks.stored import progress, store_closed_runs
from benchmarks.systems import System, command_server, own_server
from benchmarks.topologies import TOPOLOGIES, own_cluster, private_redis

DATABASE = "hugo"
FULL = "hugo_full"


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
    if args.stored or args.cluster:
        return ["postgres"]
    return ["sqlite", "postgres"] if args.database == "both" else [args.database]


@contextmanager
def servers_under_test(args: argparse.Namespace, database: str | None, directory: Path) -> Iterator[list[System]]:
    """Our servers to measure side by side, started or as named by --server; usually one."""
    with ExitStack() as stack:
        if database is None:
            counters = _counters(stack, args.server_dsn)
            yield [System("server", args.server, tuple(args.server_pid), tuple(args.server_db_pid), counters)]
        elif database == "sqlite":
            home = directory / "sqlite"
            home.mkdir()
            address, pid = stack.enter_context(own_server("sqlite", home, transport=args.transport))
            yield [System("sqlite", address, (pid,))]
        else:
            yield _on_postgres(stack, args, directory)


def _on_postgres(stack: ExitStack, args: argparse.Namespace, directory: Path) -> list[System]:
    """Servers on one private PostgreSQL, each with its own database.

    One process; with --stored a second one, over many closed runs; with --cluster others made of several processes.
    """
    names = (DATABASE, FULL) if args.stored else (DATABASE,)
    topologies = TOPOLOGIES if args.cluster else ()
    cluster = stack.enter_context(
        private_cluster(directory, (*names, *(each.database for each in topologies)), args.pg_bindir)
    )
    systems: list[System] = []
    for name in names:
        home = directory / f"on-{name}"
        home.mkdir()
        url = cluster.dsn(name)
        address, pid = stack.enter_context(own_server(name, home, transport=args.transport, database_url=url))
        if name == FULL:
            seconds = store_closed_runs(address, url, args.stored, args.namespace or "default", progress)
            print(f"\r{args.stored:,} closed runs stored in {seconds:.0f} s", flush=True)
        counters = PostgresCounters(cluster.dsn(), name)
        stack.callback(counters.close)
        called = f"{args.stored:,} stored" if name == FULL else "empty" if args.stored else "postgres"
        systems.append(System(called, address, (pid,), (cluster.pid,), counters))
    if topologies:
        redis_url, redis_pid = stack.enter_context(private_redis(directory))
        for number, each in enumerate(topologies):
            home = directory / each.database
            home.mkdir()
            url = cluster.dsn(each.database)
            address, pids = stack.enter_context(own_cluster(each, home, url, f"{redis_url}/{number}"))
            counters = PostgresCounters(cluster.dsn(), each.database)
            stack.callback(counters.close)
            systems.append(System(each.name, address, (*pids, redis_pid), (cluster.pid,), counters))
    return systems[::-1]


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
