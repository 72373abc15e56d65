"""Signal, cancel and terminate from the list: asked for, permitted, done through the services, and told."""

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent

from orchestrator.models import HistoryNode, VisibilityRecord

Start = Callable[[str], VisibilityRecord]
LIST = "admin:hugo_orchestrator_visibilityrecord_changelist"


def act(client: Client, action: str, rows: list[VisibilityRecord], **fields: str) -> list[str]:
    """Chooses rows, confirms, and returns the messages."""
    chosen = {"action": action, "_selected_action": [str(row.pk) for row in rows]}
    reply = client.post(reverse(LIST), chosen | {"confirmed": "yes"} | fields)
    assert reply.status_code == 302
    return [str(message) for message in get_messages(reply.wsgi_request)]


def last_event(row: VisibilityRecord) -> HistoryEvent:
    node = HistoryNode.objects.filter(branch_id=row.run_id).order_by("-first_event_id")[0]
    return History.FromString(bytes(node.events)).events[-1]


def test_it_asks_first(site: Client, start: Start) -> None:
    row = start("a")
    for action in ("signal", "cancel", "terminate"):
        reply = site.post(reverse(LIST), {"action": action, "_selected_action": [str(row.pk)]})
        assert reply.status_code == 200
        assert "are you sure?" in reply.content.decode()
    assert last_event(row).event_id == 2


def test_terminate(site: Client, start: Start) -> None:
    rows = [start("a"), start("b")]
    assert act(site, "terminate", rows, reason="out of stock") == ["2 workflow runs were terminated."]
    for row in rows:
        event = last_event(row)
        assert event.workflow_execution_terminated_event_attributes.reason == "out of stock"
        assert event.workflow_execution_terminated_event_attributes.identity == "admin:root"
        row.refresh_from_db()
        assert row.status == 5
    assert LogEntry.objects.count() == 2
    assert "out of stock" in LogEntry.objects.first().change_message  # type: ignore[union-attr]


def test_cancel(site: Client, start: Start) -> None:
    row = start("a")
    assert act(site, "cancel", [row], reason="why not") == ["1 workflow run was asked to cancel itself."]
    assert last_event(row).event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED


@pytest.mark.parametrize(
    ("given", "stored"),
    [('[{"amount": 7}, null]', [b'{"amount":7}', b"null"]), ('{"amount": 7}', [b'{"amount":7}']), ("", [])],
)
def test_signal(site: Client, start: Start, given: str, stored: list[bytes]) -> None:
    row = start("a")
    assert act(site, "signal", [row], signal_name="paid", input=given) == ["1 workflow run was signaled."]
    attributes = last_event(row).workflow_execution_signaled_event_attributes
    assert attributes.signal_name == "paid"
    assert [payload.data for payload in attributes.input.payloads] == stored


@pytest.mark.parametrize("fields", [{"signal_name": ""}, {"signal_name": "paid", "input": "{"}])
def test_a_signal_that_is_none_is_asked_for_again(site: Client, start: Start, fields: dict[str, str]) -> None:
    row = start("a")
    chosen = {"action": "signal", "_selected_action": [str(row.pk)], "confirmed": "yes"}
    assert site.post(reverse(LIST), chosen | fields).status_code == 200
    assert last_event(row).event_id == 2


def test_one_that_fails_fails_alone(site: Client, start: Start) -> None:
    rows = [start("a"), start("b")]
    earlier = act(site, "terminate", rows[:1])
    told = act(site, "terminate", rows)
    assert told == [*earlier, "1 workflow run was terminated.", "a: workflow execution already completed"]


def test_too_many(site: Client, start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.admin.workflow_actions.MOST", 1)
    rows = [start("a"), start("b")]
    assert act(site, "terminate", rows) == ["Choose at most 1 workflow runs."]
    assert last_event(rows[0]).event_id == 2


@pytest.mark.parametrize("action", ["signal", "cancel", "terminate"])
def test_each_has_a_permission_of_its_own(start: Start, operator: Callable[..., Client], action: str) -> None:
    row = start("a")
    others = [f"{each}_workflow" for each in ("signal", "cancel", "terminate") if each != action]
    ann = operator("view_visibilityrecord", *others)
    offered = dict(ann.get(reverse(LIST)).context["action_form"].fields["action"].choices)
    assert set(offered) == {"", "signal", "cancel", "terminate"} - {action}
    ann.post(
        reverse(LIST),
        {"action": action, "_selected_action": [str(row.pk)], "confirmed": "yes", "signal_name": "paid"},
    )
    assert last_event(row).event_id == 2


def test_whoever_may_look_only_is_offered_nothing(start: Start, operator: Callable[..., Client]) -> None:
    start("a")
    reply = operator("view_visibilityrecord").get(reverse(LIST))
    assert reply.status_code == 200
    assert not reply.context["action_form"]
