"""What a process of an idle cluster asks the database, counted in virtual time: at most one statement a second."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterator
from random import Random
from typing import Any, TypeVar

import pytest

from orchestrator.conf import HugoSettings
from orchestrator.services.bootstrap import Cluster
from orchestrator.services.cluster_clock import ClusterClock
from orchestrator.services.engine import Engine, uuid7
from orchestrator.services.shard_controller import Membership
from tests.simulation.faults import Connection, Weather
from tests.simulation.loop import VirtualLoop
from tests.simulation.members import MemoryClusterStore
from tests.simulation.memory import MemoryStore, Tables
from tests.support.hub import Hub

T = TypeVar("T")
SHARDS = 8
MINUTES = 10
SETTLED_S = 30.0


class CountingEngine(Engine):
    """An engine that counts what it asks the database; each of these is one statement."""

    asked: Counter[str]

    async def run_db(self, function: Callable[..., T], *args: Any) -> T:
        self.asked[getattr(function, "__name__", repr(function))] += 1
        return await super().run_db(function, *args)


@pytest.fixture
def loop() -> Iterator[VirtualLoop]:
    made = VirtualLoop(Random(1))
    asyncio.set_event_loop(made)
    yield made
    made.close()
    asyncio.set_event_loop(None)


@pytest.mark.parametrize("members", [1, 4])
@pytest.mark.parametrize("role", ["dev", "frontend"])
def test_an_idle_process_asks_at_most_once_a_second(loop: VirtualLoop, role: str, members: int) -> None:
    tables, hub = Tables(), Hub()
    store = MemoryClusterStore(tables, loop.clock, Connection(Random(1), Weather().times(0)))

    def engine(name: str) -> CountingEngine:
        clock = ClusterClock(lambda: round(loop.time() * 1e9))
        settings = HugoSettings()
        made = CountingEngine(
            settings,
            Cluster("idle", SHARDS),
            MemoryStore(tables, SHARDS),
            token_key=b"a key of tests",
            clock=clock,
            new_uuid=lambda: uuid7(loop.clock(), bytes(10)),
            notifier=hub.notifier(name),
            membership=Membership(store, clock, role, "0.1.0", role != "frontend", settings.shard_lease),
        )
        made.asked = Counter()
        return made

    async def live() -> list[Counter[str]]:
        engines = [engine(f"{role}-{number}") for number in range(members)]
        for each in engines:
            await each.start()
        await asyncio.sleep(SETTLED_S)
        for each in engines:
            each.asked.clear()
        await asyncio.sleep(60 * MINUTES)
        found = [Counter(each.asked) for each in engines]
        for each in engines:
            each.drain()
            await each.stop()
        return found

    for asked in loop.run_until_complete(live()):
        assert asked["renew"] > 0
        assert sum(asked.values()) <= 60 * MINUTES, asked
