"""Runs a command with private PostgreSQL, MariaDB and Redis servers beside it, and stops them after it.

    python -m tests.support.services -- pytest tests

The command finds them by HUGO_TEST_POSTGRES_URL, HUGO_TEST_MARIADB_URL and HUGO_TEST_REDIS_URL. Servers of the system
are never used, nor disturbed.
"""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from types import FrameType

from tests.support import binaries, processes, servers

SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def main(arguments: Sequence[str]) -> int:
    """Returns the command's status; 2 when the servers cannot be had."""
    command = list(arguments[1:] if arguments[:1] == ["--"] else arguments)
    if not command:
        print("usage: python -m tests.support.services -- COMMAND ...", file=sys.stderr)
        return 2
    try:
        # Until the command runs, a signal ends us through SystemExit, so that every `finally` on the way is passed.
        with handled_by(_leave):
            binaries.ensure()
            begun = time.monotonic()
            with servers.running() as variables:
                print(f"PostgreSQL, MariaDB and Redis are up after {time.monotonic() - begun:.1f} s", flush=True)
                return run(command, variables)
    except (binaries.Missing, LookupError, RuntimeError, subprocess.TimeoutExpired) as error:
        print(f"tests.support.services: {error}", file=sys.stderr)
        return 2


def run(command: list[str], variables: dict[str, str]) -> int:
    """Runs the command and passes signals on: it ends first, then the servers do."""
    process = subprocess.Popen(processes.dying_with_parent(command, signal.SIGTERM), env=os.environ | variables)

    def pass_on(number: int, _: FrameType | None) -> None:
        # The terminal sends SIGINT to the command itself.
        if number != signal.SIGINT:
            process.send_signal(number)

    with handled_by(pass_on):
        status = process.wait()
    return status if status >= 0 else 128 - status


@contextmanager
def handled_by(handler: Callable[[int, FrameType | None], None]) -> Iterator[None]:
    """Lets `handler` take the signals that end a program, and gives them back."""
    before = {number: signal.signal(number, handler) for number in SIGNALS}
    try:
        yield
    finally:
        for number, previous in before.items():
            signal.signal(number, previous)


def _leave(number: int, _: FrameType | None) -> None:
    sys.exit(128 + number)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
