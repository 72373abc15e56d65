"""Members of a cluster share the shards, in virtual time: who joins gets a share, and who is gone loses his."""

import asyncio
from collections.abc import Callable, Coroutine, Iterator
from random import Random
from typing import Any

import pytest

from orchestrator.errors import Unavailable
from orchestrator.services import shard_controller
from orchestrator.services.cluster_clock import ClusterClock
from orchestrator.services.peers import Peers
from orchestrator.services.shard_controller import GRACE, Membership, ShardController
from orchestrator.store.fencing import current_fence
from orchestrator.store.notifier import Silence
from orchestrator.store.ports import Fence, LeaseLost
from tests.simulation.faults import Connection, Weather
from tests.simulation.loop import VirtualLoop
from tests.simulation.members import MemoryClusterStore
from tests.simulation.memory import Tables
from tests.support.hub import Hub

SHARDS = 64
LEASE = 7.0
REBALANCED = 10.0
"""Seconds, of virtual time, within which everything has an owner again."""


class Process:
    """A member.

    Attributes:
        away: whether it cannot reach the database.
        asked: how many statements it has sent.
        changes: what its callbacks were told.
    """

    def __init__(self, cluster: "Cluster", name: str, owns_shards: bool, connected: bool) -> None:
        self.name = name
        self.away = False
        self.asked: list[str] = []
        self.changes: list[tuple[frozenset[int], frozenset[int]]] = []
        self.clock = ClusterClock(lambda: round(cluster.loop.time() * 1e9))
        self.peers = Peers(cluster.hub.notifier(name) if connected else Silence(name))
        role = "worker" if owns_shards else "frontend"
        membership = Membership(cluster.store, self.clock, role, "0.1.0", owns_shards, LEASE)
        self.shards = ShardController(membership, self.peers, SHARDS)
        self.shards.on_change(lambda gained, lost: self.changes.append((gained, lost)))

    @property
    def owned(self) -> set[int]:
        return set(self.shards.owned)

    async def start(self) -> None:
        await self.shards.start(self.run_db)
        await self.peers.start()
        self.shards.announce()

    async def stop(self) -> None:
        await self.shards.stop()
        await self.peers.stop()

    def die(self) -> None:
        """Ends at once, and tells nobody."""
        for task in self.shards._loops._tasks:
            task.cancel()
        self.away = True

    async def run_db(self, function: Callable[..., Any], *args: Any) -> Any:
        self.asked.append(function.__name__)
        await asyncio.sleep(0.001)
        if self.away:
            raise Unavailable("the database does not answer")
        return function(*args)


class Cluster:
    """A database and its members."""

    def __init__(self, loop: VirtualLoop) -> None:
        self.loop = loop
        self.hub = Hub()
        self.tables = Tables()
        self.store = MemoryClusterStore(self.tables, loop.clock, Connection(Random(1), Weather().times(0)))
        self.processes: list[Process] = []

    async def begin(self, name: str, *, owns_shards: bool = True, connected: bool = False) -> Process:
        process = Process(self, name, owns_shards, connected)
        self.processes.append(process)
        await process.start()
        return process

    def balanced(self, *processes: Process) -> bool:
        """Whether these own everything, each his share, as the rows say."""
        sizes = [len(process.owned) for process in processes]
        rows = self.store.shards()
        agreed = all(
            rows[shard] == (process.name, range_id)
            for process in processes
            for shard, range_id in process.shards.owned.items()
        )
        return agreed and sum(sizes) == SHARDS and max(sizes) - min(sizes) <= 1

    async def until(self, condition: Callable[[], bool], seconds: float = REBALANCED) -> float:
        """The seconds it took; fails when it takes longer than it may."""
        begun = self.loop.time()
        async with asyncio.timeout(seconds):
            while not condition():
                await asyncio.sleep(0.01)
        return self.loop.time() - begun


Run = Callable[[Callable[[Cluster], Coroutine[Any, Any, None]]], None]


@pytest.fixture
def run() -> Iterator[Run]:
    """Runs a test in virtual time."""
    loop = VirtualLoop(Random(1))

    def run(test: Callable[[Cluster], Coroutine[Any, Any, None]]) -> None:
        asyncio.set_event_loop(loop)
        cluster = Cluster(loop)

        async def live() -> None:
            await test(cluster)
            for process in cluster.processes:
                if not process.away:
                    await process.stop()

        loop.run_until_complete(live())

    yield run
    for task in asyncio.all_tasks(loop):
        task.cancel()
    loop.run_until_complete(asyncio.sleep(0))
    loop.close()
    asyncio.set_event_loop(None)


