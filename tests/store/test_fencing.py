"""Writes under a lease: refused once it is over, and whoever takes a shard waits for those that are under way."""

import asyncio
import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from orchestrator.errors import WorkflowNotFound
from orchestrator.models import Shard
from orchestrator.services.engine import Prepared
from orchestrator.store.fencing import current_fence, fenced
from orchestrator.store.members_sql import SqlClusterStore
from orchestrator.store.ports import Changes, Fence, LeaseLost, RunKey, VersionConflict
from tests.store import consistency
from tests.store.conftest import Opened
from tests.store.process import Process
from tests.store.rows import creation, node, run_key, transfer, update, wake, workflow_key

NOW, BEFORE = 7, 6
"""Range ids: the one in force, and one that is over."""
PATIENCE_S = 30.0


@pytest.fixture
def run(opened: Opened) -> RunKey:
    """A run at version 1 that owes something; every shard is at range NOW."""
    Shard.objects.using(opened.alias).update(owner="somebody", range_id=NOW)
    run = run_key()
    changes = creation(run)
    changes.transfers.append(transfer(run, 5))
    opened.write(changes)
    return run


def under(changes: Changes, *fences: Fence) -> Changes:
    changes.fences.update(fences)
    return changes


def transition(run: RunKey) -> Changes:
    return update(run, 2, nodes=[(run, node(3, 4))], wakes=[wake(run, 9)], transferred=[(run, 1, 5)])


def test_a_write_under_a_lease_in_force(opened: Opened, run: RunKey) -> None:
    opened.write(under(transition(run), Fence(1, NOW), Fence(3, NOW)))
    assert opened.version(run) == 2


def test_a_write_under_a_lease_that_is_over_writes_nothing(opened: Opened, run: RunKey) -> None:
    before = opened.counts()
    paid = Changes(transferred=[(run, 1, 5)])
    for changes in (transition(run), creation(run_key(), workflow_key()), paid):
        with pytest.raises(LeaseLost) as refused:
            opened.write(under(changes, Fence(1, BEFORE)))
        assert refused.value.fences == {Fence(1, BEFORE)}
    assert opened.counts() == before
    assert opened.version(run) == 1


def test_one_lease_of_several_that_is_over_stops_all_and_is_named(opened: Opened, run: RunKey) -> None:
    lost = Fence(3, BEFORE)
    with pytest.raises(LeaseLost) as refused:
        opened.write(under(transition(run), Fence(1, NOW), lost, Fence(2, NOW)))
    assert refused.value.fences == {lost}
    assert opened.version(run) == 1


def test_two_leases_of_one_shard_are_not_both_in_force(opened: Opened, run: RunKey) -> None:
    with pytest.raises(LeaseLost) as refused:
        opened.write(under(transition(run), Fence(1, NOW), Fence(1, BEFORE)))
    assert refused.value.fences == {Fence(1, BEFORE)}


def test_a_conflict_under_a_lease_in_force_is_a_conflict(opened: Opened, run: RunKey) -> None:
    opened.write(update(run, 2))
    with pytest.raises(VersionConflict):
        opened.write(under(transition(run), Fence(1, NOW)))


def test_a_run_is_not_removed_under_a_lease_that_is_over(opened: Opened, run: RunKey) -> None:
    before = opened.counts()
    with pytest.raises(LeaseLost):
        opened.store.remove_run(workflow_key(), run, 1, Fence(1, BEFORE))
    assert opened.counts() == before
    assert opened.store.remove_run(workflow_key(), run, 1, Fence(1, NOW))


def test_the_outcome_of_a_fenced_commit_is_found_by_reading(opened: Opened, run: RunKey) -> None:
    changes = under(transition(run), Fence(1, NOW))
    assert opened.store.was_applied(changes) is False
    opened.write(changes)
    Shard.objects.using(opened.alias).update(range_id=NOW + 1)
    assert opened.store.was_applied(changes) is True


