"""One simulated life of a cluster: a database, processes that die and are replaced, workers, clients, and a seed."""

import asyncio
import gc
import hashlib
import itertools
import random
from collections.abc import Coroutine, Iterable
from typing import Any

from orchestrator.errors import ServiceError
from tests.simulation.actors import ActivityWorker, Client, Ledger, WorkflowWorker
from tests.simulation.checker import Violation, check
from tests.simulation.contest import Rival
from tests.simulation.faults import Connection, Weather, deliverer
from tests.simulation.loop import Standstill, VirtualLoop
from tests.simulation.memory import Tables
from tests.simulation.plan import plan
from tests.simulation.server import LONGEST_FREEZE_S, Server, simulated
from tests.support.hub import Hub

SERVERS = 2
WORKFLOWS = 4
WORKERS = 3
STARTERS = 2
SIGNALS = 2
RIVALS = 3
MOVES = 4
STORM_S = 60.0
LONGEST_LIFE_S = 300.0
CALM_S = 120.0


class World:
    """What actors see of it.

    Args:
        seed: decides everything.
        weather: how often what goes wrong; by default the seed says.
    """

    def __init__(self, seed: int, weather: Weather | None = None) -> None:
        self.rng = random.Random(seed)
        self.weather = weather or Weather().times(self.rng.choice((0.5, 1, 3, 8)))
        self.loop = VirtualLoop(random.Random(self.rng.random()))
        self.tables = Tables()
        self.ledger = Ledger()
        self.servers: list[Server] = []
        self._names = itertools.count()
        self._overtaking = False
        self.actors: list[asyncio.Task[None]] = []
        self.hub = Hub(deliverer(self.loop, self._chance(), self.weather))
        self.deaths = 0
        self.freezes = 0

    def run(self) -> str:
        """Lives until every workflow has ended; returns a digest of all that was stored.

        Raises:
            Violation: a promise was broken.
        """
        asyncio.set_event_loop(self.loop)
        gc.disable()  # what it would end, and when, is not the seed's
        try:
            with simulated(self.loop, random.Random(self.rng.random()), self.weather):
                self.loop.run_until_complete(self._live())
        except Standstill as error:
            raise Violation(f"every run ends: {self._open()}, {error}") from None
        finally:
            self._end()
            gc.enable()
        check(self.tables, self.ledger)
        return self._digest()

    async def _live(self) -> None:
        for _ in range(SERVERS):
            await self._begin_server()
        self._task(self._reaper())
        self._task(self._clearing())
        for _ in range(WORKERS):
            self._task(WorkflowWorker(self, self._chance()).live())
            self._task(ActivityWorker(self, self._chance()).live())
        clients = []
        for number in range(WORKFLOWS):
            steps = plan(self._chance(), STARTERS * SIGNALS, STARTERS)
            for starter in range(STARTERS):
                client = Client(self, self._chance())
                clients.append(self._task(client.live(f"w{number}", f"s{starter}", steps, SIGNALS)))
        rivals = [Rival(self, self._chance(), f"rival-{number}") for number in range(RIVALS)]
        clients += [self._task(rival.live(MOVES)) for rival in rivals]
        try:
            async with asyncio.timeout(LONGEST_LIFE_S):
                await asyncio.gather(*clients)
                await rivals[0].close()
                while self._open():
                    await asyncio.sleep(1)
        except TimeoutError:
            raise Violation(f"every run ends: {self._open()}") from None
        self.weather.calm()
        async with asyncio.timeout(CALM_S):
            while self.tables.transfers or self.tables.wakes or self.tables.tasks:
                await asyncio.sleep(1)

    def _open(self) -> list[str]:
        return [
            f"{workflow.workflow_id} {key.run_id}"
            for key, workflow in self.tables.workflows.items()
            if self.tables.records[key].status == 1
        ]

    async def _begin_server(self) -> None:
        connection = Connection(self._chance(), self.weather)
        notifier = self.hub.notifier(f"server-{next(self._names)}")
        server = Server(self.loop, self._chance(), connection, self.tables, notifier)
        connection.overtake = lambda: self._overtake(server)
        try:
            await server.start()
        except ServiceError:
            server.die()
            await self._begin_server()
        else:
            self.servers.append(server)

    def _overtake(self, slow: Server) -> None:
        """Lets the others commit what they have, in the middle of what one is doing."""
        if self._overtaking:
            return
        self._overtaking = True
        for server in self.servers:
            if server is not slow and server.awake:
                server.lane.step()
        self._overtaking = False

    async def _reaper(self) -> None:
        """Kills processes and puts new ones in their places, or freezes them, some for longer than a lease lasts."""
        while True:
            await asyncio.sleep(1)
            for server in list(self.servers):
                if self.rng.random() < self.weather.death:
                    self.deaths += 1
                    server.die()
                    self.servers.remove(server)
                    await self._begin_server()
                elif server.awake and self.rng.random() < self.weather.freeze:
                    self.freezes += 1
                    server.freeze(self.rng.uniform(0.5, LONGEST_FREEZE_S))

    async def _clearing(self) -> None:
        """Storms pass; what they left must come to an end."""
        await asyncio.sleep(STORM_S)
        self.weather.calm()

    def _chance(self) -> random.Random:
        return random.Random(self.rng.random())

    def _task(self, coroutine: Coroutine[Any, Any, None]) -> "asyncio.Task[None]":
        task = self.loop.create_task(coroutine)
        self.actors.append(task)
        return task

    def _end(self) -> None:
        """Ends who calls before who is called, so that nobody takes the end for one more fault."""
        self.loop.begin_again()
        try:
            self._cancel(self.actors)
            for server in self.servers:
                server.die()
            self._cancel(asyncio.all_tasks(self.loop))
        finally:
            self.loop.close()
            asyncio.set_event_loop(None)

    def _cancel(self, tasks: Iterable["asyncio.Task[None]"]) -> None:
        ending = [task for task in tasks if not task.done()]
        for task in ending:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*ending, return_exceptions=True))

    def _digest(self) -> str:
        digest = hashlib.sha256()
        for key in sorted(self.tables.nodes):
            for node in self.tables.nodes[key]:
                digest.update(node.events)
        return digest.hexdigest()
