"""The rows of members and shards in memory, by the clock of the simulated database, over a connection that may fail."""

from collections.abc import Callable, Collection

from orchestrator.store.members import Identity, Member, Roll, ShardRow
from tests.simulation.faults import Connection
from tests.simulation.memory import Tables


class MemoryClusterStore:
    """See `orchestrator.store.members.ClusterStore`.

    Args:
        tables: the database.
        clock: of the database, nanoseconds since the epoch.
        connection: to it.
    """

    def __init__(self, tables: Tables, clock: Callable[[], int], connection: Connection) -> None:
        self._tables = tables
        self._clock = clock
        self._connection = connection

    def join(self, identity: Identity, lease: int) -> None:
        """See ClusterStore."""
        self._connection.cross(self._connection.weather.before)
        self._free(identity.name, list(self._tables.owners))
        now = self._clock()
        self._tables.members[identity.name] = Member(
            *identity, started=now, lease_expires=now + lease, pinned=frozenset()
        )
        self._connection.cross(self._connection.weather.after)

    def renew(self, name: str, lease: int) -> bool:
        """See ClusterStore."""
        self._connection.cross(self._connection.weather.before)
        if name not in self._live():
            return False
        member = self._tables.members[name]
        self._tables.members[name] = member._replace(lease_expires=self._clock() + lease)
        self._connection.cross(self._connection.weather.after)
        return True

    def roll(self) -> Roll:
        """See ClusterStore."""
        self._connection.cross(self._connection.weather.reading)
        return Roll(self._clock(), [self._tables.members[name] for name in sorted(self._live())])

    def shards(self) -> dict[int, ShardRow]:
        """See ClusterStore."""
        self._connection.cross(self._connection.weather.reading)
        tables = self._tables
        return {shard: ShardRow(tables.owners.get(shard, ""), number) for shard, number in tables.ranges.items()}

    def claim(self, name: str, shards: Collection[int]) -> dict[int, int]:
        """See ClusterStore."""
        self._connection.cross(self._connection.weather.before)
        tables, others = self._tables, self._live() - {name}
        free = [shard for shard in sorted(shards) if tables.owners.get(shard, "") not in others]
        for shard in free:
            tables.owners[shard] = name
            tables.ranges[shard] = tables.ranges.get(shard, 0) + 1
        self._connection.cross(self._connection.weather.after)
        return {shard: tables.ranges[shard] for shard in free}

    def release(self, name: str, shards: Collection[int]) -> None:
        """See ClusterStore."""
        self._connection.cross(self._connection.weather.before)
        self._free(name, shards)
        self._connection.cross(self._connection.weather.after)

    def leave(self, name: str) -> None:
        """See ClusterStore."""
        self.release(name, list(self._tables.owners))
        self._tables.members.pop(name, None)

    def pin(self, shards: Collection[int], name: str) -> bool:
        """See ClusterStore."""
        self._connection.cross(self._connection.weather.before)
        members = self._tables.members
        if name and name not in members:
            return False
        for member in members.values():
            rest = member.pinned - set(shards)
            members[member.name] = member._replace(pinned=rest | set(shards) if member.name == name else rest)
        return True

    def _free(self, name: str, shards: Collection[int]) -> None:
        for shard in shards:
            if self._tables.owners.get(shard) == name:
                self._tables.owners[shard] = ""

    def _live(self) -> set[str]:
        now = self._clock()
        return {name for name, member in self._tables.members.items() if member.lease_expires > now}
