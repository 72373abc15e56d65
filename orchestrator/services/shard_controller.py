"""Keeps this process a member of the cluster, and takes and gives back shards so that each member has its share.

A heartbeat renews the one lease of the member, and with it those of all its shards. Members read who is there at the
moment at which the first lease they know of would run out, so that who dies is noticed at once and who lives is seldom
looked at; a change that somebody makes of his own will is announced to the others. From who is there each comes to the
same answer who should own what (`shard_assignment`): an owner gives back what should be another's, who then takes it.

A process that cannot renew its lease stops work on its shards before anybody else may take them. One that was frozen
and does not know it is stopped by the fence of its writes (`orchestrator.store.fencing`).
"""

import asyncio
import logging
import os
import socket
from collections import Counter
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass

from orchestrator.core.wire import SECOND
from orchestrator.services.bootstrap import FIRST_SHARD
from orchestrator.services.cluster_clock import ClusterClock
from orchestrator.services.loops import Loops
from orchestrator.services.peers import Message, Peers
from orchestrator.services.shard_assignment import assign
from orchestrator.services.shards import Changed, RunDb
from orchestrator.store.fencing import fenced
from orchestrator.store.members import ClusterStore, Identity, Member
from orchestrator.store.ports import Fence, LeaseLost

logger = logging.getLogger(__name__)

BEATS = 3
"""How often a lease is renewed before it would run out."""
LOOK = 5.0
"""Seconds, at most, between two looks at who is there."""
SETTLING = 0.5
"""Seconds until shards are asked for again that their owners have not given back, and until what failed is repeated."""
GRACE = 2.0
"""Seconds for which work that is under way may hold up giving back its shard; much less than a lease."""
LATE = 0.05
"""Seconds after the end of a lease at which others look whether it was renewed."""


class MembersChanged(Message, frozen=True):
    """Somebody came or left, or gave back shards."""


@dataclass(frozen=True, slots=True)
class Membership:
    """How a process takes part in a cluster.

    Attributes:
        store: the rows of members and shards.
        clock: of the process; it is made to follow the database.
        role: what the process is.
        version: of its code.
        owns_shards: whether it takes shards.
        lease: seconds after its last heartbeat for which it is live.
    """

    store: ClusterStore
    clock: ClusterClock
    role: str
    version: str
    owns_shards: bool
    lease: float


