"""`python -m benchmarks.profile`: where a server's time goes while a scenario runs.

py-spy samples the server's processes from outside; its stacks are kept in the chosen format and the hottest functions
printed. On PostgreSQL the dearest statements are printed too.
"""

from __future__ import annotations

import argparse
import shutil
import signal
import subprocess
import sys
import sysconfig
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from benchmarks.arguments import add_load_arguments, add_server_arguments, overrides
from benchmarks.drivers import DriverError, Drivers
from benchmarks.folded import Hot, hottest, read_folded
from benchmarks.measure import summarize
from benchmarks.processes import command_line, snapshot, tree
from benchmarks.report import number, table
from benchmarks.scenarios import Case, scenarios
from benchmarks.setup import databases, servers_under_test, work_directory
from benchmarks.systems import StartError, System

SUFFIX = {"raw": "folded", "flamegraph": "svg", "speedscope": "json"}


def parser() -> argparse.ArgumentParser:
    """The parser of `python -m benchmarks.profile`."""
    p = argparse.ArgumentParser(prog="python -m benchmarks.profile", description=__doc__)
    p.add_argument("scenario", nargs="?", default="load", choices=sorted(scenarios()), help="default: load")
    add_load_arguments(p)
    add_server_arguments(p)
    profile = p.add_argument_group("profile")
    profile.add_argument(
        "--format", choices=sorted(SUFFIX), default="raw", help="raw also prints the hottest functions"
    )
    profile.add_argument("--out", type=Path, default=Path("."), help="directory for the profiles (default: this one)")
    profile.add_argument("--rate", type=int, default=200, help="samples a second (default 200)")
    profile.add_argument("--top", type=int, default=30, help="functions and statements to list (default 30)")
    profile.add_argument("--gil", action="store_true", help="only threads that hold the interpreter lock")
    profile.add_argument("--native", action="store_true", help="C functions too; slower")
    return p


def main(argv: Sequence[str] | None = None) -> int:
    """Profile the scenario's cases on each database."""
    args = parser().parse_args(argv)
    spy = find_spy()
    if spy is None:
        print("py-spy is not installed; pip install py-spy", file=sys.stderr)
        return 2
    args.out.mkdir(parents=True, exist_ok=True)
    try:
        with work_directory(args.work_dir) as directory:
            for database in databases(args):
                with servers_under_test(args, database, directory) as (system, *_):
                    for case in scenarios()[args.scenario].cases(overrides(args)):
                        profile_case(spy, system, case, args)
    except (StartError, DriverError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def find_spy() -> str | None:
    """py-spy beside this interpreter, or on the PATH."""
    return shutil.which("py-spy", path=sysconfig.get_path("scripts")) or shutil.which("py-spy")


def profile_case(spy: str, system: System, case: Case, args: argparse.Namespace) -> None:
    """Run a case once under the profiler, after a run to warm up, and print what was seen."""
    for warm in (True, False):
        with Drivers(case.load, system.address, case.options) as drivers:
            if warm:
                drivers.run()
                continue
            if system.counters:
                system.counters.reset_statements()
            name = f"profile-{system.name}-{case.name.replace(' ', '-')}"
            with recording(spy, system.server_pids, args.out / name, args) as files:
                sample = drivers.run()
    result = summarize(system.name, case, sample, 1)
    print(f"\n{case.name} on {system.name}: {number(result.per_second)}/s while being profiled")
    for file in files:
        print(f"  {file}")
    if args.format == "raw":
        stacks = read_folded(line for file in files if file.exists() for line in file.read_text().splitlines())
        print("\n" + hot_table("own time", hottest(stacks, args.top)))
        print("\n" + hot_table("with callees", hottest(stacks, args.top, by_total=True)))
    if system.counters and system.counters.has_statements:
        print("\n" + statement_table(system, args.top, result.finished))


@contextmanager
def recording(spy: str, roots: Sequence[int], stem: Path, args: argparse.Namespace) -> Iterator[list[Path]]:
    """Sample every process of the trees that runs Python until the context is left; yields the files being written."""
    recorders: list[tuple[subprocess.Popen[str], Path]] = []
    for pid in tree(roots, snapshot()):
        if not runs_python(pid):
            continue
        file = Path(f"{stem}-{pid}.{SUFFIX[args.format]}")
        command = [spy, "record", "--pid", str(pid), "--format", args.format, "--output", str(file)]
        command += ["--rate", str(args.rate), "--duration", "3600", "--nonblocking"]
        command += ["--gil"] * args.gil + ["--native"] * args.native
        if args.native:
            command.remove("--nonblocking")  # unwinding C frames needs the process to stand still
        recorders.append(
            (subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True), file)
        )
    if not recorders:
        raise StartError("none of the server's processes runs Python; is --server-pid right?")
    time.sleep(1)  # attaching takes a moment
    try:
        yield [file for _, file in recorders]
    finally:
        for recorder, file in recorders:
            recorder.send_signal(signal.SIGINT)
            _, said = recorder.communicate(timeout=60)
            if not file.exists():
                print(f"py-spy: {said.strip()}", file=sys.stderr)


def runs_python(pid: int) -> bool:
    """Whether an interpreter is mapped into the process: a python program, or a server with Python embedded."""
    try:
        maps = (Path("/proc") / str(pid) / "maps").read_text()
    except OSError:
        return False
    return "libpython" in maps or "python" in command_line(pid).split(" ", 1)[0]


def hot_table(heading: str, functions: Sequence[Hot]) -> str:
    """Functions with their shares of the samples."""
    rows = [[f"hottest by {heading}", "own %", "total %", "samples"]]
    rows += [[f.name, number(f.own_share * 100), number(f.total_share * 100), f"{f.own:,}"] for f in functions]
    return table(rows)


def statement_table(system: System, limit: int, units: int) -> str:
    """The dearest statements, calls for each finished unit beside them."""
    rows = [["dearest statements", "ms", "calls", "calls a unit", "rows a call"]]
    for s in system.counters.top_statements(limit) if system.counters else []:
        text = s.query if len(s.query) <= 140 else s.query[:137] + "..."
        rows.append(
            [text, number(s.total_ms), f"{s.calls:,}", number(s.calls / max(1, units), 2), number(s.rows / s.calls)]
        )
    return table(rows)


if __name__ == "__main__":
    sys.exit(main())
