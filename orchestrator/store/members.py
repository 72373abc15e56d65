"""The port to what the processes of a cluster know of each other: who is live, and who owns which shard.

All times are those of the database, so that the clocks of the members need not agree.
"""

from collections.abc import Collection
from typing import NamedTuple, Protocol


class Identity(NamedTuple):
    """Who a process is.

    Attributes:
        name: no other process, before or after, has the same.
        role: `dev`, `frontend`, `worker`.
        host, pid: where it runs.
        version: of the code.
        owns_shards: whether it takes shards.
    """

    name: str
    role: str
    host: str
    pid: int
    version: str
    owns_shards: bool


class Member(NamedTuple):
    """A process as the others see it.

    Attributes:
        started, lease_expires: nanoseconds since the epoch.
        pinned: shards that an operator has moved here.
    """

    name: str
    role: str
    host: str
    pid: int
    version: str
    owns_shards: bool
    started: int
    lease_expires: int
    pinned: frozenset[int]


class Roll(NamedTuple):
    """The live members, by name, and the time of the database when it said so."""

    time: int
    members: list[Member]


class ShardRow(NamedTuple):
    """Who has taken a shard, empty when it was given back, and how often it was taken."""

    owner: str
    range_id: int


class ClusterStore(Protocol):
    """The rows of members and shards; each call is one transaction."""

    def join(self, identity: Identity, lease: int) -> None:
        """Makes a process a live member for `lease` nanoseconds, without any shards it may have had before."""
        ...

    def renew(self, name: str, lease: int) -> bool:
        """Makes the lease of a live member end in `lease` nanoseconds; False, and nothing is done, once it is over."""
        ...

    def roll(self) -> Roll:
        """The live members."""
        ...

    def shards(self) -> dict[int, ShardRow]:
        """All shards, by id."""
        ...

    def claim(self, name: str, shards: Collection[int]) -> dict[int, int]:
        """Takes those of some shards that no other live member has; waits for writes under the former leases.

        Returns:
            the new range ids of those that were taken.
        """
        ...

    def release(self, name: str, shards: Collection[int]) -> None:
        """Gives back those of some shards that a member still has."""
        ...

    def leave(self, name: str) -> None:
        """Gives back all shards of a member, and removes it."""
        ...

    def pin(self, shards: Collection[int], name: str) -> bool:
        """Has shards owned by a member for as long as it is live, or with "" by whoever is due.

        Returns:
            False, and nothing is done, when there is no such member.
        """
        ...
