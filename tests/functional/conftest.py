"""One server a database for the whole run, and what a test talks to it with.

After the last test of a server, everything it stored is read and checked: see `tests.functional.stored`.
"""

import uuid
from collections.abc import Iterator

import pytest
from pytest_django import DjangoDbBlocker
from temporalio.client import Client

from tests.functional.stored import check_stored
from tests.support.databases import Databases
from tests.support.server import Server


def new_database(databases: Databases, request: pytest.FixtureRequest, kind: str) -> str:
    """The URL of a fresh database of a kind."""
    if kind == "sqlite":
        return databases.sqlite()
    request.getfixturevalue(f"{kind}_server")
    return databases.postgres() if kind == "postgres" else databases.mariadb()


@pytest.fixture(scope="session", params=["sqlite", "mariadb", "postgres"])
def server(
    request: pytest.FixtureRequest,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[Server]:
    """A running server, once on each database; its tests share it."""
    url = new_database(databases, request, request.param)
    with Server(tmp_path_factory.mktemp(request.param), url) as running:
        yield running
    with django_db_blocker.unblock():
        check_stored(url)
    databases.drop(url)


@pytest.fixture
async def client(server: Server) -> Client:
    """A client of the server."""
    return await Client.connect(server.grpc)


@pytest.fixture
def task_queue() -> str:
    """The name of a task queue nobody else uses."""
    return f"queue-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def workflow_id() -> str:
    """An id nobody else uses."""
    return f"workflow-{uuid.uuid4().hex[:12]}"


@pytest.fixture(params=["sqlite", "mariadb", "postgres"])
def fresh_database(request: pytest.FixtureRequest, databases: Databases) -> Iterator[str]:
    """A fresh database, once of each kind."""
    url = new_database(databases, request, request.param)
    yield url
    databases.drop(url)
