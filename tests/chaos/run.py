"""One run of chaos: a cluster, its load, what goes wrong, and what is left."""

import asyncio
import random
import re
import time
from pathlib import Path

import psycopg
from temporalio.client import Client

from tests.chaos.checker import violations
from tests.chaos.cluster import Cluster
from tests.chaos.faults import Faults
from tests.chaos.load import Load
from tests.chaos.replay import replay_failures
from tests.functional.stored import Stored, read_stored

TASK_QUEUE = "chaos"
PROGRESS_S = 10.0
BETWEEN_S = (2.0, 6.0)
PATIENCE_S = 150.0
"""How long workflows may take to end once everything works again."""


class Chaos:
    """A run.

    Args:
        directory: for everything it writes.
        chance: the seed's.
        seconds: how long things go wrong.
        only: a regular expression that the names of the faults that happen match.
    """

    def __init__(self, directory: Path, chance: random.Random, seconds: float, only: str = "") -> None:
        self._directory = directory
        self._chance = chance
        self._seconds = seconds
        self._only = only
        self._begun = time.monotonic()

    async def run(self) -> list[str]:
        """What was violated."""
        with Cluster(self._directory, TASK_QUEUE) as cluster:
            clients = [await Client.connect(address, lazy=True) for address in cluster.addresses]
            load = Load(clients, TASK_QUEUE, random.Random(self._chance.random()))
            faults = Faults(cluster, random.Random(self._chance.random()), self._say)
            load.start()
            await self._break(faults, load)
            self._say("nothing goes wrong any more")
            ended = await load.end(PATIENCE_S)
            await asyncio.to_thread(_settle, cluster.postgres.url)
            await asyncio.to_thread(cluster.drain)
            stored = await asyncio.to_thread(read_stored, cluster.postgres.url)
            load.journal.save(self._directory / "journal.json")
            self._summarize(load, faults, cluster, stored)
            found = [] if ended else [f"{each}: it does not end" for each in load.travelling]
            return found + violations(stored, load.journal) + await replay_failures(stored)

    async def _break(self, faults: Faults, load: Load) -> None:
        """Lets faults happen, each for as long as it takes, while the load goes on."""
        until, happening = time.monotonic() + self._seconds, set()
        next_word = time.monotonic() + PROGRESS_S
        for name in faults.draw():
            if not re.search(self._only, name):
                await asyncio.sleep(0)
                continue
            happening.add(asyncio.create_task(faults.happen(name)))
            moment = min(until, time.monotonic() + faults.chance.uniform(*BETWEEN_S))
            while time.monotonic() < moment:
                await asyncio.sleep(0.1)
                if time.monotonic() > next_word:
                    next_word += PROGRESS_S
                    self._progress(load)
            if time.monotonic() >= until:
                break
        await asyncio.gather(*happening)

    def _progress(self, load: Load) -> None:
        journal = load.journal
        calls, lost = journal.answers.total(), journal.unanswered.total()
        self._say(f"{len(journal.results)} workflows ended, {calls} calls answered, {lost} not")

    def _summarize(self, load: Load, faults: Faults, cluster: Cluster, stored: Stored) -> None:
        journal = load.journal
        events = sum(map(len, stored.histories.values()))
        self._say(f"{len(stored.states)} runs with {events} events")
        for name, count in sorted(journal.answers.items()):
            self._say(f"  {count:6} {name}")
        for name, count in sorted(journal.unanswered.items()):
            self._say(f"  {count:6} unanswered: {name}")
        for name, count in sorted(faults.counts.items()):
            self._say(f"  {count:6} x {name}")
        restarts = sum(process.restarts for process in cluster.processes)
        self._say(f"{restarts} processes started again; the longest silence was {load.calls.longest_silence:.1f} s")

    def _say(self, text: str) -> None:
        print(f"{time.monotonic() - self._begun:6.1f} s  {text}", flush=True)


def _settle(url: str) -> None:
    """Returns when nothing is left to do, or after a while."""
    until = time.monotonic() + PATIENCE_S
    tables = " + ".join(f"(SELECT count(*) FROM {table})" for table in ("dispatch_task", "timer_task", "transfer_task"))
    with psycopg.connect(url, autocommit=True) as client:
        while time.monotonic() < until:
            row = client.execute(f"SELECT {tables}").fetchone()
            if row == (0,):
                return
            time.sleep(0.2)
