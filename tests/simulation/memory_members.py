"""Members and shards in memory: the port `ClusterStore` for clusters in virtual time."""

from collections.abc import Callable, Collection

from orchestrator.store.members import Identity, Member, Roll, ShardRow
from tests.simulation.memory import Tables


class MemoryClusterStore:
    """See ClusterStore.

    Args:
        tables: the database; the range ids of its shards are those that fences are checked against.
        clock: of the database, nanoseconds since the epoch.
        shards: how many there are.
    """

    def __init__(self, tables: Tables, clock: Callable[[], int], shards: int) -> None:
        self.members: dict[str, Member] = {}
        self.owners = dict.fromkeys(range(1, shards + 1), "")
        self._ranges = tables.ranges
        self._clock = clock

    def join(self, identity: Identity, lease: int) -> None:
        """See ClusterStore."""
        now = self._clock()
        self.release(identity.name, self.owners)
        self.members[identity.name] = Member(*identity, now, now + lease, frozenset())

    def renew(self, name: str, lease: int) -> bool:
        """See ClusterStore."""
        if name not in self._live():
            return False
        self.members[name] = self.members[name]._replace(lease_expires=self._clock() + lease)
        return True

    def roll(self) -> Roll:
        """See ClusterStore."""
        return Roll(self._clock(), sorted(self._live().values()))

    def shards(self) -> dict[int, ShardRow]:
        """See ClusterStore."""
        return {shard: ShardRow(owner, self._ranges.get(shard, 0)) for shard, owner in self.owners.items()}

    def claim(self, name: str, shards: Collection[int]) -> dict[int, int]:
        """See ClusterStore."""
        others = self._live().keys() - {name}
        taken = {shard: self._ranges.get(shard, 0) + 1 for shard in shards if self.owners[shard] not in others}
        self._ranges.update(taken)
        self.owners.update(dict.fromkeys(taken, name))
        return taken

    def release(self, name: str, shards: Collection[int]) -> None:
        """See ClusterStore."""
        self.owners.update({shard: "" for shard in shards if self.owners[shard] == name})

    def leave(self, name: str) -> None:
        """See ClusterStore."""
        self.release(name, self.owners)
        self.members.pop(name, None)

    def pin(self, shards: Collection[int], name: str) -> bool:
        """See ClusterStore."""
        if name and name not in self.members:
            return False
        for each, member in self.members.items():
            pinned = member.pinned | set(shards) if each == name else member.pinned - set(shards)
            self.members[each] = member._replace(pinned=frozenset(pinned))
        return True

    def _live(self) -> dict[str, Member]:
        return {name: member for name, member in self.members.items() if member.lease_expires > self._clock()}
