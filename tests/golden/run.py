"""Compares our server with recorded event histories and recorded answers to bad calls of a Temporal server.

    python -m tests.golden.run [--database URL] [--transport aio] [histories|errors] [arguments of the comparison]

GOLDEN_DIR names the recordings. Exit status: 0 all the same, 1 something differs, 2 the comparison could not be run.
"""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.support.databases import ROOT
from tests.support.server import StartError, scratch_server


@dataclass(frozen=True, slots=True)
class Comparison:
    """One of the recorded sets: its program, and what we pass unless told otherwise."""

    program: str
    arguments: tuple[str, ...] = ()


COMPARISONS = {
    "histories": Comparison("golden.py", ("--jobs", "3")),
    "errors": Comparison("errors/errors.py"),
}


def main(arguments: Sequence[str]) -> int:
    """Starts a server and runs the comparisons asked for against it."""
    options, passed = parse(arguments)
    directory = golden_directory()
    missing = [each.program for each in COMPARISONS.values() if not (directory / each.program).is_file()]
    if missing:
        print(
            f"The recordings are not in {directory} ({', '.join(missing)} missing). They are no part of this checkout: "
            "name their directory by GOLDEN_DIR.",
            file=sys.stderr,
        )
        return 2
    server_arguments = ("--transport", options.transport) if options.transport else ()
    status = 0
    try:
        with scratch_server(*server_arguments, url=options.database) as server:
            for name in [options.what] if options.what else COMPARISONS:
                print(f"=== {name}", flush=True)
                status = max(status, compare(COMPARISONS[name], directory, server.grpc, passed))
    except StartError as error:
        print(error, file=sys.stderr)
        return 2
    return status


def parse(arguments: Sequence[str]) -> tuple[argparse.Namespace, list[str]]:
    """Our options, and the rest, which is for the comparison."""
    parser = argparse.ArgumentParser(prog="python -m tests.golden.run", description=__doc__)
    parser.add_argument("what", nargs="?", choices=list(COMPARISONS), help="only this set; default: both")
    parser.add_argument("--database", metavar="URL", help="DATABASE_URL of the server; default: SQLite")
    parser.add_argument("--transport", help="transport of the server")
    return parser.parse_known_args(arguments)


def golden_directory() -> Path:
    """Where the recordings are."""
    return Path(os.environ.get("GOLDEN_DIR") or ROOT.parent / "shared" / "golden").absolute()


def compare(comparison: Comparison, directory: Path, address: str, passed: Sequence[str]) -> int:
    """Runs one comparison and returns its exit status, at most 2."""
    program = directory / comparison.program
    command = [sys.executable, str(program), "compare", "--address", address, *comparison.arguments, *passed]
    status = subprocess.run(command, cwd=program.parent, stdin=subprocess.DEVNULL, check=False).returncode
    return status if status in (0, 1) else 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
