"""The workflow calls: what they do and what they answer."""

import base64

import pytest

from orchestrator.models import DispatchTask
from orchestrator.services.current import current_engine
from tests.rest.api import Api


def test_from_start_to_end(api: Api) -> None:
    started = api.start("a")
    assert started["started"] is True
    described = api.get("default/workflows/a")
    assert described["workflowExecutionInfo"]["execution"] == {"workflowId": "a", "runId": started["runId"]}
    assert described["workflowExecutionInfo"]["status"] == "WORKFLOW_EXECUTION_STATUS_RUNNING"

    assert api.post("default/workflows/a/signal/paid", {"input": [{"amount": 7}]}) == {}
    assert api.post("default/workflows/a/cancel", {"reason": "no money"}) == {}
    assert api.post("default/workflows/a/terminate", {"reason": "over", "identity": "me"}) == {}

    assert api.events("a") == [
        "WORKFLOW_EXECUTION_STARTED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_EXECUTION_SIGNALED",
        "WORKFLOW_EXECUTION_CANCEL_REQUESTED",
        "WORKFLOW_EXECUTION_TERMINATED",
    ]
    closed = api.get("default/workflows/a")["workflowExecutionInfo"]
    assert closed["status"] == "WORKFLOW_EXECUTION_STATUS_TERMINATED"
    assert DispatchTask.objects.count() == 0


def test_signal_with_start(api: Api) -> None:
    order = {"workflowType": {"name": "Order"}, "taskQueue": {"name": "orders"}}
    first = api.post("default/workflows/a/signal-with-start/paid", order)
    second = api.post("default/workflows/a/signal-with-start/paid", order)
    assert first["started"] is True
    assert "started" not in second
    assert first["runId"] == second["runId"]
    assert api.events("a").count("WORKFLOW_EXECUTION_SIGNALED") == 2


def test_a_request_id_makes_a_start_repeatable(api: Api) -> None:
    first = api.start("a", requestId="one")
    assert api.start("a", requestId="one")["runId"] == first["runId"]


def test_a_run_can_be_named(api: Api) -> None:
    first = api.start("a")
    api.post("default/workflows/a/terminate")
    second = api.start("a")
    assert first["runId"] != second["runId"]
    found = api.get("default/workflows/a", **{"execution.runId": first["runId"]})
    assert found["workflowExecutionInfo"]["status"] == "WORKFLOW_EXECUTION_STATUS_TERMINATED"
    reply = api.send(
        "default/workflows/a/signal/paid", {"workflowExecution": {"workflowId": "other", "runId": first["runId"]}}
    )
    assert reply.status_code == 404  # the id of the path counts, and that run is closed


@pytest.mark.parametrize("spelling", ["plain", "proto"])
def test_payloads_in_both_spellings(api: Api, spelling: str) -> None:
    plain = {"id": 7, "metadata": "mine"}
    proto = {
        "metadata": {"encoding": base64.b64encode(b"json/plain").decode()},
        "data": base64.b64encode(b'{"id": 7, "metadata": "mine"}').decode(),
    }
    value = plain if spelling == "plain" else proto
    api.start("a", input=[value] if spelling == "plain" else {"payloads": [value]}, memo={"fields": {"note": value}})
    started = api.get("default/workflows/a/history")["history"]["events"][0]
    assert started["workflowExecutionStartedEventAttributes"]["input"]["payloads"] == [proto]
    assert api.get("default/workflows/a")["workflowExecutionInfo"]["memo"]["fields"]["note"] == proto


def test_eager_execution_is_not_for_this_door(api: Api) -> None:
    assert "eagerWorkflowTask" not in api.start("a", requestEagerExecution=True)
    assert DispatchTask.objects.count() == 1


def test_history_in_pages(api: Api) -> None:
    api.start("a")
    for number in range(5):
        api.post(f"default/workflows/a/signal/s{number}")
    whole = api.get("default/workflows/a/history")["history"]["events"]
    paged: list[object] = []
    token, pages = None, 0
    while token or not pages:
        query = {"maximumPageSize": 2} | ({"nextPageToken": token} if token else {})
        reply = api.get("default/workflows/a/history", **query)
        paged += reply["history"]["events"]
        token, pages = reply.get("nextPageToken"), pages + 1
    assert paged == whole
    assert pages == 3
    backwards = api.get("default/workflows/a/history-reverse")["history"]["events"]
    assert backwards == whole[::-1]


def test_the_close_event_alone(api: Api) -> None:
    api.start("a")
    query = {"historyEventFilterType": "HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT", "waitNewEvent": "true"}
    assert api.get("default/workflows/a/history", **query) == {"history": {}}
    api.post("default/workflows/a/terminate")
    (event,) = api.get("default/workflows/a/history", **query)["history"]["events"]
    assert event["eventType"] == "EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED"


def test_lists_and_counts(api: Api) -> None:
    for workflow_id in ("a", "b", "c"):
        api.start(workflow_id)
    api.post("default/workflows/c/terminate")
    first = api.get("default/workflows", pageSize=2)
    second = api.get("default/workflows", pageSize=2, nextPageToken=first["nextPageToken"])
    found = [each["execution"]["workflowId"] for each in (*first["executions"], *second["executions"])]
    assert sorted(found) == ["a", "b", "c"]
    running = "ExecutionStatus='Running'"
    assert len(api.get("default/workflows", query=running)["executions"]) == 2
    assert api.get("default/workflow-count", query=running) == {"count": "2"}
    assert api.get("default/workflow-count", query="WorkflowId='nobody'") == {}


def test_namespaces(api: Api) -> None:
    (found,) = api.json(api.client.get("/api/v1/namespaces"))["namespaces"]
    assert found["namespaceInfo"]["name"] == "default"
    assert api.get("default")["namespaceInfo"] == found["namespaceInfo"]


def test_no_engine_of_a_server_is_needed(api: Api) -> None:
    api.start("a")
    assert current_engine().unit_of_work.dispatcher is None
