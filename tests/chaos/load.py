"""The load of a cluster under chaos: many lives side by side, one after the other, until they are told to end."""

import asyncio
import random
from collections.abc import Coroutine
from typing import Any

from temporalio.client import Client

from tests.chaos.calls import Calls
from tests.chaos.contest import Contest
from tests.chaos.hands import Hand
from tests.chaos.journal import Journal
from tests.chaos.journeys import Traveller
from tests.chaos.workflows import Journey

TRAVELLERS = 16
HANDS = 3
CONTESTS = 2
RIVALS = 4
MOVES = 6


class Load:
    """Everybody who uses a cluster.

    Args:
        clients: one for each frontend.
        task_queue: what the SDK workers serve.
        chance: the seed's.
    """

    def __init__(self, clients: list[Client], task_queue: str, chance: random.Random) -> None:
        self.journal = Journal()
        self.calls = Calls(clients, self.journal, _chance(chance))
        self._task_queue = task_queue
        self._chance = chance
        self._ending = False
        self._lives: list[asyncio.Task[None]] = []
        self._hands: list[asyncio.Task[None]] = []

    def start(self) -> None:
        """Begins."""
        self._hands = [
            self._task(Hand(self.calls, self.hands_queue, _chance(self._chance)).work()) for _ in range(HANDS)
        ]
        self._lives = [self._task(self._travel(place)) for place in range(TRAVELLERS)]
        self._lives += [self._task(self._contend(place)) for place in range(CONTESTS)]

    @property
    def hands_queue(self) -> str:
        """Where the activities wait that are completed by hand."""
        return f"{self._task_queue} by hand"

    @property
    def travelling(self) -> list[str]:
        """Workflows that were started and of whose end nobody has heard."""
        return sorted(self.journal.started.keys() - self.journal.results.keys())

    async def end(self, patience: float) -> bool:
        """Begins nothing new, and waits for what was begun; whether all of it came to its end."""
        self._ending = True
        done, pending = await asyncio.wait(self._lives, timeout=patience)
        for task in (*pending, *self._hands):
            task.cancel()
        await asyncio.gather(*pending, *self._hands, return_exceptions=True)
        for task in done:
            task.result()
        return not pending

    async def _unbroken(self, life: Coroutine[Any, Any, None]) -> None:
        """Lives a life; whatever it was told that it should not have been told is noted."""
        try:
            await life
        except Exception as error:
            self.journal.broken.append(f"{type(error).__name__}: {error}")

    async def _travel(self, place: int) -> None:
        chance, number = _chance(self._chance), 0
        while not self._ending:
            again = chance.random() < 0.2
            journey = Journey(
                signals=chance.randrange(5),
                updates=0 if again else chance.choice((0, 0, 1, 2)),
                sleep_ms=chance.choice((20, 200, 1000, 3000)),
                hands=chance.randrange(3),
                hands_queue=self.hands_queue,
                child=chance.random() < 0.2,
                again=int(again),
            )
            traveller = Traveller(self.calls, self._task_queue, f"journey-{place}-{number}", journey)
            await self._unbroken(traveller.live())
            number += 1

    async def _contend(self, place: int) -> None:
        chance, number = _chance(self._chance), 0
        while not self._ending:
            contest = Contest(self.calls, f"contest-{place}-{number}", _chance(chance))
            await self._unbroken(contest.be_held(RIVALS, MOVES))
            number += 1

    def _task(self, life: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        return asyncio.create_task(life)


def _chance(chance: random.Random) -> random.Random:
    return random.Random(chance.random())
