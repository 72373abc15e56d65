"""Debts between runs where a process owns some of the shards: it pays those of its own, and tells the other owners."""

import asyncio
from collections.abc import Collection

import pytest

from orchestrator.core.transfers import TransferKind
from orchestrator.services import transfers
from orchestrator.services.dead_letters import DeadLetters
from orchestrator.services.transfers import Transfers
from orchestrator.store.ports import Fence, LeaseLost, Transfer
from tests.services.portions import Portion
from tests.services.test_transfers import LIMIT, Ledger, debt, eventually, run_db

NOW = 10 * transfers.OLD


class Payer:
    """A process that owns the shards 1 and 2 of four.

    Attributes:
        hinted: the shards whose owners were told.
    """

    def __init__(self, *stored: Transfer) -> None:
        self.ledger = Ledger(*stored)
        self.shards = Portion({1: "me", 2: "me", 3: "other", 4: "other"}, "me")
        self.hinted: list[set[int]] = []
        failed = DeadLetters(self.ledger, lambda: NOW, LIMIT)  # type: ignore[arg-type]
        failed.start(run_db)
        self.transfers = Transfers(self.ledger, lambda: NOW, self.shards, self._hint, failed)  # type: ignore[arg-type]
        self.transfers.pay = self.ledger.pay
        self.transfers.start(asyncio.get_running_loop(), run_db)

    def _hint(self, shards: Collection[int]) -> None:
        self.hinted.append(set(shards))

    @property
    def paid(self) -> list[str]:
        return [each.run_id for each in self.ledger.paid]


def of(shard: int, number: int, kind: int = TransferKind.CLOSE) -> Transfer:
    return debt(number, kind)._replace(shard_id=shard)


async def test_only_debts_of_its_shards_are_paid_and_the_owners_of_the_others_are_told() -> None:
    payer = Payer(of(1, 1), of(3, 3))
    await eventually(lambda: payer.paid == ["run-1"])
    payer.transfers.note([of(2, 2), of(3, 4), of(4, 5)])
    await eventually(lambda: payer.paid == ["run-1", "run-2"])
    assert payer.hinted == [{3, 4}]
    await payer.transfers.stop()


async def test_nobody_is_told_of_a_child_to_be_released() -> None:
    payer = Payer()
    payer.transfers.note([of(3, 1, TransferKind.RELEASE_CHILD)])
    assert payer.hinted == []
    await payer.transfers.stop()


async def test_a_look_finds_what_was_born_a_moment_ago_by_any_clock() -> None:
    payer = Payer()
    await eventually(lambda: payer.ledger.reads)
    payer.ledger.stored += [of(1, 1)._replace(created_time=NOW + 10**9), of(2, 2), of(1, 3, TransferKind.RELEASE_CHILD)]
    payer.transfers.look([1])
    await eventually(lambda: payer.paid == ["run-1"])
    payer.transfers.look([3])
    payer.transfers.look([2])
    await eventually(lambda: payer.paid == ["run-1", "run-2"])
    await payer.transfers.stop()


async def test_a_shard_that_is_new_here_is_read_whole() -> None:
    payer = Payer(of(3, 1), of(3, 2, TransferKind.RELEASE_CHILD), of(4, 3))
    payer.shards.change(3, "me")
    await eventually(lambda: payer.paid == ["run-1", "run-2"])
    await payer.transfers.stop()


@pytest.mark.parametrize("lost_while", ["it waits", "it is paid"])
async def test_a_debt_of_a_lost_shard_is_left_to_the_next_owner(lost_while: str) -> None:
    payer = Payer()
    payer.ledger.failures["run-1"] = [LeaseLost([Fence(1, 1)])] if lost_while == "it is paid" else []
    if lost_while == "it waits":
        payer.shards.lost.add(1)
    payer.transfers.note([of(1, 1), of(2, 2)])
    await eventually(lambda: payer.paid == ["run-2"] and not payer.transfers._known)
    payer.shards.lost.clear()
    payer.transfers.note([of(1, 1)])
    await eventually(lambda: payer.paid == ["run-2", "run-1"])
    assert not payer.ledger.noted
    await payer.transfers.stop()


async def test_who_owns_nothing_reads_nothing() -> None:
    payer = Payer(of(3, 3))
    await eventually(lambda: payer.ledger.reads == 1)
    for shard in (1, 2):
        payer.shards.change(shard, "other")
    await payer.transfers._read([1, 2, 3, 4], transfers.EVERYTHING, forgotten=True)
    assert payer.ledger.reads == 1
    await payer.transfers.stop()
