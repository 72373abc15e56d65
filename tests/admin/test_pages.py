"""The pages: what they show, that nothing can be written, and that nobody sees them without permission."""

from collections.abc import Callable

import pytest
from django.contrib.admin import site as admin_site
from django.test import Client
from django.urls import reverse
from pytest_django import DjangoAssertNumQueries
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest

from orchestrator.models import (
    DeadLetter,
    DispatchTask,
    Execution,
    Member,
    Namespace,
    Shard,
    TimerTask,
    VisibilityRecord,
)
from orchestrator.services.change_workflow import signal_workflow_execution
from orchestrator.services.current import current_engine

MODELS = (DeadLetter, DispatchTask, Member, Namespace, Shard, TimerTask, VisibilityRecord)
Start = Callable[[str], VisibilityRecord]


def url(model: type, page: str = "changelist", *args: object) -> str:
    return reverse(f"admin:hugo_orchestrator_{model.__name__.lower()}_{page}", args=args)


def text(client: Client, path: str, **query: object) -> str:
    """The HTML of a page, which must be 200."""
    reply = client.get(path, query)
    assert reply.status_code == 200, (path, reply.status_code)
    return reply.content.decode()


def test_all_lists_and_pages_open(site: Client, start: Start) -> None:
    start("a")
    assert "Workflow runs" in text(site, reverse("admin:index"))
    for model in MODELS:
        text(site, url(model))
        for row in model._default_manager.all()[:1]:
            text(site, url(model, "change", row.pk))


def test_the_pages_are_all_there_is() -> None:
    ours = {model for model in admin_site._registry if model._meta.app_label == "hugo_orchestrator"}
    assert ours == set(MODELS)


@pytest.mark.parametrize("model", MODELS)
def test_nothing_can_be_written(site: Client, start: Start, model: type) -> None:
    start("a")
    row = model._default_manager.first()  # type: ignore[attr-defined]
    before = Execution.objects.count(), model._default_manager.count()  # type: ignore[attr-defined]
    assert site.get(url(model, "add")).status_code == 403
    if row is not None:
        assert site.post(url(model, "delete", row.pk), {"post": "yes"}).status_code == 403
        assert site.post(url(model, "change", row.pk), {"name": "x"}).status_code == 403
    site.post(url(model), {"action": "delete_selected", "_selected_action": [row and row.pk], "post": "yes"})
    assert (Execution.objects.count(), model._default_manager.count()) == before  # type: ignore[attr-defined]


@pytest.mark.parametrize("model", MODELS)
def test_nothing_without_permission(site: Client, start: Start, operator: Callable[..., Client], model: type) -> None:
    row = start("a")
    ann = operator()
    assert ann.get(url(model)).status_code == 403
    assert ann.get(url(VisibilityRecord, "events", row.pk)).status_code == 403
    assert Client().get(url(model)).status_code == 302
    assert Client().get(url(VisibilityRecord, "events", row.pk)).status_code == 302


def test_a_run_with_its_state(site: Client, start: Start) -> None:
    row = start("a")
    page = text(site, url(VisibilityRecord, "change", row.pk))
    for shown in ("Running", "Order", "orders", "a memo", "pendingWorkflowTask", "next_event_id", str(row.run_id)):
        assert shown in page


def test_a_damaged_state_is_said(site: Client, start: Start) -> None:
    row = start("a")
    Execution.objects.update(state=b"\xff")
    assert "state blob of format 255" in text(site, url(VisibilityRecord, "change", row.pk))


def test_events_are_decoded_and_escaped(site: Client, start: Start) -> None:
    row = start("a")
    page = text(site, url(VisibilityRecord, "events", row.pk))
    assert "Workflow execution started" in page
    assert "&lt;b&gt;7&lt;/b&gt;" in page
    assert "<b>7</b>" not in page


def test_events_come_in_pages(site: Client, start: Start) -> None:
    row = start("a")
    engine = current_engine()
    request = SignalWorkflowExecutionRequest(
        namespace="default", workflow_execution=WorkflowExecution(workflow_id="a"), signal_name="paid"
    )
    for _ in range(60):
        engine.execute_joined(signal_workflow_execution(engine, engine.namespaces.load("default"), request))
    for newest in ({}, {"newest": "1"}):
        query: dict[str, str] = dict(newest)
        ids: list[int] = []
        for _ in range(3):
            reply = site.get(url(VisibilityRecord, "events", row.pk), query)
            ids += [event["id"] for event in reply.context["events"]]
            if not reply.context["next_token"]:
                break
            query["token"] = reply.context["next_token"]
        assert ids == (list(range(62, 0, -1)) if newest else list(range(1, 63)))


@pytest.mark.parametrize("token", ["x", "AAAA"])
def test_a_token_that_is_none(site: Client, start: Start, token: str) -> None:
    row = start("a")
    reply = site.get(url(VisibilityRecord, "events", row.pk), {"token": token}, follow=True)
    assert reply.status_code == 200
    assert reply.redirect_chain


def test_no_such_run(site: Client) -> None:
    assert site.get(url(VisibilityRecord, "events", 1)).status_code == 404


def test_filters_and_search(site: Client, start: Start) -> None:
    row = start("wanted")
    start("other")
    found = [
        {"q": "wanted"},
        {"q": str(row.run_id)},
        {"q": "Order"},
        {"status": "1"},
        {"started": "1"},
        {"namespace": str(row.namespace_id)},
    ]
    lost = [
        {"q": "want"},
        {"status": "2"},
        {"status": "x"},
        {"namespace": str(row.run_id)},
        {"namespace": "x"},
    ]
    for query in found:
        assert "wanted" in _ids(site, query), query
    for query in lost:
        assert _ids(site, query) == [], query
    assert _ids(site, {"q": "wanted"}) == ["wanted"]


def _ids(site: Client, query: dict[str, str]) -> list[str]:
    reply = site.get(url(VisibilityRecord), query)
    assert reply.status_code == 200
    return [row.workflow_id for row in reply.context["cl"].result_list]


def test_a_list_counts_no_further_than_it_goes(
    site: Client, start: Start, django_assert_num_queries: DjangoAssertNumQueries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.admin.read_only.DEPTH", 2)
    for number in range(4):
        start(str(number))
    text(site, url(VisibilityRecord))
    with django_assert_num_queries(5) as captured:
        assert site.get(url(VisibilityRecord)).context["cl"].result_count == 2
    counts = [query["sql"] for query in captured.captured_queries if "COUNT(" in query["sql"]]
    assert len(counts) == 1
    assert "LIMIT 2" in counts[0]


def test_task_queues_with_their_backlog(site: Client, start: Start) -> None:
    row = start("a")
    start("b")
    (queue,) = site.get(url(DispatchTask)).context["queues"]
    assert (queue["namespace"], queue["kind"], queue["tasks"]) == ("default", "Workflow", 2)
    assert "task_queue__exact=orders" in queue["queue"]
    query = {"namespace": str(row.namespace_id), "task_queue__exact": "orders", "kind__exact": "1"}
    assert site.get(url(DispatchTask), query).context["cl"].result_count == 2
    query["task_queue__exact"] = "another"
    assert site.get(url(DispatchTask), query).context["cl"].result_count == 0
