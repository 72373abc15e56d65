"""Hints that name no shard mean all: the ticks of beat reach one process, and have every owner of shards look."""

import asyncio

from orchestrator.services.peers import Peers
from orchestrator.services.shard_hints import TIMER, ShardHints
from orchestrator.services.shards import SoleOwner
from tests.support.hub import Hub


class Process:
    """A process with shards of its own, and the looks it was asked for."""

    def __init__(self, hub: Hub, name: str, shards: int) -> None:
        self.peers = Peers(hub.notifier(name))
        self.hints = ShardHints(SoleOwner(shards), self.peers)
        self.looks: list[list[int]] = []
        self.hints.on(TIMER, lambda asked: self.looks.append(sorted(asked)))

    async def start(self) -> "Process":
        await self.peers.start()
        self.hints.start(asyncio.get_running_loop())
        return self


async def test_hint_that_names_no_shard_reaches_all_processes_once() -> None:
    hub = Hub()
    one, two, three = [await Process(hub, name, shards).start() for name, shards in (("a", 1), ("b", 2), ("c", 3))]
    one.hints.hinted(TIMER, ())
    async with asyncio.timeout(30):
        while not (one.looks and two.looks and three.looks):
            await asyncio.sleep(0)
    for _ in range(20):
        await asyncio.sleep(0)
    assert (one.looks, two.looks, three.looks) == ([[1]], [[1, 2]], [[1, 2, 3]])


async def test_hints_end_with_their_process() -> None:
    process = await Process(Hub(), "a", 1).start()
    process.hints.wake(TIMER, [1])
    process.hints.stop()
    process.hints.hinted(TIMER, ())
    process.hints.wake(TIMER, [1])
    for _ in range(20):
        await asyncio.sleep(0)
    assert process.looks == []
