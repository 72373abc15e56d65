"""A small client of the HTTP API."""

from typing import Any

from django.http import HttpResponse
from django.test import Client

ORDER = {"workflowType": {"name": "Order"}, "taskQueue": {"name": "orders"}}


class Api:
    """Calls paths below /api/v1/namespaces/."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def get(self, path: str, **query: object) -> Any:
        """The JSON of a reply, which must be 200."""
        return self.json(self.client.get(f"/api/v1/namespaces/{path}", query))

    def post(self, path: str, body: object = None) -> Any:
        """The JSON of a reply, which must be 200."""
        return self.json(self.send(path, body))

    def send(self, path: str, body: object = None, **headers: str) -> HttpResponse:
        """The reply of a POST."""
        url = f"/api/v1/namespaces/{path}"
        return self.client.post(url, body or {}, content_type="application/json", headers=headers)

    def start(self, workflow_id: str, **fields: object) -> Any:
        """Starts a workflow."""
        return self.post(f"default/workflows/{workflow_id}", ORDER | fields)

    def events(self, workflow_id: str) -> list[str]:
        """The types of the events of a workflow."""
        history = self.get(f"default/workflows/{workflow_id}/history")["history"]
        return [event["eventType"].removeprefix("EVENT_TYPE_") for event in history["events"]]

    @staticmethod
    def json(response: HttpResponse) -> Any:
        """The body of a reply that must be 200."""
        assert response.status_code == 200, response.content
        return response.json()  # type: ignore[attr-defined]
