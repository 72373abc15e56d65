"""`python -m benchmarks.soak`: a sustained load on PostgreSQL, and how tables, memory and latency change over time.

Whole workflows run as fast as so many in flight allow. Every few seconds the statistics of the database, the memory of
the server and the latencies since the last look are written down. At the end there are a CSV file, a picture, and a
table that compares the last quarter with the second one, when everything is warm.
"""

from __future__ import annotations

import argparse
import asyncio
import csv
import sys
from collections.abc import Sequence
from dataclasses import asdict, fields
from pathlib import Path

from benchmarks.arguments import add_server_arguments, positive
from benchmarks.load import LoadOptions
from benchmarks.report import number, table
from benchmarks.setup import servers_under_test, work_directory
from benchmarks.soak_plot import draw
from benchmarks.soak_samples import Look, Watch
from benchmarks.statistics import median_or_none
from benchmarks.systems import StartError, System
from benchmarks.workflow_load import WorkflowLoad


class SoakLoad(WorkflowLoad):
    """Workflows until the time is up, however many that makes."""

    async def run(self) -> None:
        running = asyncio.create_task(super().run())
        await asyncio.wait((running,), timeout=self.options.timeout)
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


def parser() -> argparse.ArgumentParser:
    """The parser of `python -m benchmarks.soak`."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.soak", description=__doc__)
    p.add_argument("--minutes", type=float, default=10.0, help="how long (default 10)")
    p.add_argument("--every", type=float, default=5.0, help="seconds between two looks (default 5)")
    p.add_argument("-c", "--concurrency", type=positive, default=16, help="workflows in flight (default 16)")
    p.add_argument("--out", type=Path, default=Path("soak"), help="directory for soak.csv and soak.png (default: soak)")
    add_server_arguments(p)
    p.set_defaults(database="postgres", namespace=None)
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Soak; the exit status is 1 when calls failed, 2 when the server could not be measured."""
    args = parser().parse_args(argv)
    try:
        with work_directory(args.work_dir) as directory, servers_under_test(args, "postgres", directory) as systems:
            looks, errors = asyncio.run(soak(systems[0], args.minutes * 60, args.every, args.concurrency))
    except StartError as error:
        print(error, file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    write(args.out / "soak.csv", looks)
    draw(args.out / "soak.png", looks)
    print(verdict(looks))
    if errors:
        print(f"! errors {errors}")
    return int(bool(errors))


async def soak(system: System, seconds: float, every: float, concurrency: int) -> tuple[list[Look], dict[str, int]]:
    """Loads a server for a time; returns what was seen, and the calls that failed."""
    options = LoadOptions(count=10**9, concurrency=concurrency, timeout=seconds)
    load = SoakLoad(system.address, options)
    looks: list[Look] = []
    watch = Watch(system, load.sample)
    try:
        await load.open()
        running = asyncio.create_task(load.run())
        while not running.done():
            await asyncio.wait((running,), timeout=every)
            looks.append(watch.look())
            last = looks[-1]
            print(f"\r  {last.seconds:5.0f} s  {last.per_second:6.0f}/s", end="", file=sys.stderr, flush=True)
        await running
    finally:
        watch.close()
        await load.close()
        print(file=sys.stderr)
    return looks, dict(load.sample.errors)


def write(path: Path, looks: Sequence[Look]) -> None:
    """Writes every look as a line of CSV."""
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, [field.name for field in fields(Look)])
        writer.writeheader()
        writer.writerows(asdict(look) for look in looks)


def verdict(looks: Sequence[Look]) -> str:
    """A table: the median of each figure in the second and in the last quarter, and their ratio."""
    quarter = max(1, len(looks) // 4)
    early, late = looks[quarter : 2 * quarter] or looks, looks[-quarter:]
    rows = [["median of", "second quarter", "last quarter", "ratio"]]
    for field in fields(Look):
        if field.name == "seconds":
            continue
        then, now = (median_or_none([getattr(look, field.name) for look in part]) for part in (early, late))
        ratio = now / then if then and now is not None else None
        rows.append([field.name.replace("_", " "), number(then, 2), number(now, 2), number(ratio, 2)])
    return table(rows)


if __name__ == "__main__":
    sys.exit(main())
