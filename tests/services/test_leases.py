"""Processes on one database share its shards: they come, leave, are killed and frozen, and nothing is owned twice."""

import signal
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from pytest_django import DjangoDbBlocker

from orchestrator.services.bootstrap import check_database
from orchestrator.services.composition import store_of
from orchestrator.services.engine import key_of
from orchestrator.store.members_sql import SqlClusterStore
from tests.services.leased_members import Member, shared
from tests.store import consistency
from tests.store.process import ALIAS, Process, until
from tests.support.databases import alias


@pytest.fixture(params=["mariadb", "postgres"])
def url(request: pytest.FixtureRequest, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A database that processes can share, in place of the default one."""
    made: str = request.getfixturevalue(f"{request.param}_url")
    with django_db_blocker.unblock(), alias(made, ALIAS):
        yield made


@pytest.fixture
def stack() -> Iterator[ExitStack]:
    with ExitStack() as stack:
        yield stack


def test_shards_follow_those_who_come_leave_and_are_killed(url: str, stack: ExitStack) -> None:
    a, b = [stack.enter_context(Member(url)) for _ in range(2)]
    until(lambda: shared(a, b), "two shares")
    c = stack.enter_context(Member(url))
    until(lambda: shared(a, b, c), "three shares")
    a.leave()
    until(lambda: shared(b, c), "the shares of two again")
    b.signal(signal.SIGKILL)
    until(lambda: shared(c), "one for all")


def test_who_was_frozen_beyond_its_lease_writes_nothing_and_gets_another_share(url: str, stack: ExitStack) -> None:
    frozen = stack.enter_context(Member(url))
    until(lambda: shared(frozen), "the shards")
    cluster = check_database(ALIAS)
    with Process(store_of(ALIAS, cluster.shard_count)) as process:
        process.do(process.start("w"))
        shard = key_of(process.namespace.id, "w", cluster.shard_count).shard_id
        frozen.say("hold w")
        assert frozen.line() == "holding"
        frozen.signal(signal.SIGSTOP)
        other = stack.enter_context(Member(url))
        until(lambda: SqlClusterStore(ALIAS).shards()[shard].owner == other.name, "the next owner")
        frozen.say("now")
        frozen.signal(signal.SIGCONT)
        assert frozen.line() == "refused"
        assert consistency.signals("w") == []
        process.do(process.signal("w"))
        assert consistency.signals("w") == ["paid"]
    until(lambda: shared(frozen, other), "two shares")


def test_a_frontend_is_a_member_without_shards(url: str, stack: ExitStack) -> None:
    frontend = stack.enter_context(Member(url, "frontend"))
    worker = stack.enter_context(Member(url))
    until(lambda: shared(worker), "all shards of the one worker")
    assert frontend.owned() == []
    roles: dict[str, Any] = {member.name: member.role for member in SqlClusterStore(ALIAS).roll().members}
    assert roles == {frontend.name: "frontend", worker.name: "worker"}
