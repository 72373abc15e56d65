"""Commits through a pooler in transaction mode whose answers get lost: applied once, and no session is harmed."""

from collections.abc import Iterator
from functools import partial

import psycopg
import pytest
from django.db import connections
from pytest_django import DjangoDbBlocker

from orchestrator.management.database import open_database
from orchestrator.services.bootstrap import SchemaMismatch, check_database
from orchestrator.services.composition import store_of
from orchestrator.store import pooled
from orchestrator.store.pooled import PooledPostgresStore
from tests.store import consistency
from tests.store.faults import FaultyPooled
from tests.store.process import ALIAS, Process, until
from tests.store.rows import TABLES
from tests.support.databases import Databases, alias
from tests.support.pooler import POOL, PgBouncer
from tests.support.proxy import Cut, Proxy

STATEMENTS = ["BEGIN", "WITH", "COMMIT\0"]
"""A word of each statement of a commit."""
WRITTEN = "SELECT count(*) FROM pg_stat_activity WHERE state = 'idle in transaction' AND datname = current_database()"
OTHERS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


@pytest.fixture(scope="module")
def direct_url(databases: Databases, postgres_server: str) -> Iterator[str]:
    """A database that the tests of this module use one after the other, past the pooler."""
    made = databases.postgres()
    yield made
    databases.drop(made)


@pytest.fixture
def proxy(direct_url: str, postgres_pooler: PgBouncer) -> Iterator[Proxy]:
    """The way from the server process to the pooler."""
    with Proxy(postgres_pooler.url_of(direct_url)) as running:
        yield running


@pytest.fixture
def store(proxy: Proxy, django_db_blocker: DjangoDbBlocker) -> Iterator[FaultyPooled]:
    """The store over the proxy, with no runs in it."""
    with django_db_blocker.unblock(), alias(proxy.url, ALIAS):
        for model in TABLES:
            model._default_manager.all().delete()
        yield FaultyPooled(ALIAS, check_database(ALIAS).shard_count)


@pytest.fixture
def process(store: FaultyPooled) -> Iterator[Process]:
    """The server process; in the end all is well with it."""
    with Process(store) as running:
        running.do(running.start("w"))
        yield running
        running.do(running.signal("w", "afterwards"))
        assert consistency.signals("w") == ["once", "afterwards"]
        consistency.check_database()
        consistency.check_memory(running)


@pytest.mark.parametrize("cut", [Cut.REQUEST, Cut.ANSWER], ids=lambda cut: cut.name.lower())
@pytest.mark.parametrize("statement", STATEMENTS, ids=lambda words: words.strip("\0"))
def test_a_cut_commit_is_applied_once(
    process: Process, store: FaultyPooled, proxy: Proxy, cut: Cut, statement: str
) -> None:
    store.before_write = partial(proxy.arm, cut, statement)
    process.do(process.signal("w", "once"))
    assert (proxy.cuts, store.asked) == (1, 1)
    applied = (cut, statement) == (Cut.ANSWER, STATEMENTS[-1])
    assert process.engine.unit_of_work.counters.retried == (not applied)


def test_a_late_commit_is_waited_for(process: Process, store: FaultyPooled, proxy: Proxy, direct_url: str) -> None:
    """It reaches the server after its sender, cut off, has begun to ask."""
    with psycopg.connect(direct_url, autocommit=True) as watcher:
        store.before_write = partial(proxy.arm, Cut.LATE, STATEMENTS[-1])
        running = process.begin(process.engine.execute(process.signal("w", "once")))
        until(lambda: proxy.cuts and watcher.execute(WRITTEN).fetchone() == (1,))
        assert not running.done()
        proxy.release()
        running.result(30)
    assert (store.asked, process.engine.unit_of_work.counters.retried) == (1, 0)


def test_a_commit_that_never_comes_is_ended_by_the_server(
    process: Process, store: FaultyPooled, proxy: Proxy, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pooled, "BEGIN", pooled.BEGIN.replace(pooled.ABANDONED_TIMEOUT, "100ms"))
    store.before_write = partial(proxy.arm, Cut.LATE, STATEMENTS[-1])
    process.do(process.signal("w", "once"))
    assert (store.asked, process.engine.unit_of_work.counters.retried) == (1, 1)
    proxy.release()
    assert proxy.delivered.wait(30)


def test_a_pooler_that_is_not_named_as_one(
    direct_url: str, postgres_pooler: PgBouncer, django_db_blocker: DjangoDbBlocker
) -> None:
    url = postgres_pooler.url_of(direct_url).partition("?")[0]
    with (
        django_db_blocker.unblock(),
        alias(url) as name,
        pytest.raises(SchemaMismatch, match=r"is named by pooling=transaction in DATABASE_URL\.$"),
    ):
        check_database(name)


def test_a_server_opens_its_database_and_shares_its_sessions(
    direct_url: str, postgres_pooler: PgBouncer, django_db_blocker: DjangoDbBlocker
) -> None:
    """Migrations run under their lock; many threads get by with the pooler's few sessions."""
    with django_db_blocker.unblock(), alias(postgres_pooler.url_of(direct_url), ALIAS):
        opened = open_database(ALIAS)
        store = store_of(ALIAS, opened.cluster.shard_count)
        assert isinstance(store, PooledPostgresStore)
        with Process(store, lanes=3 * POOL) as process:
            process.together(*(process.start(f"shared-{number}") for number in range(50)))
            signals = [process.begin(process.engine.execute(process.signal(f"shared-{n}"))) for n in range(50)]
            for each in signals:
                each.result(30)
            with psycopg.connect(direct_url) as watcher:
                row = watcher.execute(OTHERS).fetchone()
            assert row is not None
            assert row[0] <= POOL
        connections[ALIAS].close()
