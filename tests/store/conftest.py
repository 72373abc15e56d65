"""The store's port on every database it is promised for, and processes over a database of their own."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pytest_django import DjangoDbBlocker

from orchestrator.services.bootstrap import check_database
from orchestrator.services.composition import store_of
from orchestrator.store.mysql import MysqlStore
from orchestrator.store.pooled import PooledPostgresStore
from orchestrator.store.ports import Changes, RunKey, Store
from orchestrator.store.postgres import PostgresStore
from orchestrator.store.sql import SqlStore
from tests.store.faults import Faulty, FaultyMysql, FaultyPooled, FaultyPostgres, FaultySql
from tests.store.process import ALIAS, Process
from tests.store.rows import TABLES, counts
from tests.support.databases import Databases, alias
from tests.support.pooler import PgBouncer

STORES: dict[str, tuple[str, type[SqlStore]]] = {
    "sqlite": ("sqlite", SqlStore),
    "mariadb": ("mariadb", MysqlStore),
    "portable": ("postgres", SqlStore),
    "postgres": ("postgres", PostgresStore),
    "pooled": ("pooled", PooledPostgresStore),
}


def fresh(kind: str, request: pytest.FixtureRequest, databases: Databases) -> str:
    """The URL of a fresh database of a kind."""
    if kind == "sqlite":
        return databases.sqlite()
    if kind == "pooled":
        pooler: PgBouncer = request.getfixturevalue("postgres_pooler")
        return pooler.url_of(databases.postgres())
    request.getfixturevalue(f"{kind}_server")
    return databases.postgres() if kind == "postgres" else databases.mariadb()


@dataclass(frozen=True)
class Opened:
    """A store, and the Django alias of its database."""

    store: Store
    alias: str

    def write(self, changes: Changes) -> None:
        """Commits changes."""
        with self.store.transaction() as session:
            session.write(changes)

    def version(self, key: RunKey) -> int:
        """The stored version of a run; 0 for none."""
        with self.store.transaction() as session:
            row = session.lock_runs({key: 0}).get(key)
        return row.version if row is not None else 0

    def counts(self) -> dict[str, int]:
        """How many rows each table has."""
        return counts(self.alias)


@pytest.fixture(scope="module", params=list(STORES))
def opened(
    request: pytest.FixtureRequest, databases: Databases, django_db_blocker: DjangoDbBlocker
) -> Iterator[Opened]:
    """A store over a migrated database that the tests of a module share: each makes runs of its own."""
    kind, store_class = STORES[request.param]
    url = fresh(kind, request, databases)
    with django_db_blocker.unblock(), alias(url) as name:
        yield Opened(store_class(name, 4), name)
    databases.drop(url)


@pytest.fixture
def store(opened: Opened) -> Store:
    """The store itself."""
    return opened.store


@pytest.fixture(scope="module", params=["sqlite", "mariadb", "postgres", "pooled"])
def shared_url(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """A database that the tests of a module use one after the other."""
    url = fresh(request.param, request, databases)
    yield url
    databases.drop(url)


@pytest.fixture
def default_database(shared_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """That database in place of the default one, without runs. Making a fresh one takes longer than most tests."""
    with django_db_blocker.unblock(), alias(shared_url, ALIAS):
        for model in TABLES:
            model._default_manager.all().delete()
        yield shared_url


@pytest.fixture
def faulty(default_database: str) -> Faulty:
    """The store a server uses, over the default database; it fails when it is told to."""
    shards = check_database(ALIAS).shard_count
    classes: list[tuple[type[Store], type[Faulty]]] = [
        (PooledPostgresStore, FaultyPooled),
        (PostgresStore, FaultyPostgres),
        (MysqlStore, FaultyMysql),
        (SqlStore, FaultySql),
    ]
    used = store_of(ALIAS, shards)
    return next(faulty for plain, faulty in classes if isinstance(used, plain))(ALIAS, shards)


@pytest.fixture
def process(faulty: Faulty) -> Iterator[Process]:
    """A server process over it."""
    with Process(faulty) as running:
        yield running


@pytest.fixture
def other(faulty: Faulty) -> Iterator[Process]:
    """A second one, with a store of its own."""
    with Process(type(faulty)(ALIAS, faulty.shard_count)) as running:
        yield running
