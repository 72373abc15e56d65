"""The pages of members and shards: who lives, who owns what, and moving shards by hand."""

from collections.abc import Callable

import pytest
from django.contrib.admin.models import LogEntry
from django.contrib.messages import get_messages
from django.test import Client
from django.urls import reverse

from orchestrator.store.members import Identity
from orchestrator.store.members_sql import SqlClusterStore
from tests.store.process import ALIAS

MEMBERS = "admin:hugo_orchestrator_member_changelist"
SHARDS = "admin:hugo_orchestrator_shard_changelist"
LONG = 3600 * 10**9


@pytest.fixture
def members(site: Client) -> SqlClusterStore:
    """A live member with two shards, a frontend, and a dead member."""
    store = SqlClusterStore(ALIAS)
    for name, role, lease in (
        ("worker-a", "worker", LONG),
        ("frontend-f", "frontend", LONG),
        ("worker-z", "worker", -1),
    ):
        store.join(Identity(name, role, "a-host", 7, "0.1.0", role == "worker"), lease)
    store.claim("worker-a", [1, 2])
    return store


def act(client: Client, shards: list[int], to: str) -> list[str]:
    """Moves shards and returns the messages."""
    reply = client.post(reverse(SHARDS), {"action": "move", "_selected_action": [*map(str, shards)], "to": to})
    assert reply.status_code == 302
    return [str(message) for message in get_messages(reply.wsgi_request)]


def pinned(members: SqlClusterStore) -> dict[str, frozenset[int]]:
    return {member.name: member.pinned for member in members.roll().members}


def test_members_with_their_shards_and_the_dead(members: SqlClusterStore, site: Client) -> None:
    page = site.get(reverse(MEMBERS)).content.decode()
    rows = {name: page.split(f">{name}</a>")[1].split("</tr>")[0] for name in ("worker-a", "frontend-f", "worker-z")}
    assert "icon-yes" in rows["worker-a"]
    assert "icon-no" in rows["worker-z"]
    assert '?owner=worker-a">2</a>' in rows["worker-a"]
    assert '?owner=frontend-f">0</a>' in rows["frontend-f"]
    assert "a-host" in rows["frontend-f"]


def test_shards_move_to_who_can_own_them_and_back(members: SqlClusterStore, site: Client) -> None:
    page = site.get(reverse(SHARDS)).content.decode()
    assert '<option value="worker-a">worker-a</option>' in page
    assert '<option value="frontend-f">' not in page
    assert act(site, [1, 3], "worker-a") == ["2 shards move within seconds."]
    assert pinned(members)["worker-a"] == {1, 3}
    assert LogEntry.objects.count() == 2
    assert act(site, [3], "")[-1] == "1 shard moves within seconds."
    assert pinned(members)["worker-a"] == {1}


def test_a_member_that_is_gone_by_now_is_said(members: SqlClusterStore, site: Client) -> None:
    (said,) = act(site, [1], "worker-z")
    assert said.startswith("No live member is called worker-z")
    assert pinned(members)["worker-a"] == frozenset()


def test_moving_takes_permission(members: SqlClusterStore, operator: Callable[..., Client]) -> None:
    ann = operator("view_shard")
    reply = ann.post(reverse(SHARDS), {"action": "move", "_selected_action": ["1"], "to": "worker-a"})
    assert not get_messages(reply.wsgi_request)
    assert pinned(members)["worker-a"] == frozenset()