class ShardController:
    """See `orchestrator.services.shards.Shards`.

    Args:
        membership: what this process is.
        peers: the others.
        count: how many shards there are.
    """

    def __init__(self, membership: Membership, peers: Peers, count: int) -> None:
        self.owned: Mapping[int, int] = {}
        self.portion: list[int] | None = []
        self.members: list[Member] = []
        self._store = membership.store
        self._clock = membership.clock
        self._lease = round(membership.lease * SECOND)
        self._me = Identity(
            peers.member,
            membership.role,
            socket.gethostname(),
            os.getpid(),
            membership.version,
            membership.owns_shards,
        )
        self._peers = peers
        self._count = count
        self._owners: list[tuple[str, frozenset[int]]] = []
        self._due: dict[int, str] = {}
        self._taken: set[int] = set()  # what rows may say is ours, although we have given it up
        self._working: Counter[int] = Counter()
        self._ended = asyncio.Event()
        self._callbacks: list[Changed] = []
        self._safe_until = 0
        self._next_beat = 0
        self._next_look = 0
        self._woken = asyncio.Event()
        self._expiry: asyncio.TimerHandle | None = None
        self._loops = Loops()
        self._run_db: RunDb | None = None
        peers.on(MembersChanged, lambda sender, message: self.look())

    def owner(self, shard: int) -> str:
        """See Shards."""
        return self._due.get(shard, "")

    @contextmanager
    def holding(self, shard: int) -> Iterator[None]:
        """See Shards."""
        range_id = self.owned.get(shard)
        if range_id is None or self._clock.monotonic() >= self._safe_until:
            raise LeaseLost([Fence(shard, range_id or 0)])
        self._working[shard] += 1
        try:
            with fenced(Fence(shard, range_id)):
                yield
        except LeaseLost as error:
            self._lose([fence.shard_id for fence in error.fences if self.owned.get(fence.shard_id) == fence.range_id])
            self.look()
            raise
        finally:
            self._working[shard] -= 1
            self._ended.set()

    def on_change(self, callback: Changed) -> None:
        """See Shards."""
        self._callbacks.append(callback)

    async def start(self, run_db: RunDb) -> None:
        """See Shards; returns as a member, with what shards are to be had at once."""
        self._run_db = run_db
        await self._join()
        await self._look()
        self._loops.go("hugo-shards", self._keep)

    def announce(self) -> None:
        """See Shards."""
        self._peers.tell_all(MembersChanged())

    async def stop(self) -> None:
        """See Shards; the others can take them at once."""
        await self._loops.stop()
        if self._expiry is not None:
            self._expiry.cancel()
        given_back = self.owned
        self._lose(given_back)
        await self._finish(given_back)
        assert self._run_db is not None
        try:
            await self._run_db(self._store.leave, self._me.name)
        except Exception as error:
            logger.warning("leaving the cluster failed, the others wait for the end of the lease: %s", error)
        self._peers.tell_all(MembersChanged())

    async def _keep(self) -> None:
        while True:
            now = self._clock.monotonic()
            pause = (min(self._next_beat, self._next_look) - now) / SECOND
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._woken.wait()
            woken = self._woken.is_set()
            self._woken.clear()
            try:
                if self._clock.monotonic() >= self._next_beat:
                    await self._beat()
                if woken or self._clock.monotonic() >= self._next_look:
                    await self._look()
            except Exception as error:
                logger.warning("keeping the lease of this process failed and is repeated: %s", error)
                self._next_look = self._clock.monotonic() + round(SETTLING * SECOND)
                self._next_beat = max(self._next_beat, self._next_look)

    async def _beat(self) -> None:
        """Renews the lease; whoever let it run out has lost all shards, and joins again."""
        assert self._run_db is not None
        asked = self._clock.monotonic()
        if not await self._run_db(self._store.renew, self._me.name, self._lease):
            logger.warning("the lease of this process ran out")
            self._lose(self.owned)
            await self._join()
            self._next_look = 0
        else:
            self._renewed(asked)

    async def _join(self) -> None:
        assert self._run_db is not None
        asked = self._clock.monotonic()
        await self._run_db(self._store.join, self._me, self._lease)
        self._taken.clear()
        self._renewed(asked)

    def _renewed(self, asked: int) -> None:
        """The lease lasts at least as long as if it was renewed at the moment it was asked for."""
        self._safe_until = asked + self._lease
        self._next_beat = asked + self._lease // BEATS
        if self._expiry is not None:
            self._expiry.cancel()
        remaining = (self._safe_until - self._clock.monotonic()) / SECOND
        self._expiry = asyncio.get_running_loop().call_later(max(0.0, remaining), self._expired)

    def _expired(self) -> None:
        logger.warning("the lease of this process could not be renewed in time")
        self._lose(self.owned)
        self.look()

    def look(self) -> None:
        """See Shards."""
        self._woken.set()

    async def _look(self) -> None:
        """Reads who is there, and takes and gives back shards accordingly."""
        assert self._run_db is not None
        asked = self._clock.monotonic()
        roll = await self._run_db(self._store.roll)
        answered = self._clock.monotonic()
        self._clock.follow(roll.time, asked, answered)
        leases = [member.lease_expires - roll.time for member in roll.members if member.name != self._me.name]
        pause = min([*(lease + round(LATE * SECOND) for lease in leases), round(LOOK * SECOND)])
        self._next_look = answered + pause
        self.members = roll.members
        owners = [(member.name, member.pinned) for member in roll.members if member.owns_shards]
        if self._owners != owners:
            self._owners = owners
            self._due = assign(
                range(FIRST_SHARD, FIRST_SHARD + self._count),
                [name for name, _ in owners],
                {shard: name for name, pinned in owners for shard in pinned},
            )
        if self._me.owns_shards:
            await self._settle()

    async def _settle(self) -> None:
        assert self._run_db is not None
        mine = {shard for shard, name in self._due.items() if name == self._me.name}
        if away := self._taken - mine:
            self._lose(self.owned.keys() & away)
            await self._finish(away)
            await self._run_db(self._store.release, self._me.name, away)
            self._taken -= away
            self._peers.tell_all(MembersChanged())
        if missing := mine - self.owned.keys():
            self._taken |= missing
            self._gain(await self._run_db(self._store.claim, self._me.name, missing))
        if mine - self.owned.keys():
            self._next_look = self._clock.monotonic() + round(SETTLING * SECOND)

    async def _finish(self, shards: Collection[int]) -> None:
        """Waits for work on shards that is under way, for a while."""
        with suppress(TimeoutError):
            async with asyncio.timeout(GRACE):
                while any(self._working[shard] for shard in shards):
                    self._ended.clear()
                    await self._ended.wait()

    def _gain(self, taken: dict[int, int]) -> None:
        if taken:
            self._own({**self.owned, **taken})
            self._say("took %d shards, and has %d of %d", len(taken))
            for callback in self._callbacks:
                callback(frozenset(taken), frozenset())

    def _lose(self, shards: Collection[int]) -> None:
        lost = frozenset(shards)
        if lost:
            self._own({shard: range_id for shard, range_id in self.owned.items() if shard not in lost})
            self._say("gave up %d shards, and has %d of %d", len(lost))
            for callback in self._callbacks:
                callback(frozenset(), lost)

    def _say(self, text: str, shards: int) -> None:
        """What is moved by a start or a stop of this process is no news."""
        level = logging.INFO if self._loops.running else logging.DEBUG
        logger.log(level, text, shards, len(self.owned), self._count)

    def _own(self, owned: dict[int, int]) -> None:
        self.owned = owned
        self.portion = None if len(owned) == self._count else sorted(owned)
