"""PostgreSQL when it cannot go on: rows others hold, deadlocks, long statements, no writes, a full disk."""

import threading
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy

from orchestrator.errors import Unavailable
from orchestrator.services.bootstrap import check_database
from orchestrator.store import lane, postgres
from orchestrator.store.ports import RunKey, Stored
from orchestrator.store.postgres import PostgresSession, PostgresStore
from tests.store import consistency
from tests.store.full_disk import BIG, check_only_what_does_not_fit_waits
from tests.store.process import ALIAS, Process, until
from tests.store.rows import TABLES
from tests.support.databases import Databases, alias

Connection = psycopg.Connection[tuple[Any, ...]]
HOLD = "SELECT 1 FROM execution WHERE workflow_id = %s FOR UPDATE"
WAITING = """
SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'
"""
LONG, SHORT = "30s", "30ms"
FILL_DISK = """
CREATE FUNCTION no_room() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN RAISE 'could not extend file: No space left on device' USING ERRCODE = 'disk_full'; END $$;
CREATE TRIGGER disk BEFORE INSERT ON history_node
FOR EACH ROW WHEN (length(NEW.events) > 100000) EXECUTE FUNCTION no_room()
"""
FREE_DISK = "DROP FUNCTION no_room CASCADE"


@pytest.fixture(scope="module")
def url(databases: Databases, postgres_server: str) -> Iterator[str]:
    """A database that the tests of this module use one after the other."""
    made = databases.postgres()
    yield made
    databases.drop(made)


@pytest.fixture
def options(url: str, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch) -> Iterator[dict[str, Any]]:
    """The options of the next connections."""
    monkeypatch.setattr(lane, "LONGEST_PAUSE", 0.05)
    with django_db_blocker.unblock(), alias(url, ALIAS):
        for model in TABLES:
            model._default_manager.all().delete()
        yield connections.settings[ALIAS]["OPTIONS"]


@pytest.fixture
def rival(url: str) -> Iterator[Connection]:
    """Somebody else's session, with a transaction open once it is used."""
    with psycopg.connect(url) as client:
        yield client


@pytest.fixture
def watcher(url: str) -> Iterator[Connection]:
    """A session that looks who waits."""
    with psycopg.connect(url, autocommit=True) as client:
        yield client


def lock_timeout(monkeypatch: pytest.MonkeyPatch, timeout: str) -> None:
    """How long the lane waits for a row."""
    monkeypatch.setattr(postgres, "OPEN_BACKEND", postgres.OPEN_BACKEND.replace(postgres.LOCK_TIMEOUT, timeout))


def running_process() -> Process:
    """A server process over the alias."""
    return Process(PostgresStore(ALIAS, check_database(ALIAS).shard_count))


