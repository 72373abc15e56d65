"""Fixtures every test may use: databases of its own on SQLite, MariaDB and PostgreSQL, and the private servers.

`sqlite_url`, `mariadb_url`, `postgres_url`    a fresh, migrated database, as the DATABASE_URL of a server process
`database_url`                 the same, once on each of the three
`database_alias`               `database_url` as a Django connection alias in this process
`default_database`             `database_url` in place of this process's default database
`databases`                    makes more of them, for fixtures that live longer than one test
`postgres_server`, `mariadb_server`, `redis_server`    URLs of the private servers
`postgres_pooler`              a PgBouncer in front of the first
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from django.conf import settings
from pytest_django import DjangoDbBlocker

from tests.support.databases import Databases, alias
from tests.support.pooler import PgBouncer, pooler

MYSQL = "HUGO_TEST_MYSQL_URL"
"""A MySQL server whose user may create databases; the tests that are for MariaDB use it instead, where it is given."""


def pytest_configure() -> None:
    """Makes this process's data directory; what is there is left of a process that had our id before."""
    shutil.rmtree(settings.SCRATCH_DIR, ignore_errors=True)
    settings.SCRATCH_DIR.mkdir(mode=0o700)


def pytest_unconfigure() -> None:
    """Removes it. Not at exit: pytest-xdist's workers never get there."""
    shutil.rmtree(settings.SCRATCH_DIR, ignore_errors=True)


def _server(variable: str, what: str) -> str:
    """The URL of a private server; a test that needs one fails without it, because a skipped test proves nothing."""
    url = os.environ.get(variable)
    if not url:
        pytest.fail(f"This test needs {what}: run `make test`, which starts a private one ({variable}).", pytrace=False)
    return url


@pytest.fixture(scope="session")
def postgres_server() -> str:
    """The URL of the private PostgreSQL server."""
    return _server("HUGO_TEST_POSTGRES_URL", "PostgreSQL")


@pytest.fixture(scope="session")
def postgres_pooler(postgres_server: str) -> Iterator[PgBouncer]:
    """A PgBouncer in transaction mode in front of the private PostgreSQL server."""
    with pooler(postgres_server) as running:
        yield running


@pytest.fixture(scope="session")
def mariadb_server() -> str:
    """The URL of the private MariaDB server, or of the server that stands in for it."""
    return os.environ.get(MYSQL) or _server("HUGO_TEST_MARIADB_URL", "MariaDB")


@pytest.fixture(scope="session")
def redis_server() -> str:
    """The URL of the private Redis server."""
    return _server("HUGO_TEST_REDIS_URL", "Redis")


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Databases]:
    """Makes migrated databases; what a fixture does not drop itself goes at the end of the session."""
    maker = Databases(
        tmp_path_factory.mktemp("databases"),
        os.environ.get("HUGO_TEST_POSTGRES_URL"),
        os.environ.get(MYSQL) or os.environ.get("HUGO_TEST_MARIADB_URL"),
    )
    yield maker
    maker.close()


@pytest.fixture
def sqlite_url(databases: Databases) -> Iterator[str]:
    """A fresh, migrated SQLite database."""
    url = databases.sqlite()
    yield url
    databases.drop(url)


@pytest.fixture
def postgres_url(databases: Databases, postgres_server: str) -> Iterator[str]:
    """A fresh, migrated PostgreSQL database."""
    url = databases.postgres()
    yield url
    databases.drop(url)


@pytest.fixture
def mariadb_url(databases: Databases, mariadb_server: str) -> Iterator[str]:
    """A fresh, migrated MariaDB database."""
    url = databases.mariadb()
    yield url
    databases.drop(url)


@pytest.fixture(params=["sqlite", "mariadb", "postgres"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A fresh, migrated database: the test runs on each of the three."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def database_alias(database_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A Django connection alias of a fresh database. Commits are real; connections work in every thread."""
    with django_db_blocker.unblock(), alias(database_url) as name:
        yield name


@pytest.fixture
def default_database(database_url: str, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A fresh database in place of the default one, for code that names none. Commits are real."""
    with django_db_blocker.unblock(), alias(database_url, "default"):
        yield database_url
