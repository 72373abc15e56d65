"""The shards of a process: those whose timers, debts and housekeeping are its own to do."""

from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from typing import Any, Protocol

from orchestrator.services.bootstrap import FIRST_SHARD
from orchestrator.store.members import Member

Changed = Callable[[frozenset[int], frozenset[int]], None]
"""Told on the event loop which shards were gained, and which were lost."""
RunDb = Callable[..., Awaitable[Any]]


class Shards(Protocol):
    """What queue processors ask.

    Attributes:
        owned: the shards of this process, and the range ids of their leases; replaced, never changed.
        portion: their ids in order; None when these are all shards there are.
        members: the live processes of the cluster as of late; empty for one that is alone.
    """

    owned: Mapping[int, int]
    portion: list[int] | None
    members: list[Member]

    def owner(self, shard: int) -> str:
        """The member who most likely owns a shard; empty when nobody does."""
        ...

    def holding(self, shard: int) -> AbstractContextManager[None]:
        """A block of work on an owned shard: its writes are fenced, and the shard is given back only after it.

        Raises:
            LeaseLost: the shard is not, or no longer, that of this process; also from within the block.
        """
        ...

    def on_change(self, callback: Changed) -> None:
        """Has a callback told of each change."""
        ...

    def look(self) -> None:
        """Looks at who is there, and at shards without owner, now; to be called on the event loop."""
        ...

    async def start(self, run_db: RunDb) -> None:
        """Takes shards, and keeps them."""
        ...

    def announce(self) -> None:
        """Tells the others of this process, now that they can be reached."""
        ...

    async def stop(self) -> None:
        """Gives them back."""
        ...


class SoleOwner:
    """All shards, for a process that has the database to itself; see Shards.

    Args:
        count: how many there are.
    """

    def __init__(self, count: int) -> None:
        self.owned: Mapping[int, int] = dict.fromkeys(range(FIRST_SHARD, FIRST_SHARD + count), 0)
        self.portion: list[int] | None = None
        self.members: list[Member] = []

    def owner(self, shard: int) -> str:
        """See Shards; there is nobody else."""
        return ""

    @contextmanager
    def holding(self, shard: int) -> Iterator[None]:
        """See Shards; nobody can take the shard."""
        yield

    def on_change(self, callback: Changed) -> None:
        """See Shards; nothing ever changes."""

    def look(self) -> None:
        """See Shards; there is nobody else."""

    async def start(self, run_db: RunDb) -> None:
        """See Shards."""

    def announce(self) -> None:
        """See Shards; there is nobody to tell."""

    async def stop(self) -> None:
        """See Shards."""
