"""A SQLite file that is locked by somebody else, and a disk that is full."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from orchestrator.errors import Unavailable
from orchestrator.services.bootstrap import check_database
from orchestrator.store import lane
from orchestrator.store.sql import SqlStore
from tests.store import consistency
from tests.store.full_disk import BIG, check_only_what_does_not_fit_waits
from tests.store.process import ALIAS, Process, until
from tests.support.databases import alias


@pytest.fixture
def options(sqlite_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[dict[str, Any]]:
    """The options of the next connections; locks are not waited for."""
    with django_db_blocker.unblock(), alias(sqlite_url, ALIAS):
        found: dict[str, Any] = connections.settings[ALIAS]["OPTIONS"]
        found["timeout"] = 0.01
        yield found


@pytest.fixture
def process(options: dict[str, Any]) -> Iterator[Process]:
    """A server process that has one workflow."""
    with Process(SqlStore(ALIAS, check_database(ALIAS).shard_count)) as running:
        running.do(running.start("w"))
        yield running
        running.do(running.signal("w", "last"))
        consistency.check_database()
        consistency.check_memory(running)


@pytest.fixture
def rival(sqlite_url: str) -> Iterator[sqlite3.Connection]:
    """Another program that uses the file."""
    with closing(sqlite3.connect(sqlite_url.removeprefix("sqlite:///"), isolation_level=None)) as connection:
        yield connection


def test_a_locked_file_is_waited_for(process: Process, rival: sqlite3.Connection) -> None:
    polling = process.begin_poll("other")
    rival.execute("BEGIN IMMEDIATE")
    running = process.begin_together(process.signal("w", "once"), process.start("v", "other"))
    until(lambda: process.engine.unit_of_work.counters.retried > 1)
    assert process.run(process.engine.run_db(process.store.due, 0, 1)) == []
    rival.execute("ROLLBACK")
    assert [result for result in running.result(30) if isinstance(result, BaseException)] == []
    assert polling.result(30).workflow_execution.workflow_id == "v"
    assert consistency.signals("w") == ["once"]
    assert process.engine.unit_of_work.counters.transactions == 2


def test_a_file_that_stays_locked_is_unavailable(
    process: Process, rival: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "PATIENCE", 0.0)
    polling = process.begin_poll("other")
    rival.execute("BEGIN IMMEDIATE")
    results = process.together(process.signal("w", "never"), process.start("v", "other"), process.signal("unknown"))
    assert [type(result) for result in results] == [Unavailable] * 3
    with pytest.raises(Unavailable):
        process.engine.execute_joined(process.signal("w", "never"))
    assert process.waiting("other") == 1
    rival.execute("ROLLBACK")
    process.do(process.start("v", "other"))
    assert polling.result(30).workflow_execution.workflow_id == "v"
    assert consistency.signals("w") == []


def limit(options: dict[str, Any], pages: int) -> None:
    """How large the file may get, for the connections that are opened from now on."""
    commands = options["init_command"].split("PRAGMA max_page_count")[0]
    options["init_command"] = f"{commands}PRAGMA max_page_count={pages};"


@pytest.fixture
def small(options: dict[str, Any], rival: sqlite3.Connection) -> Iterator[Process]:
    """A process whose disk has room for little more than there is; at the end it has more."""
    (pages,) = rival.execute("PRAGMA page_count").fetchone()
    limit(options, pages + 40)
    with Process(SqlStore(ALIAS, check_database(ALIAS).shard_count)) as running:
        running.do(running.start("w"))
        yield running
        running.do(running.signal("w", "last"))
        consistency.check_database()
        consistency.check_memory(running)


def test_a_full_disk_stops_only_what_does_not_fit(small: Process, options: dict[str, Any]) -> None:
    check_only_what_does_not_fit_waits(small, lambda: limit(options, 1_000_000))


def test_a_disk_that_stays_full_is_unavailable(
    small: Process, options: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lane, "PATIENCE", 0.0)
    polling = small.begin_poll("other")
    with pytest.raises(Unavailable):
        small.do(small.start("big", "other", input=BIG))
    assert small.waiting("other") == 1
    small.do(small.start("little", "other"))
    assert polling.result(30).workflow_execution.workflow_id == "little"
    limit(options, 1_000_000)
    monkeypatch.undo()
    small.do(small.start("big", input=BIG))
