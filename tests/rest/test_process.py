"""`GET /api/v1/process`."""

from django.test import Client
from pytest_django.fixtures import Settings

from tests.rest.api import Api


def test_it_tells_what_the_process_holds(api: Api) -> None:
    told = api.json(api.client.get("/api/v1/process"))
    assert told["databaseConnections"] >= 1
    assert told["databaseConnectionsLimit"] == 1 + 4 + 4
    assert told["peersConnected"] is False
    assert told["member"]


def test_it_is_guarded(api: Api, settings: Settings) -> None:
    settings.HUGO = {}
    assert Client().get("/api/v1/process").status_code == 403
