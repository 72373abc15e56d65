"""Debts between runs: paid after the commit, found again by the next process, not stopped by those that always fail."""

import asyncio
from collections import Counter
from collections.abc import Callable, Collection, Iterator
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from pytest_django import DjangoDbBlocker

from orchestrator.core.transfers import TransferKind
from orchestrator.errors import Unavailable
from orchestrator.models import TransferTask
from orchestrator.services import dead_letters, transfers
from orchestrator.services.dead_letters import DeadLetters
from orchestrator.services.shards import SoleOwner
from orchestrator.services.transfers import Transfers
from orchestrator.store import lane
from orchestrator.store.ports import Failure, Transfer
from tests.core import builders as build
from tests.services.paying import Paying, child, owed, story, wait_for, wait_until_nothing_is_owed
from tests.store.process import ALIAS, until
from tests.support.databases import alias

UNKNOWN_KIND = 99
LIMIT = 3


def debt(number: int = 1, kind: int = TransferKind.CLOSE) -> Transfer:
    """A debt of a run nobody knows."""
    return Transfer(1, str(uuid4()), f"workflow-{number}", f"run-{number}", kind, 0, 0)


# Who pays, and when.


class Ledger:
    """A table of debts, and how they are paid.

    Attributes:
        paid: in their order.
        failures: what the next payments of a run fail with.
        unreadable: how often the table cannot be read.
        noted: the failures of each run that count.
        given_up: debts that have failed too often.
    """

    def __init__(self, *stored: Transfer) -> None:
        self.stored = list(stored)
        self.paid: list[Transfer] = []
        self.failures: dict[str, list[Exception]] = {}
        self.unreadable = 0
        self.reads = 0
        self.noted: Counter[str] = Counter()
        self.given_up: list[Transfer] = []

    def transfers(self, before: int, limit: int, shards: list[int] | None) -> list[Transfer]:
        """See Store."""
        self.reads += 1
        if self.unreadable:
            self.unreadable -= 1
            raise Unavailable("no database")
        stored = [each for each in self.stored if shards is None or each.shard_id in shards]
        return [each for each in stored if each.created_time < before][:limit]

    async def pay(self, transfer: Transfer) -> None:
        """Pays, or fails."""
        if failures := self.failures.get(transfer.run_id):
            raise failures.pop(0)
        self.paid.append(transfer)
        if transfer in self.stored:
            self.stored.remove(transfer)

    def record_failure(self, task: Transfer, failure: Failure, pause: Callable[[int], int | None], fence: None) -> bool:
        """See Store."""
        self.noted[task.run_id] += 1
        if pause(self.noted[task.run_id]) is not None:
            return False
        self.given_up.append(task)
        return True


def no_hint(shards: Collection[int]) -> None:
    raise AssertionError("there is nobody to tell")


async def run_db(function: Callable[..., Any], *args: Any) -> Any:
    return function(*args)


