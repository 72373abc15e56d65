"""The command line, shared by the benchmarks and the profiler."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.counters import FLUSH_AFTER
from benchmarks.scenarios import Overrides, scenarios

EPILOG = """\
examples:
  python -m benchmarks                                          both databases, the default scenarios
  python -m benchmarks load -c 64 --database sqlite             one case
  python -m benchmarks load --database sqlite --rounds 3 \\
      --peer-command "temporal server start-dev --headless --port {port} --ui-port {port2} --db-filename {dir}/peer.db"
  python -m benchmarks load --database postgres --rounds 3 \\
      --peer 127.0.0.1:7233 --peer-pid 4711 --peer-db-pid 4712
  python -m benchmarks latency --server 127.0.0.1:7233 --server-pid 4711     a server that runs already
"""


def positive(text: str) -> int:
    """A whole number above nought."""
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("must be at least 1")
    return value


def parser() -> argparse.ArgumentParser:
    """The parser of `python -m benchmarks`."""
    p = argparse.ArgumentParser(
        prog="python -m benchmarks",
        usage="%(prog)s [SCENARIO ...] [options]",
        description="Measure the server, alone or side by side with another one.",
        epilog=EPILOG + "\nscenarios:\n" + _scenario_list(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    p.add_argument("scenarios", nargs="*", metavar="SCENARIO", help="what to run, `all` for all (default: see below)")
    add_load_arguments(p)
    add_server_arguments(p)
    measuring = p.add_argument_group("measuring")
    measuring.add_argument("--rounds", type=positive, default=1, help="times each case is run, alternating systems")
    measuring.add_argument("--warmup", type=int, default=200, help="workflows before each measured run (default 200)")
    measuring.add_argument(
        "--settle",
        type=float,
        default=FLUSH_AFTER,
        help="seconds to wait for PostgreSQL's transaction counts, before and after a run (default %(default)s;"
        " 0 is quick and makes `commits` inexact, everything else stays exact)",
    )
    measuring.add_argument("--drivers", type=positive, default=1, help="driver processes the load is divided among")
    measuring.add_argument("--json", type=Path, metavar="FILE", help="also write everything measured to FILE")
    peer = p.add_argument_group("peer", "another server, measured alternately with ours")
    peer.add_argument("--peer", metavar="HOST:PORT", help="address of a running peer")
    peer.add_argument("--peer-name", default="peer", help="its name in the report (default peer)")
    peer.add_argument("--peer-pid", type=int, action="append", default=[], help="its process (tree); may be repeated")
    peer.add_argument("--peer-db-pid", type=int, action="append", default=[], help="its database's process (tree)")
    peer.add_argument("--peer-dsn", help="its PostgreSQL database, for transactions and statements")
    peer.add_argument("--peer-command", metavar="COMMAND", help="start it; {port}, {port2} and {dir} are filled in")
    return p


def add_load_arguments(p: argparse.ArgumentParser) -> None:
    """Flags about the load; each leaves the scenario's own value when not given."""
    load = p.add_argument_group("load")
    load.add_argument("-n", type=positive, dest="count", help="workflows (or calls) in all")
    load.add_argument("-c", type=positive, dest="concurrency", help="in flight")
    load.add_argument("--pollers", type=positive, help="waiting polls of each kind (default 16)")
    load.add_argument("--activities", type=int, help="activities a workflow, one after the other (default 1)")
    load.add_argument("--eager", action="store_true", default=None, help="ask for eager workflow and activity tasks")
    load.add_argument("--channels", type=positive, help="HTTP/2 connections (default 4)")
    load.add_argument("--timeout", type=float, help="seconds a run may take (default 300)")
    load.add_argument("--namespace", help="namespace (default `default`)")


def add_server_arguments(p: argparse.ArgumentParser) -> None:
    """Flags about the server under test."""
    ours = p.add_argument_group("server")
    ours.add_argument("--database", choices=("sqlite", "postgres", "both"), default="both")
    ours.add_argument(
        "--stored",
        type=positive,
        metavar="N",
        help="compare a PostgreSQL database that holds N closed runs with an empty one",
    )
    ours.add_argument(
        "--cluster",
        action="store_true",
        help="compare two frontends, one frontend and a single process, on PostgreSQL with Celery workers and Redis",
    )
    ours.add_argument("--transport", choices=("auto", "envoy", "aio"), help="the gRPC transport of the server")
    ours.add_argument("--pg-bindir", type=Path, help="directory with PostgreSQL's initdb and postgres")
    ours.add_argument(
        "--work-dir", type=Path, help="where data directories are made (default: the temporary directory)"
    )
    ours.add_argument("--server", metavar="HOST:PORT", help="measure this running server instead of starting ours")
    ours.add_argument("--server-pid", type=int, action="append", default=[], help="its process (tree)")
    ours.add_argument("--server-db-pid", type=int, action="append", default=[], help="its database's process (tree)")
    ours.add_argument("--server-dsn", help="its PostgreSQL database, for transactions and statements")


def overrides(args: argparse.Namespace) -> Overrides:
    """What was said about the load."""
    return Overrides(**{name: getattr(args, name) for name in vars(Overrides())})


def chosen(names: list[str], p: argparse.ArgumentParser) -> list[str]:
    """The scenarios to run, in the order asked for."""
    known = scenarios()
    if not names:
        return [s.name for s in known.values() if s.default]
    if names == ["all"]:
        return list(known)
    for name in names:
        if name not in known:
            p.error(f"no scenario {name!r}; there are {', '.join(known)}, all")
    return names


def _scenario_list() -> str:
    return "\n".join(f"  {s.name:<12}{s.summary}{' (default)' if s.default else ''}" for s in scenarios().values())
