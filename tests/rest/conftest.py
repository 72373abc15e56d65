"""The HTTP API over a fresh database, in a process that serves no gRPC."""

from collections.abc import Iterator

import pytest
from django.test import Client
from pytest_django.fixtures import Settings

from orchestrator.services.current import forget_detached
from tests.rest.api import Api


@pytest.fixture
def api(default_database: str, settings: Settings) -> Iterator[Api]:
    """Calls the API from this machine; a database error is an answer and not an exception."""
    settings.HUGO = {"REST_PERMISSION": "orchestrator.rest.permissions.Loopback"}
    forget_detached()
    yield Api(Client(raise_request_exception=False))
    forget_detached()
