"""Rows that somebody else holds in MariaDB or MySQL: waits that end, and deadlocks."""

import contextlib
import threading
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import pymysql
import pytest
from django.db import InterfaceError, OperationalError
from pytest_django import DjangoDbBlocker

from orchestrator.services.bootstrap import check_database
from orchestrator.store import lane
from orchestrator.store.mysql import MysqlStore
from orchestrator.store.ports import Changes, RunKey, VersionConflict
from tests.store import consistency
from tests.store.process import ALIAS, Process, until
from tests.store.rows import creation, run_key
from tests.support.databases import Databases, alias

Connection: TypeAlias = "pymysql.Connection[Any]"
HOLD = "SELECT 1 FROM execution WHERE workflow_id = %s FOR UPDATE"
WAITING = "SELECT count(*) FROM information_schema.innodb_trx WHERE trx_state = 'LOCK WAIT'"


@pytest.fixture
def url(
    databases: Databases, mariadb_server: str, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[str]:
    """A fresh database in place of the default one."""
    made = databases.mariadb()
    monkeypatch.setattr(lane, "LONGEST_PAUSE", 0.05)
    with django_db_blocker.unblock(), alias(made, ALIAS):
        yield made
    databases.drop(made)


def connect(url: str) -> Connection:
    """Somebody else's session. Without gap locks, as ours are."""
    parts = urlsplit(url)
    return pymysql.connect(
        host=parts.hostname,
        port=parts.port or 3306,
        user=parts.username,
        database=parts.path.lstrip("/"),
        init_command="SET SESSION TRANSACTION ISOLATION LEVEL READ COMMITTED",
    )


def running_process() -> Process:
    """A server process over the database."""
    return Process(MysqlStore(ALIAS, check_database(ALIAS).shard_count))


def test_a_held_row_stops_no_other_workflow(url: str) -> None:
    with running_process() as process, connect(url) as rival:
        process.together(process.start("w"), process.start("v"))
        with rival.cursor() as cursor:
            cursor.execute(HOLD, ("w",))
        held = process.begin_together(process.signal("w", "a"), process.signal("v", "a"))
        until(lambda: process.engine.unit_of_work.counters.retried > 0)
        process.do(process.signal("v", "b"))
        assert not held.done()
        assert consistency.signals("v") == ["a", "b"]
        rival.rollback()
        assert [result for result in held.result(30) if isinstance(result, BaseException)] == []
        assert consistency.signals("w") == ["a"]
        consistency.check_database()
        consistency.check_memory(process)


def test_a_deadlock_is_repeated(url: str) -> None:
    with running_process() as process, connect(url) as rival, connect(url) as watcher, rival.cursor() as cursor:
        ids = sorted(("w", "v"), key=lambda each: process.signal(each).key)
        process.together(*(process.start(each) for each in ids))
        cursor.execute(HOLD, (ids[1],))
        together = process.begin_together(*(process.signal(each, "a") for each in ids))

        def waits() -> bool:
            with watcher.cursor() as looking:
                looking.execute(WAITING)
                return looking.fetchone() != (0,)

        until(lambda: waits() or process.engine.unit_of_work.counters.retried)
        with contextlib.suppress(pymysql.OperationalError):  # one of the two is the victim
            cursor.execute(HOLD, (ids[0],))
        rival.rollback()
        assert [result for result in together.result(30) if isinstance(result, BaseException)] == []
        assert [consistency.signals(each) for each in ids] == [["a"], ["a"]]
        consistency.check_database()
        consistency.check_memory(process)


def test_two_commits_of_the_same_runs_never_deadlock(url: str) -> None:
    """States that come from a cache are locked only as they are written, in whatever order they changed."""
    store = MysqlStore(ALIAS, 4)
    runs = [run_key() for _ in range(200)]
    for run in runs:
        with store.transaction() as session:
            session.write(creation(run))
    before = deadlocks(url)
    for version in range(2, 7):
        barrier = threading.Barrier(2)

        def commit(order: list[RunKey], version: int = version, barrier: threading.Barrier = barrier) -> bool:
            changes = Changes(updated=[(run, version, b"state") for run in order])
            try:
                with store.transaction() as session:
                    barrier.wait(30)
                    session.write(changes)
            except VersionConflict:
                return False
            finally:
                store.close()
            return True

        with ThreadPoolExecutor(2) as threads:
            assert sorted(threads.map(commit, (runs, runs[::-1]))) == [False, True]
    assert deadlocks(url) == before


@pytest.mark.usefixtures("url")
def test_a_session_that_was_lost_commits_no_more() -> None:
    """It has written, and its COMMIT comes long after somebody asked what became of it."""
    store = MysqlStore(ALIAS, 4)
    run = run_key()
    with store.transaction() as session:
        session.write(creation(run))
    changes = Changes(updated=[(run, 2, b"state")])
    written: Future[str] = Future()
    asked = threading.Event()

    def commit() -> None:
        try:
            with store.transaction() as session:
                session.write(changes)
                written.set_result(store._lane.lock)
                assert asked.wait(30)
        finally:
            store.close()

    with ThreadPoolExecutor(1) as threads:
        late = threads.submit(commit)
        store._lane.lock = written.result(30)
        assert store.was_applied(changes) is False
        asked.set()
        with pytest.raises((OperationalError, InterfaceError)):
            late.result(30)
    with store.transaction() as session:
        assert session.lock_runs({run: 0})[run].version == 1


def deadlocks(url: str) -> int:
    """How many the server has found."""
    with connect(url) as watcher, watcher.cursor() as cursor:
        cursor.execute("SELECT count FROM information_schema.innodb_metrics WHERE name = 'lock_deadlocks'")
        row = cursor.fetchone()
    assert row is not None
    return int(row[0])


def test_names_differ_by_case_accent_and_trailing_space(url: str) -> None:
    ids = ["a", "A", "á", "a ", "a\t"]
    with running_process() as process:
        runs = {process.do(process.start(each)).response.run_id for each in ids}
        assert len(runs) == len(ids)
        assert [consistency.current_run(each) in runs for each in ids] == [True] * len(ids)
