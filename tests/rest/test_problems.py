"""Refusals: problem+json with the code, the text and the detail message of the gRPC status."""

import pytest
from django.db import OperationalError
from django.http import HttpResponse
from django.test import Client
from pytest_django.fixtures import Settings

from orchestrator.models import Execution
from orchestrator.rest import views
from tests.rest.api import ORDER, Api


def problem(response: HttpResponse) -> dict[str, object]:
    """The problem of a reply."""
    assert response["Content-Type"] == "application/problem+json"
    found: dict[str, object] = response.json()  # type: ignore[attr-defined]
    assert found["status"] == response.status_code
    assert {"type", "title", "detail", "code"} <= found.keys()
    assert "Traceback" not in response.content.decode()
    return found


def test_no_such_namespace(api: Api) -> None:
    found = problem(api.client.get("/api/v1/namespaces/nope"))
    assert found == {
        "type": "urn:hugo:problem:namespace-not-found",
        "title": "Not found",
        "status": 404,
        "detail": "Namespace nope is not found.",
        "code": "NOT_FOUND",
        "details": [
            {
                "@type": "type.googleapis.com/temporal.api.errordetails.v1.NamespaceNotFoundFailure",
                "namespace": "nope",
            }
        ],
    }


def test_no_such_workflow(api: Api) -> None:
    found = problem(api.client.get("/api/v1/namespaces/default/workflows/nobody"))
    assert (found["status"], found["code"], found["type"]) == (404, "NOT_FOUND", "urn:hugo:problem:not-found")


def test_already_started(api: Api) -> None:
    run_id = api.start("a")["runId"]
    found = problem(api.send("default/workflows/a", ORDER))
    assert (found["status"], found["code"]) == (409, "ALREADY_EXISTS")
    (detail,) = found["details"]  # type: ignore[misc]
    assert detail["@type"].endswith(".WorkflowExecutionAlreadyStartedFailure")
    assert detail["runId"] == run_id


@pytest.mark.parametrize(
    "body",
    [
        {},
        [1],
        "text",
        {"workflowType": {"name": "Order"}},
        {**ORDER, "unknown": 1},
        {**ORDER, "workflowType": "Order"},
        {**ORDER, "input": {"payloads": "x"}},
        {**ORDER, "workflowRunTimeout": "soon"},
        {**ORDER, "workflowIdReusePolicy": "NONE"},
    ],
)
def test_a_wrong_request_changes_nothing(api: Api, body: object) -> None:
    found = problem(api.send("default/workflows/a", body))
    assert (found["status"], found["code"]) == (400, "INVALID_ARGUMENT")
    assert Execution.objects.count() == 0


@pytest.mark.parametrize(
    "query", ["pageSize=many", "nonsense=1", "nextPageToken=x", "query=Foo%3D1", "query.deep=1", "pageSize=99999999999"]
)
def test_a_wrong_query(api: Api, query: str) -> None:
    found = problem(api.client.get(f"/api/v1/namespaces/default/workflows?{query}"))
    assert (found["status"], found["code"]) == (400, "INVALID_ARGUMENT")


def test_broken_json(api: Api) -> None:
    reply = api.client.post("/api/v1/namespaces/default/workflows/a", b"{", content_type="application/json")
    assert problem(reply)["code"] == "INVALID_ARGUMENT"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("get", "nothing/here", 404),
        ("get", "namespaces/default/workflows/a/signal/paid", 405),
        ("delete", "namespaces/default/workflows/a", 405),
    ],
)
def test_no_such_path(api: Api, method: str, path: str, status: int) -> None:
    assert problem(getattr(api.client, method)(f"/api/v1/{path}"))["status"] == status


def test_only_json_is_read(api: Api) -> None:
    reply = api.client.post("/api/v1/namespaces/default/workflows/a", b"x=1", content_type="text/plain")
    assert problem(reply)["status"] == 415


def test_a_body_too_large(api: Api, settings: Settings) -> None:
    settings.HUGO = {**settings.HUGO, "LIMIT_REQUEST_SIZE": 100}
    assert problem(api.send("default/workflows/a", {**ORDER, "identity": "x" * 100}))["status"] == 413


def test_an_unexpected_error_tells_nothing(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(engine: object, request: object) -> None:
        raise RuntimeError("secret")

    monkeypatch.setitem(views.ANSWERS, "DescribeWorkflowExecution", broken)
    reply = api.client.get("/api/v1/namespaces/default/workflows/a")
    assert problem(reply)["code"] == "INTERNAL"
    assert reply.status_code == 500
    assert b"secret" not in reply.content


def test_a_database_that_stays_away(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(engine: object, request: object) -> None:
        raise OperationalError("connection lost")

    monkeypatch.setitem(views.ANSWERS, "DescribeWorkflowExecution", broken)
    reply = api.client.get("/api/v1/namespaces/default/workflows/a")
    assert (problem(reply)["code"], reply.status_code) == ("UNAVAILABLE", 503)


def test_closed_by_default(api: Api, settings: Settings) -> None:
    settings.HUGO = {}
    assert problem(api.client.get("/api/v1/namespaces"))["code"] == "PERMISSION_DENIED"
    assert problem(api.send("default/workflows/a", ORDER))["status"] == 403
    assert Execution.objects.count() == 0


@pytest.mark.parametrize(
    ("address", "status"),
    [("127.0.0.1", 200), ("::1", 200), ("::ffff:127.0.0.1", 200), ("10.0.0.1", 403), ("", 403), ("unix:", 403)],
)
def test_open_to_this_machine_only(api: Api, address: str, status: int) -> None:
    assert api.client.get("/api/v1/namespaces", REMOTE_ADDR=address).status_code == status


@pytest.mark.parametrize(
    ("origin", "status"), [("http://evil.example", 403), ("null", 403), ("http://testserver", 200)]
)
def test_a_page_of_another_site_changes_nothing(api: Api, origin: str, status: int) -> None:
    assert api.send("default/workflows/a", ORDER, origin=origin).status_code == status
    assert Execution.objects.count() == (status == 200)


def test_a_session_does_not_excuse_from_the_csrf_token(api: Api, django_user_model: type) -> None:
    user = django_user_model.objects.create_user("ann")  # type: ignore[attr-defined]
    client = Client(enforce_csrf_checks=True)
    client.force_login(user)
    reply = client.post("/api/v1/namespaces/default/workflows/a", ORDER, content_type="application/json")
    assert problem(reply)["status"] == 403
    assert Execution.objects.count() == 0
