"""What a simulated process reaches the others and the database by: each may fail, and the process may be dead."""

import asyncio
import dataclasses
import random
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager

from orchestrator.store.ports import Changes, Node, RunKey, Session, Stored, WorkflowKey
from tests.simulation.memory import MemorySession, MemoryStore, Tables
from tests.support.hub import Deliver


class Lost(ConnectionError):
    """The database did not answer."""


@dataclasses.dataclass
class Weather:
    """How often what goes wrong, as probabilities.

    Attributes:
        before: a commit is lost before the database has it.
        after: the answer to a commit is lost.
        reading: a reading is not answered.
        overtaken: another process commits between two readings of a batch, or between them and its commit.
        reply: the reply of a call is lost.
        request: a call is made twice.
        hint_lost: a message between processes is lost.
        hint_doubled: it comes twice.
        hint_late: it comes late, and messages sent after it come before it.
        freeze: a process is frozen for a while, for each second it lives.
        stall: one is, when it is about to commit something under the lease of a shard.
        death: a process dies, for each second it lives.
    """

    before: float = 0.02
    after: float = 0.02
    reading: float = 0.01
    overtaken: float = 0.05
    reply: float = 0.03
    request: float = 0.03
    hint_lost: float = 0.05
    hint_doubled: float = 0.05
    hint_late: float = 0.1
    freeze: float = 0.01
    stall: float = 0.005
    death: float = 0.02

    def times(self, factor: float) -> "Weather":
        """The same kind of weather, worse or better."""
        return Weather(*(probability * factor for probability in dataclasses.astuple(self)))

    def calm(self) -> None:
        """From now on nothing goes wrong."""
        for field in dataclasses.fields(self):
            setattr(self, field.name, 0.0)


def deliverer(loop: asyncio.AbstractEventLoop, rng: random.Random, weather: Weather) -> Deliver:
    """What carries messages between processes: late, twice or not at all."""

    def deliver(delivery: Callable[[], None]) -> None:
        if rng.random() < weather.hint_lost:
            return
        for _ in range(2 if rng.random() < weather.hint_doubled else 1):
            late = rng.random() < weather.hint_late
            loop.call_later(rng.uniform(0, 3.0 if late else 0.002), delivery)

    return deliver


@dataclasses.dataclass
class Connection:
    """What the store of a process shares with the process.

    Attributes:
        rng: decides what fails.
        weather: how often.
        overtake: lets another process commit.
        dead: nothing reaches the database any more.
    """

    rng: random.Random
    weather: Weather
    overtake: Callable[[], None] = dataclasses.field(default=lambda: None)
    dead: bool = False

    def cross(self, probability: float) -> None:
        """Raises Lost with a probability, and for ever once the process is dead."""
        if self.dead or self.rng.random() < probability:
            raise Lost


class FaultySession(MemorySession):
    """A transaction over a connection that may fail."""

    def __init__(self, tables: Tables, connection: Connection) -> None:
        super().__init__(tables)
        self._connection = connection

    def lock_current(self, keys: Iterable[WorkflowKey]) -> dict[WorkflowKey, str]:
        """See Session."""
        self._connection.cross(self._connection.weather.reading)
        return super().lock_current(keys)

    def lock_runs(self, keys: dict[RunKey, int], with_history: Collection[RunKey] = ()) -> dict[RunKey, Stored]:
        """See Session."""
        self._be_overtaken()
        self._connection.cross(self._connection.weather.reading)
        return super().lock_runs(keys, with_history)

    def write(self, changes: Changes) -> None:
        """See Session."""
        connection = self._connection
        self._be_overtaken()
        connection.cross(connection.weather.before)
        super().write(changes)
        for fence in changes.fences:
            if self._tables.ranges.get(fence.shard_id) != fence.range_id:
                self._tables.trespasses.append(fence)
        connection.cross(connection.weather.after)

    def _be_overtaken(self) -> None:
        if self._connection.rng.random() < self._connection.weather.overtaken:
            self._connection.overtake()


class FaultyStore(MemoryStore):
    """The port over a connection that may fail."""

    def __init__(self, tables: Tables, shard_count: int, connection: Connection) -> None:
        super().__init__(tables, shard_count)
        self._connection = connection

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See Store."""
        self._connection.cross(0)
        yield FaultySession(self.tables, self._connection)

    def was_applied(self, changes: Changes) -> bool | None:
        """See Store."""
        self._connection.cross(self._connection.weather.reading)
        return super().was_applied(changes)

    def read_nodes(self, key: RunKey, first: int, last: int, limit: int = 0, size: int = 0) -> list[Node]:
        """See Store."""
        self._connection.cross(self._connection.weather.reading)
        return super().read_nodes(key, first, last, limit, size)
