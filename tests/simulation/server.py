"""A server process in the simulation: a real engine whose threads are callbacks of the loop, and that can die."""

import asyncio
import contextlib
import contextvars
import random
import time
from collections.abc import Callable, Coroutine, Iterator
from functools import partial
from types import MappingProxyType, SimpleNamespace
from typing import Any, TypeVar
from unittest import mock

from google.protobuf.message import Message

from orchestrator.conf import HugoSettings
from orchestrator.grpc.handlers import WORKFLOW_METHODS
from orchestrator.services import cluster_clock
from orchestrator.services.bootstrap import Cluster
from orchestrator.services.cluster_clock import ClusterClock
from orchestrator.services.engine import Engine, uuid7
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.shard_controller import Membership
from orchestrator.services.transfer_kinds import pay
from orchestrator.store import lane as lanes
from orchestrator.store import unit_of_work
from orchestrator.store.lane import Lane, Request
from tests.simulation.faults import Connection, FaultyStore, Weather
from tests.simulation.loop import SECOND, Process, VirtualLoop, running
from tests.simulation.members import MemoryClusterStore
from tests.support.hub import HubNotifier

T = TypeVar("T")
NAMESPACE = NamespaceEntry(
    "00000000-0000-0000-0000-00000000000d", "default", 1, 24 * 3600 * 10**9, MappingProxyType({})
)
SHARDS = 4
LEASE_S = 6.0
LONGEST_FREEZE_S = 2 * LEASE_S


def make_task(loop: asyncio.AbstractEventLoop, coroutine: Any, **options: Any) -> "asyncio.Task[Any]":
    """A task that its process knows of."""
    task: asyncio.Task[Any] = asyncio.Task(coroutine, loop=loop, **options)
    process = running.get()
    if process is not None:
        process.tasks.append(task)
    return task


class Died(ConnectionError):
    """The process that was to answer is gone."""


class SimulatedLane(Lane):
    """A lane whose thread is the loop: it commits what has queued, a little after it was told."""

    loop: VirtualLoop
    rng: random.Random
    weather: Weather

    def start(self) -> None:
        """There is no thread to start."""

    def join(self, timeout: float | None = None) -> None:
        """There is none to wait for."""

    def put(self, request: Request) -> None:
        """See Lane."""
        super().put(request)
        self.loop.call_later(self.rng.uniform(0, 0.004), self.step)
        process = running.get()
        if request.fence is not None and process is not None and self.rng.random() < self.weather.stall:
            self.loop.freeze(process, self.rng.uniform(0.5, LONGEST_FREEZE_S))

    def step(self) -> None:
        """Commits one batch, if there is one."""
        if not self._queue and not any(group.due <= self.loop.time() for group in self._held.values()):
            return
        groups = self._next()
        if groups:
            self._commit(list(groups))
        for group in self._held.values():
            self.loop.call_at(group.due, self.step)


class Server:
    """One process.

    Args:
        loop: of the simulation.
        rng: decides how long things take.
        connection: to the database.
        tables: the database.
        notifier: to the other processes.
    """

    def __init__(
        self, loop: VirtualLoop, rng: random.Random, connection: Connection, tables: Any, notifier: HubNotifier
    ) -> None:
        self.loop = loop
        self.notifier = notifier
        self.connection = connection
        self.process = Process()
        ahead = rng.randrange(1000 * SECOND)
        clock = ClusterClock(lambda: ahead + round(loop.time() * SECOND))
        self.engine = Engine(
            HugoSettings(scavenger_interval=0),
            Cluster("simulated", SHARDS),
            FaultyStore(tables, SHARDS, connection),
            token_key=b"a key of the simulation",
            clock=clock,
            new_uuid=lambda: uuid7(loop.clock(), rng.randbytes(10)),
            notifier=notifier,
            membership=Membership(
                MemoryClusterStore(tables, loop.clock, connection),
                clock,
                role="dev",
                version="simulated",
                owns_shards=True,
                lease=LEASE_S,
            ),
        )
        self.engine.transfers.pay = partial(pay, self.engine)
        self.engine.namespaces._entries["default"] = (float("inf"), NAMESPACE)
        self.engine.namespaces._names[NAMESPACE.id] = "default"

    @property
    def lane(self) -> SimulatedLane:
        """Its committing thread."""
        found = self.engine.unit_of_work._threads[0]
        assert isinstance(found, SimulatedLane)
        return found

    @property
    def awake(self) -> bool:
        """Whether anything of it can run."""
        return not self.connection.dead and not self.process.frozen

    async def start(self) -> None:
        """Starts the engine; every task it makes from now on dies with the server."""
        await self.run(self.engine.start())

    def run(self, coroutine: Coroutine[Any, Any, T]) -> "asyncio.Task[T]":
        """A task of this process, and so are the tasks it makes."""
        context = contextvars.copy_context()
        context.run(running.set, self.process)
        return self.loop.create_task(coroutine, context=context)

    async def call(self, method: str, request: Message, reply: type[T], seconds: float = 10.0) -> T:
        """An RPC, as a client of this process makes it.

        Raises:
            ServiceError: what the handler raised.
            Died: the process died before it answered.
        """
        if self.connection.dead:
            raise Died
        call: Any = SimpleNamespace(metadata={}, deadline=self.loop.time() + seconds, client_gone=_stays)
        task = self.run(WORKFLOW_METHODS[method].answer(self.engine, call, request))  # type: ignore[arg-type]
        try:
            answer: Any = await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled():
                raise Died from None
            task.cancel()
            raise
        return answer

    def freeze(self, seconds: float) -> None:
        """Lets nothing of the process run for a while; then it runs on as if no time had passed."""
        self.loop.freeze(self.process, seconds)

    def die(self) -> None:
        """Ends the process at once: what it has in memory is gone, and it reaches nobody any more."""
        self.connection.dead = True
        self.notifier.die()
        self.loop.thaw(self.process)
        for task in self.process.tasks:
            task.cancel()


async def _stays() -> bool:
    return False


@contextlib.contextmanager
def simulated(loop: VirtualLoop, rng: random.Random, weather: Weather) -> Iterator[None]:
    """Replaces threads, sleeps and chance in the code under simulation by those of the loop and the seed."""
    clock = SimpleNamespace(monotonic=loop.time, sleep=loop.sleep_now, time_ns=loop.clock, time=time.time)
    lane_type: Callable[..., Any] = type("SeededLane", (SimulatedLane,), {"loop": loop, "rng": rng, "weather": weather})
    loop.set_task_factory(make_task)
    state = random.getstate()
    random.seed(rng.random())
    with (
        mock.patch.object(lanes, "time", clock),
        mock.patch.object(cluster_clock, "time", clock),
        mock.patch.object(unit_of_work, "Lane", lane_type),
    ):
        try:
            yield
        finally:
            random.setstate(state)
