"""What the processes of a cluster have done since they started: each tells whoever asks."""

import asyncio
from collections.abc import Collection
from typing import TYPE_CHECKING

from orchestrator.services.peers import Message, Peers

if TYPE_CHECKING:
    from orchestrator.services.engine import Engine


class TallyWanted(Message, frozen=True):
    """The sender wants to know what everybody has done."""


class Tally(Message, frozen=True):
    """What one process has done.

    Attributes:
        transitions: operations on runs it committed, refused ones too.
        transactions: the commits they were in.
        timers: wake-ups of runs it fired.
        debts: effects of one run on another it paid.
        tasks_sent: tasks it sent to polls in other processes.
        shards: how many it owns now.
    """

    transitions: int
    transactions: int
    timers: int
    debts: int
    tasks_sent: int
    shards: int


def answer_tally(engine: "Engine") -> None:
    """Has a process answer."""
    engine.peers.on(TallyWanted, lambda sender, _: engine.peers.tell(sender, tally_of(engine)))


def tally_of(engine: "Engine") -> Tally:
    """What a process has done."""
    counters = engine.unit_of_work.counters
    return Tally(
        transitions=counters.operations,
        transactions=counters.transactions,
        timers=engine.timers.fired,
        debts=engine.transfers.paid,
        tasks_sent=engine.matching.tasks_sent,
        shards=len(engine.shards.owned),
    )


async def collect(peers: Peers, members: Collection[str], patience: float) -> dict[str, Tally]:
    """Asks all, and returns the answers of those who answer.

    Args:
        peers: not started yet; is stopped again.
        members: whose answers are waited for.
        patience: seconds to wait for them, at most.
    """
    answers: dict[str, Tally] = {}
    complete = asyncio.Event()

    def take(sender: str, tally: Tally) -> None:
        answers[sender] = tally
        if answers.keys() >= set(members):
            complete.set()

    peers.on(Tally, take)
    await peers.start()
    peers.tell_all(TallyWanted())
    try:
        async with asyncio.timeout(patience):
            await complete.wait()
    except TimeoutError:
        pass
    finally:
        await peers.stop()
    return answers
