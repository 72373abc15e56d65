"""`python -m benchmarks`: measure, print the tables, write the JSON file."""

from __future__ import annotations

import json
import signal
import sys
import time
from collections.abc import Sequence
from types import FrameType
from typing import Any

from benchmarks.arguments import chosen, overrides, parser
from benchmarks.compare import compare
from benchmarks.drivers import DriverError
from benchmarks.machine import describe
from benchmarks.measure import Settings
from benchmarks.scenarios import scenarios
from benchmarks.setup import databases, peer, servers_under_test, work_directory
from benchmarks.systems import StartError, System


def main(argv: Sequence[str] | None = None) -> int:
    """Run; the exit status is 1 when a run did not finish all its work, 2 when a server could not be measured."""
    p = parser()
    args = p.parse_args(argv)
    if args.peer and args.peer_command:
        p.error("--peer and --peer-command exclude each other")
    if args.server is None and (args.server_pid or args.server_db_pid or args.server_dsn):
        p.error("--server-pid, --server-db-pid and --server-dsn describe a --server")
    said = overrides(args)
    cases = [case for name in chosen(args.scenarios, p) for case in scenarios()[name].cases(said)]
    signal.signal(signal.SIGTERM, _interrupted)
    results: list[dict[str, Any]] = []
    complete = True
    try:
        with work_directory(args.work_dir) as directory:
            machine = describe(directory)
            print(_heading(machine), flush=True)
            for database in databases(args):
                with servers_under_test(args, database, directory) as ours, peer(args, directory) as other:
                    systems: list[System] = [*ours, other] if other else ours
                    settle = args.settle if any(s.counters for s in systems) else 0.0
                    settings = Settings(args.warmup, settle, args.drivers)
                    for comparison in compare(systems, cases, settings, args.rounds):
                        results.append({"database": database, **comparison.as_json()})
                        complete &= all(m.finished == m.wanted for r in comparison.rounds for m in r)
    except (StartError, DriverError) as error:
        print(error, file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return 130
    finally:
        # What was measured before an interruption took time to measure, so it is kept.
        if args.json and results:
            taken = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
            args.json.write_text(json.dumps({"taken": taken, "machine": machine, "results": results}, indent=1) + "\n")
    return 0 if complete else 1


def _heading(machine: dict[str, Any]) -> str:
    text = (
        f"{machine['cpu']}, {machine['cores']} cores, {machine['memory_gb']} GB, {machine['system']},"
        f" data on {machine['file_system']}, Python {machine['python']}"
    )
    if machine["load_average"][0] > 0.3:
        text += f"\n! load average {machine['load_average'][0]}: something else runs here; figures will be off"
    if machine["file_system"] in ("tmpfs", "ramfs"):
        text += "\n! the data directory is in memory, where flushing is free: use --work-dir"
    return text


def _interrupted(number: int, frame: FrameType | None) -> None:
    raise KeyboardInterrupt
