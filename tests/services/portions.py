"""Processes in virtual time that own fixed shards, and reach each other, for tests of what works on shards."""

import asyncio
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from orchestrator.services.peers import Peers
from orchestrator.services.shard_hints import ShardHints
from orchestrator.services.shards import Changed, RunDb
from orchestrator.store.members import Member
from orchestrator.store.ports import Fence, LeaseLost
from tests.support.hub import Hub


class Portion:
    """See Shards.

    Args:
        owners: who owns each shard; changed by `change`.
        name: of this process.
    """

    def __init__(self, owners: dict[int, str], name: str) -> None:
        self.members: list[Member] = []
        self.lost: set[int] = set()
        self._owners = owners
        self._name = name
        self._callbacks: list[Changed] = []

    @property
    def owned(self) -> Mapping[int, int]:
        return {shard: 1 for shard, owner in self._owners.items() if owner == self._name}

    @property
    def portion(self) -> list[int] | None:
        owned = self.owned
        return None if len(owned) == len(self._owners) else sorted(owned)

    def owner(self, shard: int) -> str:
        return self._owners[shard]

    @contextmanager
    def holding(self, shard: int) -> Iterator[None]:
        if shard not in self.owned or shard in self.lost:
            raise LeaseLost([Fence(shard, 1)])
        yield

    def on_change(self, callback: Changed) -> None:
        self._callbacks.append(callback)

    async def start(self, run_db: RunDb) -> None:
        """Owns what it owns."""

    def announce(self) -> None:
        """Everybody knows."""

    async def stop(self) -> None:
        """Goes on owning it."""

    def change(self, shard: int, owner: str) -> None:
        """Gives a shard to another, and tells."""
        gained = frozenset({shard} if owner == self._name else ())
        self._owners[shard] = owner
        for callback in self._callbacks:
            callback(gained, frozenset({shard}) - gained)


async def reachable(hub: Hub, name: str, shards: Portion) -> ShardHints:
    """The hints of a process that the others of a hub reach."""
    peers = Peers(hub.notifier(name))
    hints = ShardHints(shards, peers)
    await peers.start()
    hints.start(asyncio.get_running_loop())
    return hints
