"""The page of dead letters: its rows, and the way back for those who may."""

from collections.abc import Callable

import pytest
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from orchestrator.models import DeadLetter, TransferTask

LIST = "admin:hugo_orchestrator_deadletter_changelist"


@pytest.fixture
def letter(default_database: str) -> DeadLetter:
    """A dead debt."""
    return DeadLetter.objects.create(
        shard_id=1,
        queue="transfer",
        namespace_id="00000000-0000-0000-0000-000000000001",
        workflow_id="order",
        run_id="00000000-0000-0000-0000-000000000002",
        kind=5,
        payload={"created_time": 7},
        error="ValueError: <b>no</b>\n\nTraceback",
        attempts=12,
        first_failure=1,
        last_failure=2,
    )


def redrive(client: Client, letter: DeadLetter) -> list[str]:
    """Chooses the letter, and returns the messages."""
    reply = client.post(reverse(LIST), {"action": "redrive", "_selected_action": [str(letter.pk)]})
    return [str(message) for message in get_messages(reply.wsgi_request)]


def test_it_lists_what_was_given_up_and_why(site: Client, letter: DeadLetter) -> None:
    page = site.get(reverse(LIST)).content.decode()
    assert "ValueError: &lt;b&gt;no&lt;/b&gt;" in page
    assert ">close<" in page
    detail = site.get(reverse("admin:hugo_orchestrator_deadletter_change", args=[letter.pk]))
    assert "Traceback" in detail.content.decode()


def test_who_may_redrives(site: Client, letter: DeadLetter) -> None:
    assert redrive(site, letter) == ["1 dead letter was redriven."]
    assert TransferTask.objects.get().workflow_id == "order"
    assert not DeadLetter.objects.exists()


def test_who_may_only_look_cannot(operator: Callable[..., Client], letter: DeadLetter) -> None:
    assert redrive(operator("view_deadletter"), letter) == []
    assert DeadLetter.objects.exists()
