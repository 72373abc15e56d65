"""Members and shards: who is live by the clock of the database, and that a shard has one owner."""

import threading
import time
import uuid
from collections.abc import Iterator

import pytest

from orchestrator.models import Member as MemberRow
from orchestrator.models import Shard
from orchestrator.store.members import Identity, ShardRow
from orchestrator.store.members_sql import REMEMBERED, SqlClusterStore
from tests.store.conftest import Opened

LONG = 3600 * 10**9
OVER = -1
"""Leases, in nanoseconds."""


@pytest.fixture
def members(opened: Opened) -> Iterator[SqlClusterStore]:
    """The port over four shards nobody has taken."""
    MemberRow.objects.using(opened.alias).all().delete()
    Shard.objects.using(opened.alias).exclude(id__lte=4).delete()
    Shard.objects.using(opened.alias).update(owner="", range_id=0)
    return SqlClusterStore(opened.alias)


def joined(members: SqlClusterStore, lease: int = LONG, name: str = "") -> str:
    """The name of a process that has joined."""
    name = name or f"worker-{uuid.uuid4().hex}"
    members.join(Identity(name, "worker", "a-host", 123, "0.1.0", True), lease)
    return name


def owners(members: SqlClusterStore) -> list[str]:
    return [row.owner for _, row in sorted(members.shards().items())]


def test_a_member_is_on_the_roll_with_all_it_said(members: SqlClusterStore) -> None:
    name = joined(members)
    roll = members.roll()
    (member,) = roll.members
    assert member[:6] == (name, "worker", "a-host", 123, "0.1.0", True)
    assert member.started <= roll.time < member.lease_expires <= roll.time + LONG
    assert member.pinned == frozenset()


def test_the_time_is_that_of_the_day_and_goes_on(members: SqlClusterStore) -> None:
    before = members.roll().time
    assert abs(before - time.time_ns()) < 60 * 10**9
    joined(members)
    assert members.roll().time >= before


def test_a_member_whose_lease_is_over_is_not_live_and_cannot_renew(members: SqlClusterStore) -> None:
    name = joined(members, OVER)
    assert members.roll().members == []
    assert not members.renew(name, LONG)
    assert members.roll().members == []


def test_a_lease_is_renewed(members: SqlClusterStore) -> None:
    name = joined(members, LONG)
    (before,) = members.roll().members
    assert members.renew(name, 2 * LONG)
    (after,) = members.roll().members
    assert after.lease_expires > before.lease_expires + LONG // 2
    assert after._replace(lease_expires=0) == before._replace(lease_expires=0)


def test_a_stranger_cannot_renew(members: SqlClusterStore) -> None:
    assert not members.renew("nobody", LONG)


def test_who_joins_again_is_live_again_without_what_it_had(members: SqlClusterStore) -> None:
    name = joined(members)
    members.claim(name, [1, 2])
    joined(members, LONG, name)
    assert [member.name for member in members.roll().members] == [name]
    assert members.shards()[1] == ShardRow("", 1)


def test_the_dead_of_long_ago_are_forgotten(members: SqlClusterStore, opened: Opened) -> None:
    ancient, recent = joined(members, -2 * REMEMBERED), joined(members, OVER)
    name = joined(members)
    rows = MemberRow.objects.using(opened.alias).values_list("name", flat=True)
    assert set(rows) == {recent, name}
    assert ancient not in rows


def test_shards_nobody_has_are_taken(members: SqlClusterStore) -> None:
    name = joined(members)
    assert members.claim(name, [1, 3]) == {1: 1, 3: 1}
    assert members.shards() == {1: ShardRow(name, 1), 2: ShardRow("", 0), 3: ShardRow(name, 1), 4: ShardRow("", 0)}


def test_the_shards_of_a_live_member_are_not_taken(members: SqlClusterStore) -> None:
    first, second = joined(members), joined(members)
    members.claim(first, [1, 2])
    assert members.claim(second, [2, 3]) == {3: 1}
    assert owners(members) == [first, first, second, ""]


def test_the_shards_of_the_dead_are_taken(members: SqlClusterStore) -> None:
    first, second = joined(members), joined(members)
    members.claim(first, [1, 2])
    members.renew(first, OVER)
    assert members.claim(second, [2]) == {2: 2}
    assert owners(members) == [first, second, "", ""]


def test_who_takes_a_shard_again_has_another_lease_of_it(members: SqlClusterStore) -> None:
    name = joined(members)
    members.claim(name, [1])
    assert members.claim(name, [1]) == {1: 2}


def test_only_the_owner_gives_a_shard_back(members: SqlClusterStore) -> None:
    first, second = joined(members), joined(members)
    members.claim(first, [1, 2])
    members.release(second, [1, 2])
    members.release(first, [1])
    assert owners(members) == ["", first, "", ""]
    assert members.claim(second, [1, 2]) == {1: 2}


def test_who_leaves_gives_back_everything_at_once(members: SqlClusterStore) -> None:
    first, second = joined(members), joined(members)
    members.claim(first, [1, 2])
    members.leave(first)
    assert [member.name for member in members.roll().members] == [second]
    assert members.claim(second, [1, 2]) == {1: 2, 2: 2}


def test_a_shard_is_pinned_to_one_member_at_a_time(members: SqlClusterStore) -> None:
    first, second = joined(members, name="a"), joined(members, name="b")

    def pins() -> list[frozenset[int]]:
        return [member.pinned for member in members.roll().members]

    assert members.pin([1, 2], first)
    assert pins() == [{1, 2}, frozenset()]
    assert members.pin([2, 3], second)
    assert pins() == [{1}, {2, 3}]
    assert members.pin([1, 3], "")
    assert pins() == [frozenset(), {2}]
    assert not members.pin([4], "nobody")
    assert pins() == [frozenset(), {2}]


def test_of_many_who_take_a_shard_at_once_one_gets_it(members: SqlClusterStore, opened: Opened) -> None:
    names = [joined(members) for _ in range(4)]
    got: dict[str, dict[int, int]] = {}
    together = threading.Barrier(len(names))

    def claim(name: str) -> None:
        try:
            together.wait(30)
            got[name] = members.claim(name, [1, 2, 3, 4])
        finally:
            opened.store.close()

    threads = [threading.Thread(target=claim, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert sorted(got) == sorted(names)
    taken = [shard for shards in got.values() for shard in shards]
    assert sorted(taken) == [1, 2, 3, 4]
    assert {shard: row.range_id for shard, row in members.shards().items()} == dict.fromkeys(range(1, 5), 1)
