"""The runner of the private servers leaves nothing behind, however it ends."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.support import binaries, services
from tests.support.databases import ROOT

VARIABLES = ("HUGO_TEST_POSTGRES_URL", "HUGO_TEST_MARIADB_URL", "HUGO_TEST_REDIS_URL")
TELL_AND_WAIT = f"""
import json, os, time
print(json.dumps([os.environ[name] for name in {VARIABLES!r}]), flush=True)
time.sleep(60)
"""


def is_open(url: str) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", urlsplit(url).port or 0), timeout=5):
            return True
    except OSError:
        return False


def test_a_signal_ends_the_command_and_the_servers() -> None:
    runner = subprocess.Popen(
        [sys.executable, "-m", "tests.support.services", "--", sys.executable, "-c", TELL_AND_WAIT],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert runner.stdout is not None
    with runner.stdout as output:
        assert "are up" in output.readline()
        urls = json.loads(output.readline())
        assert all(map(is_open, urls))
        assert not set(urls) & {os.environ.get(name) for name in VARIABLES}
        runner.send_signal(signal.SIGTERM)
        assert runner.wait(30) == 128 + signal.SIGTERM
    assert not any(map(is_open, urls))


def test_the_status_of_the_command_is_ours() -> None:
    assert services.run([sys.executable, "-c", "import sys; sys.exit(7)"], {}) == 7
    assert services.run([sys.executable, "-c", "import os; os.kill(os.getpid(), 9)"], {}) == 128 + signal.SIGKILL


def test_a_command_that_does_not_exist(capfd: pytest.CaptureFixture[str]) -> None:
    assert services.run(["no-such-command"], {}) == 127
    assert "no-such-command" in capfd.readouterr().err


def test_a_missing_server_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(binaries, "_directories", list)
    assert services.main(["--", "true"]) == 2
    assert capsys.readouterr().err == (
        "tests.support.services: This needs PostgreSQL and MariaDB and Redis and PgBouncer, which is not "
        "installed: install it (Debian: apt-get install postgresql mariadb-server redis-server pgbouncer) and run "
        "make again; it need not be running.\n"
    )
