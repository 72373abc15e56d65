"""The servers of the wire tests: one of each transport for the whole run, and private ones for tests that end them."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial

import pytest

from tests.grpc.http2 import Connection
from tests.grpc.server import Server

TRANSPORTS = ["envoy", "aio"]


@pytest.fixture(scope="session")
def envoy() -> Iterator[Server]:
    """A running Envoy transport."""
    with Server("envoy") as running:
        yield running


@pytest.fixture(scope="session")
def aio() -> Iterator[Server]:
    """A running grpc.aio transport."""
    with Server("aio") as running:
        yield running


@pytest.fixture(params=TRANSPORTS)
def server(request: pytest.FixtureRequest) -> Server:
    """A running server; the test runs once against each transport."""
    running: Server = request.getfixturevalue(request.param)
    return running


@pytest.fixture(params=TRANSPORTS)
def start(request: pytest.FixtureRequest) -> Iterator[Callable[..., Server]]:
    """Starts a server of its own with other options; the test runs once with each transport."""
    with ExitStack() as stack:
        yield lambda **options: stack.enter_context(Server(request.param, **options))


@pytest.fixture
def start_envoy() -> Iterator[Callable[..., Server]]:
    """The same for tests of what only Envoy has."""
    with ExitStack() as stack:
        make = partial(Server, "envoy")
        yield lambda **options: stack.enter_context(make(**options))


@pytest.fixture
def connection(server: Server) -> Iterator[Connection]:
    """A plain HTTP/2 connection to the server."""
    with Connection(server.port) as made:
        yield made
