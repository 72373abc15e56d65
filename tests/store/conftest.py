"""The store's port on every database it is promised for."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
from pytest_django import DjangoDbBlocker

from orchestrator.store.ports import Changes, RunKey, Store
from orchestrator.store.postgres import PostgresStore
from orchestrator.store.sql import SqlStore
from tests.store.rows import counts
from tests.support.databases import Databases, alias

STORES = {"sqlite": ("sqlite", SqlStore), "portable": ("postgres", SqlStore), "postgres": ("postgres", PostgresStore)}


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
    if kind == "postgres":
        request.getfixturevalue("postgres_server")
    url = databases.sqlite() if kind == "sqlite" else databases.postgres()
    with django_db_blocker.unblock(), alias(url) as name:
        yield Opened(store_class(name, 4), name)
    databases.drop(url)


@pytest.fixture
def store(opened: Opened) -> Store:
    """The store itself."""
    return opened.store