@pytest.mark.usefixtures("options")
def test_a_held_row_stops_no_other_workflow(rival: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    lock_timeout(monkeypatch, SHORT)
    with running_process() as process:
        process.together(process.start("w"), process.start("v"))
        polling = process.begin_poll("other")
        rival.execute(HOLD, ("w",))
        held = process.begin_together(process.signal("w", "a"), process.signal("v", "a"), process.start("u", "other"))
        later = process.begin(process.engine.execute(process.signal("w", "b")))
        for name in ("b", "c"):
            process.do(process.signal("v", name))
        assert polling.result(30).workflow_execution.workflow_id == "u"
        until(lambda: process.engine.unit_of_work.counters.retried > 3)
        assert not held.done()
        assert not later.done()
        assert consistency.signals("v") == ["a", "b", "c"]
        rival.rollback()
        assert [result for result in held.result(30) if isinstance(result, BaseException)] == []
        later.result(30)
        assert consistency.signals("w") == ["a", "b"]
        consistency.check_database()
        consistency.check_memory(process)


@pytest.mark.usefixtures("options")
def test_a_refusal_does_not_rest_on_a_run_that_was_current_a_moment_ago(monkeypatch: pytest.MonkeyPatch) -> None:
    with running_process() as process, running_process() as other:
        other.do(other.start("w"))
        read = PostgresSession.lock_runs
        replace = other.start(
            "w", workflow_id_conflict_policy=WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
        )
        overtaking = [replace]

        def overtaken(session: PostgresSession, keys: dict[RunKey, int], *args: Any) -> dict[RunKey, Stored]:
            if threading.current_thread() is process.lanes[0] and overtaking:
                other.do(overtaking.pop())
            return read(session, keys, *args)

        monkeypatch.setattr(PostgresSession, "lock_runs", overtaken)
        process.do(process.signal("w"))
        assert not overtaking
        assert consistency.signals("w") == ["paid"]
        consistency.check_database()


@pytest.mark.usefixtures("options")
def test_a_row_that_stays_held_is_unavailable(rival: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    lock_timeout(monkeypatch, SHORT)
    with running_process() as process:
        process.together(process.start("w"), process.start("v"))
        rival.execute(HOLD, ("w",))
        monkeypatch.setattr(lane, "PATIENCE", 0.0)
        results = process.together(process.signal("w", "never"), process.signal("v", "a"))
        assert [type(result).__name__ for result in results] == ["Unavailable", "SignalWorkflowExecutionResponse"]
        rival.rollback()
        process.do(process.signal("w", "a"))
        assert consistency.signals("w") == ["a"]
        consistency.check_database()
        consistency.check_memory(process)


def test_a_deadlock_is_repeated(
    options: dict[str, Any], rival: Connection, watcher: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lane has `w` and waits for `v`, its rival the other way round; the lane is the one that finds out."""
    lock_timeout(monkeypatch, LONG)
    options["options"] += " -c deadlock_timeout=2s"
    rival.execute("SET deadlock_timeout = '60s'")
    with running_process() as process:
        process.together(process.start("w"), process.start("v"))
        rival.execute(HOLD, ("v",))
        running = process.begin_together(process.signal("w", "once"), process.signal("v", "once"))
        until(lambda: watcher.execute(WAITING).fetchone() == (1,))
        rival.execute(HOLD, ("w",))
        rival.rollback()
        assert [result for result in running.result(30) if isinstance(result, BaseException)] == []
        assert process.engine.unit_of_work.counters.transactions == 3
        assert (consistency.signals("w"), consistency.signals("v")) == (["once"], ["once"])
        consistency.check_database()
        consistency.check_memory(process)


def test_a_statement_that_takes_too_long_is_repeated(
    options: dict[str, Any], rival: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock_timeout(monkeypatch, LONG)
    options["options"] += " -c statement_timeout=1s"
    with running_process() as process:
        process.together(process.start("w"), process.start("v"))
        rival.execute(HOLD, ("w",))
        running = process.begin_together(process.signal("w", "once"), process.signal("v", "once"))
        until(lambda: consistency.signals("v"))
        assert not running.done()
        rival.rollback()
        assert [result for result in running.result(30) if isinstance(result, BaseException)] == []
        assert (consistency.signals("w"), consistency.signals("v")) == (["once"], ["once"])
        consistency.check_database()
        consistency.check_memory(process)


@pytest.mark.usefixtures("options")
def test_a_database_that_takes_no_writes_is_unavailable(
    url: str, watcher: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What a client sees of a standby, until a failover is over."""
    with running_process() as process:
        process.do(process.start("w"))
        monkeypatch.setattr(lane, "PATIENCE", 0.0)
        name = psycopg.sql.Identifier(url.rpartition("/")[2])
        watcher.execute(psycopg.sql.SQL("ALTER DATABASE {} SET default_transaction_read_only = on").format(name))
        process.store.reconnect()
        watcher.execute(
            "SELECT pg_terminate_backend(pid, 10000) FROM pg_stat_activity "
            "WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        with pytest.raises(Unavailable):
            process.do(process.signal("w", "never"))
        watcher.execute(psycopg.sql.SQL("ALTER DATABASE {} RESET default_transaction_read_only").format(name))
        monkeypatch.undo()
        process.do(process.signal("w", "once"))
        connections[ALIAS].close()
        assert consistency.signals("w") == ["once"]
        consistency.check_database()
        consistency.check_memory(process)


@pytest.mark.usefixtures("options")
def test_a_full_disk_stops_only_what_does_not_fit(watcher: Connection) -> None:
    with running_process() as process:
        process.do(process.start("w"))
        watcher.execute(FILL_DISK)
        check_only_what_does_not_fit_waits(process, lambda: watcher.execute(FREE_DISK))
        consistency.check_database()
        consistency.check_memory(process)


@pytest.mark.usefixtures("options")
def test_a_disk_that_stays_full_is_unavailable(watcher: Connection, monkeypatch: pytest.MonkeyPatch) -> None:
    with running_process() as process:
        watcher.execute(FILL_DISK)
        monkeypatch.setattr(lane, "PATIENCE", 0.0)
        with pytest.raises(Unavailable):
            process.do(process.start("big", input=BIG))
        process.do(process.start("little"))
        watcher.execute(FREE_DISK)
        monkeypatch.undo()
        process.do(process.start("big", input=BIG))
        consistency.check_database()
        consistency.check_memory(process)
