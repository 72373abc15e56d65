"""Timers of owned shards, in virtual time: on time whoever set them, never early, and cheap while nothing is due."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from random import Random
from typing import Any

import pytest

from orchestrator.core.wire import SECOND
from orchestrator.errors import Unavailable
from orchestrator.services import timers
from orchestrator.services.dead_letters import DeadLetters
from orchestrator.services.shard_hints import TIMER, ShardHints
from orchestrator.services.timers import LOOK, Timers
from orchestrator.store.ports import LeaseLost, RunKey, Wake, WorkflowKey
from tests.services.portions import Portion, reachable
from tests.simulation.loop import VirtualLoop
from tests.simulation.memory import MemoryStore, Tables
from tests.store.rows import run_key, wake
from tests.support.hub import Hub

SHARDS = 4
ON_TIME = round(0.1 * SECOND)


class Process:
    """A process that owns some shards.

    Attributes:
        fired: how late each wake-up was fired, in nanoseconds, by its run.
        asked: how often the database was asked.
        failures: what the next wake-ups fail with.
    """

    def __init__(self, site: "Site", name: str, hints: ShardHints, shards: Portion) -> None:
        self.name = name
        self.site = site
        self.shards = shards
        self.fired: dict[str, int] = {}
        self.asked = 0
        self.failures: list[Exception] = []
        store: Any = MemoryStore(site.tables, SHARDS)
        failed = DeadLetters(store, site.loop.clock, limit=10)
        failed.start(self.run_db)
        uow: Any = self
        self.timers = Timers(store, uow, site.loop.clock, shards, lambda some: hints.wake(TIMER, some), failed)
        hints.on(TIMER, lambda some: self.timers.look())
        self.timers.start(site.loop, self.run_db)

    def enqueue(self, key: WorkflowKey, operation: Any, run_id: str) -> asyncio.Future[None]:
        """Stands in for the unit of work: fires the wake-up of a run."""
        future: asyncio.Future[None] = self.site.loop.create_future()
        if self.failures:
            future.set_exception(self.failures.pop(0))
        else:
            found = self.site.tables.wakes.pop(RunKey(key.shard_id, run_id))
            self.fired[run_id] = self.site.loop.clock() - found.fire_time
            future.set_result(None)
        return future

    def set(self, shard: int, seconds: float) -> Wake:
        """Commits a wake-up in some seconds."""
        new = wake(run_key(shard), self.site.loop.clock() + round(seconds * SECOND))
        self.site.tables.wakes[RunKey(shard, new.run_id)] = new
        self.timers.expect([new])
        return new

    async def run_db(self, function: Callable[..., Any], *args: Any) -> Any:
        self.asked += 1
        return function(*args)


class Site:
    """Process `a` owns the shards 1 and 2, process `b` 3 and 4.

    Attributes:
        delivers: whether messages arrive.
        messages: how many were sent.
    """

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.tables = Tables()
        self.owners = {1: "a", 2: "a", 3: "b", 4: "b"}
        self.delivers = True
        self.messages = 0
        self._hub = Hub(self._deliver)

    async def begin(self, name: str) -> Process:
        shards = Portion(self.owners, name)
        return Process(self, name, await reachable(self._hub, name, shards), shards)

    def _deliver(self, delivery: Callable[[], None]) -> None:
        self.messages += 1
        if self.delivers:
            self.loop.call_soon(delivery)


Test = Callable[[Site, Process, Process], Coroutine[Any, Any, None]]


@pytest.fixture
def run() -> Iterator[Callable[[Test], None]]:
    """Runs a test in virtual time."""
    loop = VirtualLoop(Random(1))

    def run(test: Test) -> None:
        asyncio.set_event_loop(loop)
        site = Site(loop)

        async def live() -> None:
            a, b = await site.begin("a"), await site.begin("b")
            await asyncio.sleep(0.01)
            await test(site, a, b)
            await a.timers.stop()
            await b.timers.stop()

        loop.run_until_complete(live())

    yield run
    loop.run_until_complete(asyncio.sleep(1))
    loop.close()
    asyncio.set_event_loop(None)


Run = Callable[[Test], None]


@pytest.mark.parametrize("by", ["its owner", "another"])
def test_timers_fire_on_time_whoever_set_them(run: Run, by: str) -> None:
    async def test(site: Site, a: Process, b: Process) -> None:
        rng = Random(7)
        for _ in range(200):
            (b if by == "its owner" else a).set(rng.choice((3, 4)), rng.uniform(0, 20))
            await asyncio.sleep(rng.uniform(0, 0.5))
        await asyncio.sleep(21)
        assert not a.fired
        assert len(b.fired) == 200
        assert all(0 <= late < ON_TIME for late in b.fired.values())

    run(test)


def test_without_messages_a_timer_is_late_by_one_look_at_most(run: Run) -> None:
    async def test(site: Site, a: Process, b: Process) -> None:
        site.delivers = False
        rng = Random(7)
        for _ in range(100):
            a.set(3, rng.uniform(0, 20))
            await asyncio.sleep(rng.uniform(0, 1))
        await asyncio.sleep(21 + LOOK)
        assert len(b.fired) == 100
        assert all(0 <= late < LOOK * SECOND + ON_TIME for late in b.fired.values())

    run(test)


def test_nobody_is_told_of_timers_that_the_owner_will_see_by_itself(run: Run) -> None:
    async def test(site: Site, a: Process, b: Process) -> None:
        site.delivers = False
        rng = Random(7)
        for _ in range(100):
            a.set(3, LOOK + rng.uniform(0.01, 9))
            await asyncio.sleep(rng.uniform(0, 0.1))
        await asyncio.sleep(20)
        assert site.messages == 0
        assert len(b.fired) == 100
        assert all(0 <= late < ON_TIME for late in b.fired.values())

    run(test)


def test_a_burst_costs_few_messages(run: Run) -> None:
    async def test(site: Site, a: Process, b: Process) -> None:
        for _ in range(500):
            a.set(3, 0.2)
        await asyncio.sleep(0.5)
        assert len(b.fired) == 500
        assert site.messages == 2

    run(test)


def test_the_next_owner_fires_what_is_overdue_at_once(run: Run) -> None:
    async def test(site: Site, a: Process, b: Process) -> None:
        b.shards.lost.add(3)
        late = a.set(3, 1)
        await asyncio.sleep(3.5)
        assert not b.fired
        a.shards.change(3, "a")
        await asyncio.sleep(0.01)
        assert list(a.fired) == [late.run_id]

    run(test)


def test_a_lost_lease_stops_no_timers_of_other_shards(run: Run) -> None:
    async def test(site: Site, a: Process, b: Process) -> None:
        b.failures.append(LeaseLost([]))
        lost = b.set(3, 1)
        fired = [b.set(4, 1).run_id, b.set(4, 1.5).run_id]
        await asyncio.sleep(1.2)
        assert list(b.fired) == fired[:1]
        await asyncio.sleep(LOOK)
        assert set(b.fired) == {lost.run_id, *fired}

    run(test)


def test_a_timer_that_fails_is_fired_again_soon(run: Run) -> None:
    async def test(site: Site, a: Process, b: Process) -> None:
        b.failures += [Unavailable("no"), Unavailable("no")]
        b.set(3, 1)
        await asyncio.sleep(1 + 3 * timers.RETRY)
        assert len(b.fired) == 1

    run(test)


def test_a_timer_that_fails_stops_no_others_of_its_shard(run: Run) -> None:
    async def test(site: Site, a: Process, b: Process) -> None:
        b.failures.append(Unavailable("no"))
        failing, *others = [b.set(3, 1).run_id for _ in range(3)]
        await asyncio.sleep(1.01)
        assert sorted(b.fired) == sorted(others)
        assert b.timers.fired == 2
        await asyncio.sleep(2 * timers.RETRY)
        assert failing in b.fired

    run(test)


def test_more_than_a_page_is_due_at_once(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(timers, "PAGE", 10)

    async def test(site: Site, a: Process, b: Process) -> None:
        for _ in range(95):
            b.set(3, 1)
        await asyncio.sleep(1.1)
        assert len(b.fired) == 95
        assert b.asked < 20

    run(test)


def test_who_owns_nothing_asks_nothing_and_the_others_seldom(run: Run) -> None:
    async def test(site: Site, a: Process, b: Process) -> None:
        site.owners.update({1: "b", 2: "b"})
        a.asked = b.asked = 0
        await asyncio.sleep(100)
        assert a.asked == 0
        assert b.asked <= 100 / LOOK + 1

    run(test)


def test_they_stop_although_something_is_set_at_that_very_moment(run: Run) -> None:
    async def test(site: Site, a: Process, b: Process) -> None:
        for delay in range(10):
            b.set(3, 0)
            for _ in range(delay):
                await asyncio.sleep(0)
            await b.timers.stop()
            b.timers.start(site.loop, b.run_db)
            await asyncio.sleep(0.01)

    run(test)