def test_who_is_alone_owns_everything_once_it_has_started(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        alone = await cluster.begin("a")
        assert cluster.balanced(alone)
        assert alone.shards.portion is None
        assert alone.changes == [(frozenset(range(1, SHARDS + 1)), frozenset())]
        assert [member.name for member in alone.shards.members] == ["a"]

    run(test)


@pytest.mark.parametrize("connected", [True, False])
def test_who_joins_gets_a_share_and_nobody_owns_what_another_does(run: Run, connected: bool) -> None:
    async def test(cluster: Cluster) -> None:
        first = await cluster.begin("a", connected=connected)
        for name in ("b", "c"):
            await cluster.begin(name, connected=connected)
            took = await cluster.until(lambda: cluster.balanced(*cluster.processes), 1 if connected else REBALANCED)
            assert took < (1 if connected else REBALANCED)
        assert first.shards.portion == sorted(first.shards.owned)
        assert any(lost for _, lost in first.changes)

    run(test)


@pytest.mark.parametrize("connected", [True, False])
def test_the_shards_of_who_leaves_are_taken_over(run: Run, connected: bool) -> None:
    async def test(cluster: Cluster) -> None:
        a, b, c = [await cluster.begin(name, connected=connected) for name in "abc"]
        await cluster.until(lambda: cluster.balanced(a, b, c))
        await b.stop()
        cluster.processes.remove(b)
        assert b.owned == set()
        await cluster.until(lambda: cluster.balanced(a, c), 0.5 if connected else REBALANCED)
        assert b.name not in cluster.tables.members

    run(test)


def test_the_shards_of_who_dies_are_taken_over_when_its_lease_is_over(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        a, b, c = [await cluster.begin(name, connected=True) for name in "abc"]
        await cluster.until(lambda: cluster.balanced(a, b, c))
        b.die()
        took = await cluster.until(lambda: cluster.balanced(a, c))
        assert took > LEASE / 2

    run(test)


def test_who_cannot_renew_its_lease_stops_before_others_begin(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        a, b = [await cluster.begin(name) for name in "ab"]
        await cluster.until(lambda: cluster.balanced(a, b))
        share = b.owned
        b.away = True
        while b.owned:
            assert not a.owned & share
            await asyncio.sleep(0.01)
        for shard in share:
            with pytest.raises(LeaseLost), b.shards.holding(shard):
                pass
        await cluster.until(lambda: len(a.owned) == SHARDS)
        b.away = False
        await cluster.until(lambda: cluster.balanced(a, b))
        assert b.changes[-1][0] == b.owned

    run(test)


def test_who_was_frozen_beyond_its_lease_works_on_nothing_when_it_wakes(run: Run) -> None:
    """Nothing of it runs meanwhile, not even what would tell it that its lease is over."""

    async def test(cluster: Cluster) -> None:
        a = await cluster.begin("a")
        assert a.shards._expiry is not None
        a.shards._expiry.cancel()
        await a.shards._loops.stop()
        await asyncio.sleep(LEASE)
        assert len(a.owned) == SHARDS
        with pytest.raises(LeaseLost), a.shards.holding(1):
            pass
        a.shards._loops.go("hugo-shards", a.shards._keep)
        b = await cluster.begin("b")
        await cluster.until(lambda: cluster.balanced(a, b))

    run(test)


def test_a_shard_is_given_back_after_the_work_on_it(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        a = await cluster.begin("a", connected=True)
        done: list[float] = []

        async def work(shard: int) -> None:
            with a.shards.holding(shard):
                await asyncio.sleep(GRACE / 2)
                assert cluster.tables.owners[shard] == "a"
            done.append(cluster.loop.time())

        working = [asyncio.create_task(work(shard)) for shard in a.owned]
        await asyncio.sleep(0)
        b = await cluster.begin("b", connected=True)
        await cluster.until(lambda: cluster.balanced(a, b), GRACE)
        await asyncio.gather(*working)
        assert len(done) == SHARDS

    run(test)


def test_work_that_does_not_end_does_not_hold_up_the_others_for_ever(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        a = await cluster.begin("a", connected=True)

        async def work(shard: int) -> None:
            with a.shards.holding(shard):
                await asyncio.Event().wait()

        working = [asyncio.create_task(work(shard)) for shard in a.owned]
        await asyncio.sleep(0)
        b = await cluster.begin("b", connected=True)
        await cluster.until(lambda: cluster.balanced(a, b), GRACE + 1)
        for task in working:
            task.cancel()

    run(test)


def test_work_on_a_shard_is_fenced_by_its_lease_and_by_nothing_else(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        a = await cluster.begin("a")
        cluster.store.claim("a", [5])
        with a.shards.holding(5):
            assert current_fence() == Fence(5, 1)
        assert current_fence() is None
        with pytest.raises(LeaseLost), a.shards.holding(SHARDS + 1):
            pass

    run(test)


def test_a_lease_that_turns_out_to_be_lost_is_given_up_and_taken_again(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        a = await cluster.begin("a")
        cluster.store.claim("a", [5])
        with pytest.raises(LeaseLost), a.shards.holding(5):
            raise LeaseLost([Fence(5, 1)])
        assert 5 not in a.owned
        await cluster.until(lambda: cluster.balanced(a), 1)
        assert a.shards.owned[5] == 3

    run(test)


def test_news_of_an_earlier_lease_does_not_end_the_present_one(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        a = await cluster.begin("a")
        with pytest.raises(LeaseLost), a.shards.holding(5):
            raise LeaseLost([Fence(5, 0)])
        assert cluster.balanced(a)

    run(test)


def test_an_operator_moves_a_shard_and_back(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        a, b = [await cluster.begin(name) for name in "ab"]
        await cluster.until(lambda: cluster.balanced(a, b))
        before = b.owned
        moved = max(before)
        cluster.store.pin([moved], "a")
        await cluster.until(lambda: moved in a.owned)
        assert a.shards.owner(moved) == "a"
        cluster.store.pin([moved], "")
        await cluster.until(lambda: b.owned == before)

    run(test)


def test_a_shard_that_was_moved_to_who_died_is_owned_by_another(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        a, b = [await cluster.begin(name) for name in "ab"]
        await cluster.until(lambda: cluster.balanced(a, b))
        cluster.store.pin([1, 2, 3], "b")
        await cluster.until(lambda: b.owned >= {1, 2, 3})
        b.die()
        await cluster.until(lambda: cluster.balanced(a))

    run(test)


def test_a_frontend_owns_nothing_and_knows_who_does(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        frontend = await cluster.begin("f", owns_shards=False)
        assert frontend.shards.owner(1) == ""
        a, b = [await cluster.begin(name) for name in "ab"]
        await cluster.until(lambda: cluster.balanced(a, b))
        await cluster.until(lambda: len(frontend.shards.members) == 3)
        assert frontend.owned == set()
        assert frontend.shards.portion == []
        for shard in range(1, SHARDS + 1):
            assert frontend.shards.owner(shard) == cluster.tables.owners[shard]

    run(test)


def test_an_idle_member_asks_the_database_less_than_two_times_in_three_seconds(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        a, b, f = [await cluster.begin(name, owns_shards=name != "f") for name in "abf"]
        await cluster.until(lambda: cluster.balanced(a, b))
        await asyncio.sleep(10)
        for process in (a, b, f):
            process.asked.clear()
        await asyncio.sleep(300)
        for process in (a, b, f):
            assert set(process.asked) == {"renew", "roll"}
            assert len(process.asked) < 300 * 2 / 3

    run(test)


def test_the_clock_of_every_member_is_that_of_the_database(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    async def test(cluster: Cluster) -> None:
        a, b = [await cluster.begin(name) for name in "ab"]
        monkeypatch.setattr(cluster.store, "_clock", lambda: cluster.loop.clock() + 10**9)
        await asyncio.sleep(shard_controller.LOOK + 1)
        for process in (a, b):
            assert abs(process.clock() - cluster.loop.clock() - 10**9) < 10**7

    run(test)


def test_who_leaves_at_the_moment_another_comes_leaves(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        for number in range(10):
            leaving = await cluster.begin(f"a{number}", connected=True)
            coming = await cluster.begin(f"b{number}", connected=True)
            for _ in range(number):
                await asyncio.sleep(0)
            await leaving.stop()
            await coming.stop()
            cluster.processes.clear()

    run(test)


def test_news_that_come_while_a_member_looks_are_looked_at_again(run: Run) -> None:
    async def test(cluster: Cluster) -> None:
        a = await cluster.begin("a")
        await asyncio.sleep(0.01)
        a.asked.clear()
        a.shards.look()
        await asyncio.sleep(0.0005)
        assert a.asked == ["roll"]
        a.shards.look()
        await asyncio.sleep(0.01)
        assert a.asked == ["roll", "roll"]

    run(test)
