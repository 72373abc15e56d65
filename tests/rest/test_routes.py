"""Paths: those of Temporal's HTTP API, with ids that hold anything."""

import pytest

from orchestrator.rest.routes import encoded_path
from orchestrator.rest.views import ROUTES


def matched(verb: str, path: str) -> list[tuple[str, dict[str, str]]]:
    return [(route.rpc, fields) for route in ROUTES if route.verb == verb and (fields := route.match(path)) is not None]


@pytest.mark.parametrize("id", ["a", "a%2Fhistory", "%E2%82%AC", "a%252Fb", "a.b-c_d~", "history"])
def test_one_route_whatever_the_id(id: str) -> None:
    from urllib.parse import unquote

    fields = {"namespace": "default", "execution.workflow_id": unquote(id)}
    base = f"/api/v1/namespaces/default/workflows/{id}"
    assert matched("GET", base) == [("DescribeWorkflowExecution", fields)]
    assert matched("GET", f"{base}/history") == [("GetWorkflowExecutionHistory", fields)]
    assert matched("GET", f"{base}/nothing") == []


def test_each_method_has_one_path() -> None:
    assert len({(route.verb, route.template) for route in ROUTES}) == len(ROUTES)
    assert {route.rpc for route in ROUTES} >= {"StartWorkflowExecution", "ListNamespaces"}


@pytest.mark.parametrize(
    ("meta", "scope"),
    [
        ({}, {"raw_path": b"/api/v1/namespaces/n/workflows/a%2Fb"}),
        ({"RAW_URI": "/api/v1/namespaces/n/workflows/a%2Fb?x=1"}, None),
        ({"REQUEST_URI": "/site/api/v1/namespaces/n/workflows/a%2Fb"}, None),
    ],
)
def test_the_path_as_it_was_sent(meta: dict[str, object], scope: dict[str, object] | None) -> None:
    assert encoded_path(meta, scope, "namespaces/n/workflows/a/b") == "/api/v1/namespaces/n/workflows/a%2Fb"


def test_a_server_that_tells_only_the_decoded_path() -> None:
    assert encoded_path({}, None, "namespaces/n/workflows/€ x") == "/api/v1/namespaces/n/workflows/%E2%82%AC%20x"
