"""`hugo processes`: who is there, and what is refused."""

import sys
from pathlib import Path

from tests.management.command import frontend, run_line

LINE = [sys.executable, "manage.py", "hugo", "processes"]


def test_live_processes_are_shown(tmp_path: Path, postgres_url: str, redis_server: str) -> None:
    with frontend(tmp_path, postgres_url, "--own-shards", "--workers", "2", REDIS_URL=redis_server) as command:
        command.ready()
        done = run_line(LINE, postgres_url, REDIS_URL=redis_server)
        assert (done.returncode, done.stderr) == (0, "")
        header, *rows = [line.split() for line in done.stdout.splitlines()]
        assert header[:5] == ["PROCESS", "ROLE", "HOST", "PID", "SHARDS"]
        assert [row[1] for row in rows] == ["frontend"] * 2
        assert all("?" not in row for row in rows)
        assert command.end() == 0
    assert len(run_line(LINE, postgres_url).stdout.splitlines()) == 1


def test_what_a_process_has_done_is_unknown_without_redis(tmp_path: Path, mariadb_url: str) -> None:
    with frontend(tmp_path, mariadb_url) as command:
        command.ready()
        row = run_line(LINE, mariadb_url).stdout.splitlines()[1].split()
        assert row[4:] == ["0", *"?????"]


def test_sqlite_is_refused(sqlite_url: str) -> None:
    done = run_line(LINE, sqlite_url)
    assert (done.returncode, done.stdout) == (2, "")
    assert " is for the one process of `manage.py hugo dev`: " in done.stderr
