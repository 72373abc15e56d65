"""`make cluster`: a cluster that takes orders, and leaves nothing behind."""

import re
import signal
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.management.command import gone, wait_for
from tests.support.databases import ROOT
from tests.support.processes import dying_with_parent
from tests.support.servers import short_directory

PROCESS = re.compile(r"process (\d+), log (\S+)")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(300)]


def show(*arguments: str) -> subprocess.Popen[str]:
    """The command, its output read line by line."""
    line = [sys.executable, "-u", "-m", "tests.support.show_cluster", *arguments]
    return subprocess.Popen(
        dying_with_parent(line), cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )


def ended(printed: str) -> bool:
    """Whether all processes it told of are gone."""
    return all(gone(int(pid)) for pid, _ in PROCESS.findall(printed))


def test_orders_go_through_a_cluster_that_ends_after_them() -> None:
    with show("--once") as command:
        printed, _ = command.communicate(timeout=240)
    assert command.returncode == 0, printed
    assert "9 of 9 orders are delivered." in printed
    assert len(PROCESS.findall(printed)) == 5
    workers = [line.split() for line in printed.splitlines() if line.startswith("worker-")]
    frontends = [line.split() for line in printed.splitlines() if line.startswith("frontend-")]
    assert (len(workers), len(frontends)) == (2, 2)
    assert [int(row[4]) for row in workers] == [256, 256]
    assert sum(int(row[7]) for row in workers) >= 9
    assert sum(int(row[5]) for row in frontends) > 9 * 10
    assert ended(printed)


@pytest.fixture
def data() -> Iterator[Path]:
    """A directory that the account of PostgreSQL can reach."""
    with tempfile.TemporaryDirectory(prefix="hugo-data-", dir=short_directory()) as directory:
        Path(directory).chmod(0o755)
        yield Path(directory)


def test_interrupt_ends_all_of_it_and_data_stays_where_it_was_named(data: Path) -> None:
    with show("--data", str(data)) as command:
        assert command.stdout is not None
        printed = ""
        while "Ctrl-C ends it." not in printed:
            line = command.stdout.readline()
            assert line, printed
            printed += line
        command.send_signal(signal.SIGINT)
        rest, _ = command.communicate(timeout=120)
    assert command.returncode == 0, rest
    wait_for(lambda: ended(printed), "the end of the processes")
    assert (data / "servers" / "postgresql" / "data" / "PG_VERSION").exists()
