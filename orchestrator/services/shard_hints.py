"""Hints to the owners of shards: a queue of theirs is worth a look.

Whoever commits work for a shard of another process tells that one; it is a hint, for the owner looks by itself before
long. What comes up within a moment is told together.
"""

import asyncio
from collections.abc import Callable, Collection
from typing import Protocol

from orchestrator.services.peers import Message, Peers
from orchestrator.services.shards import Shards

TIMER, TRANSFER, HISTORY, VISIBILITY, SYSTEM = "timer", "transfer", "history", "visibility", "system"
MOMENT = 0.02
"""Seconds between two messages; the first is sent at once."""

Look = Callable[[Collection[int]], None]
"""Told, on the event loop, of owned shards that are worth a look."""


class ShardHint(Message, frozen=True):
    """A queue of some shards is worth a look; one that its receiver does not own is passed on, but not twice."""

    queue: str
    shards: list[int]
    passed_on: bool = False


class Hints(Protocol):
    """Where hints for the owners of shards go."""

    def wake(self, queue: str, shards: Collection[int]) -> None:
        """Has a queue of shards looked at; callable from any thread, never waits and never raises."""
        ...

    def stop(self) -> None:
        """Ends sending; what waits is dropped."""
        ...


class ShardHints:
    """The hints that reach this process, and those it sends to the owners of shards directly.

    Args:
        shards: of this process.
        peers: the others.
    """

    def __init__(self, shards: Shards, peers: Peers) -> None:
        self._shards = shards
        self._peers = peers
        self._looks: dict[str, Look] = {}
        self._waiting: dict[tuple[str, bool], set[int]] = {}
        self._sending = False
        self._loop: asyncio.AbstractEventLoop | None = None
        peers.on(ShardHint, self._received)

    def on(self, queue: str, look: Look) -> None:
        """Names who looks at a queue of owned shards."""
        self._looks[queue] = look

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Begins to send and to look; what came before is gone."""
        self._loop = loop

    def stop(self) -> None:
        """See Hints."""
        self._loop = None

    def wake(self, queue: str, shards: Collection[int]) -> None:
        """See Hints."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._note, queue, shards, False)

    def hinted(self, queue: str, shards: Collection[int]) -> None:
        """Takes a hint, from any thread: for owned shards, or others; for those of all processes when it names none."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._take, queue, shards, False)

    def _received(self, sender: str, hint: ShardHint) -> None:
        self._take(hint.queue, hint.shards, hint.passed_on)

    def _take(self, queue: str, shards: Collection[int], passed_on: bool) -> None:
        owned = self._shards.owned
        mine = [shard for shard in shards if shard in owned] if shards else list(owned)
        look = self._looks.get(queue)
        if mine and look is not None:
            look(mine)
        if not passed_on and not shards:
            self._peers.tell_all(ShardHint(queue, [], True))
        elif not passed_on and (rest := set(shards).difference(owned)):
            self._note(queue, rest, True)

    def _note(self, queue: str, shards: Collection[int], passed_on: bool) -> None:
        self._waiting.setdefault((queue, passed_on), set()).update(shards)
        if not self._sending:
            self._sending = True
            self._send()

    def _send(self) -> None:
        if self._loop is None:
            return
        waiting, self._waiting = self._waiting, {}
        self._sending = bool(waiting)
        for (queue, passed_on), shards in waiting.items():
            by_owner: dict[str, list[int]] = {}
            for shard in sorted(shards):
                by_owner.setdefault(self._shards.owner(shard), []).append(shard)
            for owner, some in by_owner.items():
                if owner and owner != self._peers.member:
                    self._peers.tell(owner, ShardHint(queue, some, passed_on))
        if waiting:
            self._loop.call_later(MOMENT, self._send)