async def eventually(condition: Callable[[], object]) -> None:
    """Returns once a condition holds."""
    async with asyncio.timeout(10):
        while not condition():
            await asyncio.sleep(0.001)


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that nobody notices."""
    monkeypatch.setattr(dead_letters, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(dead_letters, "LONGEST_PAUSE", 0.002)
    monkeypatch.setattr(transfers, "SWEEP", 0.005)


def started(ledger: Ledger, now: int = 10 * transfers.OLD) -> Transfers:
    """A payer that has begun."""
    noted = DeadLetters(ledger, lambda: now, LIMIT)  # type: ignore[arg-type]
    noted.start(run_db)
    payer = Transfers(ledger, lambda: now, SoleOwner(1), no_hint, noted)  # type: ignore[arg-type]
    payer.pay = ledger.pay
    payer.start(asyncio.get_running_loop(), run_db)
    return payer


async def test_what_is_left_from_before_is_paid_at_the_start() -> None:
    ledger = Ledger(debt(1), debt(2)._replace(created_time=10 * transfers.OLD))
    payer = started(ledger)
    await eventually(lambda: len(ledger.paid) == 2)
    await payer.stop()


async def test_a_debt_that_is_noted_is_paid_once() -> None:
    ledger = Ledger()
    payer = started(ledger)
    payer.note([debt(1), debt(1), debt(2)])
    payer.note([debt(1)])
    await eventually(lambda: len(ledger.paid) == 2)
    await payer.stop()
    assert [each.workflow_id for each in ledger.paid] == ["workflow-1", "workflow-2"]


async def test_a_debt_is_tried_until_it_is_paid(quick: None) -> None:
    ledger = Ledger()
    ledger.failures["run-1"] = [Unavailable("no"), Unavailable(""), RuntimeError("a bug"), Unavailable("no")]
    payer = started(ledger)
    payer.note([debt(1)])
    await eventually(lambda: ledger.paid)
    await payer.stop()
    assert ledger.noted == {"run-1": 1}


async def test_a_debt_that_always_fails_is_given_up(quick: None) -> None:
    ledger = Ledger()
    ledger.failures["run-1"] = [Unavailable("no")] * LIMIT + [RuntimeError("poison")] * 1_000_000
    payer = started(ledger)
    payer.note([debt(1)])
    await eventually(lambda: ledger.given_up)
    left = len(ledger.failures["run-1"])
    payer.note([debt(2)])
    await eventually(lambda: ledger.paid)
    await payer.stop()
    assert [each.run_id for each in ledger.paid] == ["run-2"]
    assert ledger.noted == {"run-1": LIMIT}
    assert len(ledger.failures["run-1"]) == left == 1_000_000 - LIMIT


async def test_debts_that_always_fail_do_not_stop_the_others(quick: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(transfers, "AT_ONCE", 1)
    ledger = Ledger()
    ledger.failures = {f"run-{number}": [Unavailable("no")] * 1_000_000 for number in range(10)}
    payer = started(ledger)
    payer.note([debt(number) for number in range(12)])
    await eventually(lambda: len(ledger.paid) == 2)
    await payer.stop()
    assert {each.run_id for each in ledger.paid} == {"run-10", "run-11"}


async def test_a_forgotten_debt_is_found_by_its_age(quick: None) -> None:
    ledger = Ledger()
    payer = started(ledger)
    await eventually(lambda: ledger.reads > 1)
    young = debt(2)._replace(created_time=9 * transfers.OLD + 1)
    ledger.stored += [debt(1), young]
    await eventually(lambda: ledger.paid)
    read = ledger.reads
    await eventually(lambda: ledger.reads > read + 1)
    await payer.stop()
    assert [each.run_id for each in ledger.paid] == ["run-1"]
    assert ledger.stored == [young]


async def test_a_table_that_cannot_be_read_is_read_again(quick: None) -> None:
    ledger = Ledger(debt())
    ledger.unreadable = 2
    payer = started(ledger)
    await eventually(lambda: ledger.paid)
    await payer.stop()


async def test_a_child_is_released_by_whoever_began_it_or_once_it_is_forgotten(quick: None) -> None:
    ledger = Ledger()
    payer = started(ledger)
    release = debt(1, TransferKind.RELEASE_CHILD)
    payer.note([release, debt(2)])
    await eventually(lambda: ledger.paid)
    assert [each.run_id for each in ledger.paid] == ["run-2"]
    ledger.stored.append(release)
    await eventually(lambda: len(ledger.paid) == 2)
    await payer.stop()


async def test_a_payment_that_is_under_way_ends_with_the_process() -> None:
    ledger = Ledger()
    payer = started(ledger)
    begun = asyncio.Event()

    async def never(transfer: Transfer) -> None:
        begun.set()
        await asyncio.Event().wait()

    payer.pay = never
    payer.note([debt()])
    await begun.wait()
    await payer.stop()
    payer.note([debt(2)])
    await asyncio.sleep(0)
    assert not ledger.paid


# Rows in a database.


def test_the_next_process_pays_what_one_left(on_sqlite: None) -> None:
    with Paying(pays=False) as process:
        process.begin_workflow("target")
        process.begin_workflow("sender")
        process.turn("sender", child(), build.signal_external("target"), build.cancel_external("target"))
        assert story("sender")[4:] == [
            "StartChildWorkflowExecutionInitiated",
            "SignalExternalWorkflowExecutionInitiated",
            "RequestCancelExternalWorkflowExecutionInitiated",
        ]
        assert owed() == [TransferKind.START_CHILD, TransferKind.SIGNAL_EXTERNAL, TransferKind.CANCEL_EXTERNAL]
    with Paying():
        wait_until_nothing_is_owed()
    assert {"ChildWorkflowExecutionStarted", "ExternalWorkflowExecutionSignaled"} < set(story("sender"))
    assert story("child") == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]
    assert story("target").count("WorkflowExecutionSignaled") == 1
    assert story("target").count("WorkflowExecutionCancelRequested") == 1


def test_a_debt_of_a_newer_version_waits_and_others_are_paid(on_sqlite: None) -> None:
    run_id, namespace_id = str(uuid4()), str(uuid4())
    TransferTask.objects.create(
        shard_id=1,
        namespace_id=namespace_id,
        workflow_id="from the future",
        run_id=run_id,
        kind=UNKNOWN_KIND,
        event_id=0,
        created_time=0,
    )
    with Paying() as process:
        process.begin_workflow("parent")
        process.turn("parent", child())
        wait_for("parent", "ChildWorkflowExecutionStarted")
        until(lambda: owed() == [UNKNOWN_KIND], "the other payments")


@pytest.fixture
def on_postgres(
    postgres_url: str, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> Iterator[psycopg.Connection[Any]]:
    """A fresh PostgreSQL database in place of the default one, and somebody else's session."""
    monkeypatch.setattr(lane, "LONGEST_PAUSE", 0.05)
    with django_db_blocker.unblock(), alias(postgres_url, ALIAS), psycopg.connect(postgres_url) as rival:
        yield rival


def test_a_target_that_others_hold_keeps_only_its_own_debts_waiting(on_postgres: psycopg.Connection[Any]) -> None:
    with Paying() as process:
        for workflow_id in ("held", "free", "sender"):
            process.begin_workflow(workflow_id)
        on_postgres.execute("SELECT 1 FROM execution WHERE workflow_id = 'held' FOR UPDATE")
        process.turn("sender", build.signal_external("held"), build.signal_external("free"))
        wait_for("sender", "ExternalWorkflowExecutionSignaled")
        assert story("free").count("WorkflowExecutionSignaled") == 1
        assert story("held").count("WorkflowExecutionSignaled") == 0
        assert owed() == [TransferKind.SIGNAL_EXTERNAL]
        on_postgres.rollback()
        wait_until_nothing_is_owed()
        assert story("held").count("WorkflowExecutionSignaled") == 1
        assert story("sender").count("ExternalWorkflowExecutionSignaled") == 2