def test_who_takes_a_shard_waits_for_a_write_under_its_lease(opened: Opened, run: RunKey) -> None:
    taken = threading.Event()
    found: list[Any] = []

    def take() -> None:
        try:
            found.append(SqlClusterStore(opened.alias).claim("another", [1]))
            found.append(opened.version(run))
            taken.set()
        finally:
            opened.store.close()

    taker = threading.Thread(target=take)
    with opened.store.joined() as session:
        session.write(under(transition(run), Fence(1, NOW)))
        taker.start()
        assert not taken.wait(0.2)
    taker.join(PATIENCE_S)
    assert found == [{1: NOW + 1}, 2]


def test_a_write_that_waited_for_the_next_owner_is_refused(opened: Opened, run: RunKey) -> None:
    outcomes: list[Any] = []

    def write() -> None:
        try:
            while not outcomes:
                try:
                    opened.write(under(transition(run), Fence(1, NOW)))
                    outcomes.append("written")
                except (*opened.store.conflicts, VersionConflict, *opened.store.retryable):
                    continue  # it has waited for as long as a commit may
                except LeaseLost as error:
                    outcomes.append(error.fences)
        finally:
            opened.store.close()

    writer = threading.Thread(target=write)
    with transaction.atomic(using=opened.alias):
        Shard.objects.using(opened.alias).filter(id=1).update(range_id=NOW + 1)
        writer.start()
        writer.join(0.3)
        assert not outcomes
    writer.join(PATIENCE_S)
    assert outcomes == [{Fence(1, NOW)}]
    assert opened.version(run) == 1


# In the commits of a process.


@pytest.fixture
def leased(process: Process) -> Iterator[Process]:
    """A process over shards at range NOW."""
    Shard.objects.update(owner="somebody", range_id=NOW)
    yield process
    Shard.objects.update(owner="", range_id=0)


def together(process: Process, *calls: tuple[int | None, Prepared[Any]]) -> list[Any]:
    """What becomes of calls in one batch, each under a range of its shard, or under none."""

    async def enqueue() -> list[Any]:
        with process.lanes[0]._ready:
            futures = []
            for range_id, call in calls:
                with fenced(Fence(call.key.shard_id, range_id) if range_id is not None else None):
                    enqueue = process.engine.unit_of_work.enqueue
                    futures.append(enqueue(call.key, call.operation, call.run_id, needs_current=True))
        return await asyncio.gather(*futures, return_exceptions=True)

    return process.run(enqueue())


def failures(results: list[Any]) -> list[type | None]:
    return [type(result) if isinstance(result, BaseException) else None for result in results]


def test_only_what_is_under_a_lost_lease_is_refused(leased: Process) -> None:
    for workflow_id in ("a", "b", "c"):
        leased.do(leased.start(workflow_id))
    results = together(
        leased,
        (None, leased.signal("a", "1")),
        (BEFORE, leased.signal("a", "2")),
        (NOW, leased.signal("a", "3")),
        (BEFORE, leased.signal("b", "4")),
        (NOW, leased.signal("c", "5")),
        (NOW, leased.signal("nowhere", "6")),
    )
    assert failures(results) == [None, LeaseLost, None, LeaseLost, None, WorkflowNotFound]
    assert [consistency.signals(each) for each in ("a", "b", "c")] == [["1", "3"], [], ["5"]]
    consistency.check_database()
    consistency.check_memory(leased)


def test_a_batch_under_lost_leases_alone_writes_nothing(leased: Process) -> None:
    leased.do(leased.start("a"))
    results = together(leased, (BEFORE, leased.signal("a", "1")), (BEFORE, leased.start("b")))
    assert failures(results) == [LeaseLost, LeaseLost]
    assert consistency.signals("a") == []
    with pytest.raises(WorkflowNotFound):
        leased.do(leased.signal("b"))
    assert leased.engine.unit_of_work.counters.retried == 0
    consistency.check_memory(leased)


async def test_tasks_begun_under_a_fence_are_under_it_and_others_are_not() -> None:
    async def seen() -> Fence | None:
        return current_fence()

    fence = Fence(1, NOW)
    before = asyncio.create_task(seen())
    with fenced(fence):
        inside = asyncio.create_task(seen())
        with fenced(None):
            assert current_fence() is None
        assert current_fence() == fence
    assert [await before, await inside, current_fence()] == [None, fence, None]
