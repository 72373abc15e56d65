"""Processes that pay what runs owe, over a database of their own."""

from collections.abc import AsyncIterator, Iterator

import pytest
from pytest_django import DjangoDbBlocker

from orchestrator.conf import HugoSettings
from orchestrator.services.bootstrap import Cluster, check_database
from orchestrator.services.composition import store_of
from orchestrator.store.ports import Store
from tests.services.callers import running
from tests.services.pair import Post, Two
from tests.services.paying import Paying
from tests.store.process import ALIAS
from tests.store.rows import TABLES
from tests.support.databases import Databases, alias


@pytest.fixture
def on_sqlite(sqlite_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[None]:
    """A fresh SQLite file in place of the default database."""
    with django_db_blocker.unblock(), alias(sqlite_url, ALIAS):
        yield


@pytest.fixture(scope="module")
def shared_postgres(databases: Databases, postgres_server: str) -> Iterator[str]:
    """A PostgreSQL database that the tests of a module use one after the other."""
    url = databases.postgres()
    yield url
    databases.drop(url)


@pytest.fixture
def on_postgres(shared_postgres: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Cluster]:
    """That database, without runs, in place of the default one: what it was made for."""
    with django_db_blocker.unblock(), alias(shared_postgres, ALIAS):
        for model in TABLES:
            model._default_manager.all().delete()
        yield check_database(ALIAS)


@pytest.fixture
def process(on_sqlite: None) -> Iterator[Paying]:
    """A process over it."""
    with Paying() as running:
        yield running


Database = tuple[Store, Cluster]


@pytest.fixture
def shared_database(postgres_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[Database]:
    """A fresh PostgreSQL database in place of the default one, for several processes."""
    with django_db_blocker.unblock(), alias(postgres_url, ALIAS):
        cluster = check_database(ALIAS)
        yield store_of(ALIAS, cluster.shard_count), cluster


@pytest.fixture
async def cluster(on_postgres: Cluster) -> AsyncIterator[Two]:
    """Two members that look at no rows of their own accord."""
    two = Two(on_postgres, Post())
    async with running(two.near, two.far):
        await two.acquainted()
        yield two


@pytest.fixture
async def deaf(on_postgres: Cluster) -> AsyncIterator[Two]:
    """Two members whose messages are all lost, and that look at the rows often."""
    post = Post()
    post.times = 0
    two = Two(on_postgres, post, HugoSettings(sweep_interval=0.05, waiters_interval=0.05))
    async with running(two.near, two.far):
        yield two
