"""Who polls which task queues: what the processes of a cluster tell each other of the polls they have.

A process numbers its changes and tells them at once; whoever misses a number asks it for everything. From what all know
alike follows the home of a queue: the one process among those that poll it which reads its table and holds its backlog.
"""

import zlib
from collections.abc import Callable, Iterable, Mapping
from typing import NamedTuple

from orchestrator.core.wire import SECOND
from orchestrator.services.peers import Message, Peers
from orchestrator.services.pollers import PollerInfo, QueueKey

NOW = 2**63 - 1
"""Told as the time of a poll that waits, or came within the last seconds."""
RECENT = 5 * SECOND
SILENT = 7 * SECOND
"""A member that was not heard of for so long is gone."""
PACE = SECOND
"""How often a process looks at what has changed."""
SIGNS_OF_LIFE = 2
"""Looks after which it says that it is there, without any change."""


class Polled(NamedTuple):
    """A queue as the process that has polls of it tells it; times are nanoseconds since the epoch, or NOW."""

    queue: QueueKey
    last_poll: int
    pollers: tuple[PollerInfo, ...]


class PollsChanged(Message, frozen=True):
    """A change; one without a last poll and pollers is the end of what the process knows of the queue."""

    number: int
    queues: list[Polled]


class PollsKnown(Message, frozen=True):
    """All queues of a process, after the change of this number."""

    number: int
    queues: list[Polled]


class PollsWanted(Message, frozen=True):
    """Asks for all queues."""


class StillThere(Message, frozen=True):
    """A sign of life, with the number of the last change."""

    number: int


class Leaving(Message, frozen=True):
    """The process ends, or begins to."""


class _Member:
    __slots__ = ("heard", "number", "queues")

    def __init__(self, heard: int) -> None:
        self.heard = heard
        self.number = -1
        self.queues: dict[QueueKey, Polled] = {}


class Presence:
    """What this process has told of its queues, and what others have told of theirs.

    All but the questions about a queue is called on the event loop.

    Args:
        peers: the other processes.
        clock: nanoseconds since the epoch.
        moved: told the queues for which something has changed, of this process or of others.
    """

    def __init__(self, peers: Peers, clock: Callable[[], int], moved: Callable[[set[QueueKey]], None]) -> None:
        self._peers = peers
        self._clock = clock
        self._moved = moved
        self._members: dict[str, _Member] = {}
        self._others: dict[QueueKey, Mapping[str, Polled]] = {}
        self._mine: dict[QueueKey, Polled] = {}
        self._number = 0
        self._looks = 0
        self._joined = False
        self._left = False
        peers.on(PollsChanged, self._change)
        peers.on(PollsKnown, self._know)
        peers.on(PollsWanted, self._answer)
        peers.on(StillThere, self._hear)
        peers.on(Leaving, lambda sender, _: self._forget([sender]))
        peers.lost(lambda member: self._forget([member]))

    # Questions; answered from any thread.

    @property
    def alone(self) -> bool:
        """Whether no other process has polls, as far as this one knows."""
        return not self._others

    @property
    def members(self) -> list[str]:
        """The other processes that were heard of lately."""
        return list(self._members)

    def elsewhere(self, key: QueueKey) -> list[str]:
        """The other processes in which polls of a queue wait, or came within the last seconds."""
        return [member for member, polled in self._others.get(key, {}).items() if polled.last_poll == NOW]

    def home(self, key: QueueKey) -> str:
        """The other process that is the home of a queue; empty when it is this one, or there is none."""
        others = self.elsewhere(key)
        if not others:
            return ""
        mine = self._mine.get(key)
        if mine is not None and mine.last_poll == NOW:
            others.append(self._peers.member)
        home = home_of(key, others)
        return "" if home == self._peers.member else home

    def last_poll(self, key: QueueKey) -> int:
        """When a queue was last polled in another process, nanoseconds since the epoch; 0 for never."""
        last = max((polled.last_poll for polled in self._others.get(key, {}).values()), default=0)
        return self._clock() if last == NOW else last

    def pollers(self, key: QueueKey) -> list[PollerInfo]:
        """The workers that polled a queue in other processes."""
        now = self._clock()
        return [
            info._replace(last_access=now) if info.last_access == NOW else info
            for polled in self._others.get(key, {}).values()
            for info in polled.pollers
        ]

    # What this process tells.

    def look(self, polled: Iterable[Polled]) -> None:
        """Tells what has changed in the queues of this process; to be called once a PACE, with all of them."""
        if not self._peers.connected or self._left:
            self._joined = False
            self._forget(list(self._members))
            return
        found = {each.queue: each for each in polled}
        gone = [Polled(key, 0, ()) for key in self._mine.keys() - found.keys()]
        if not self._joined:
            self._joined = True
            self._mine = found
            self._peers.tell_all(PollsKnown(self._number, list(found.values())))
            self._peers.tell_all(PollsWanted())
        else:
            self.tell([*(each for key, each in found.items() if self._mine.get(key) != each), *gone])
        self._looks += 1
        if self._looks % SIGNS_OF_LIFE == 0:
            self._peers.tell_all(StillThere(self._number))
        silent = self._clock() - SILENT
        self._forget([name for name, member in self._members.items() if member.heard < silent])

    def tell(self, changed: list[Polled]) -> None:
        """Tells what has changed in queues of this process."""
        if not changed or not self._joined:
            return
        self._number += 1
        _apply(self._mine, changed)
        self._peers.tell_all(PollsChanged(self._number, changed))
        self._moved({each.queue for each in changed})

    def leave(self) -> None:
        """This process takes no polls any more; what it had in mind of others is gone too."""
        self._left = True
        moved = set(self._mine)
        self._mine = {}
        self._peers.tell_all(Leaving())
        self._moved(moved)

    # What others tell.

    def _forget(self, members: list[str]) -> None:
        moved: set[QueueKey] = set()
        for name in members:
            member = self._members.pop(name, None)
            if member is not None:
                moved |= self._set(name, [Polled(key, 0, ()) for key in member.queues])
        if moved:
            self._moved(moved)

    def _change(self, sender: str, message: PollsChanged) -> None:
        self._hear(sender, StillThere(message.number - 1))
        member = self._members.get(sender)
        if member is not None and message.number == member.number + 1:
            member.number = message.number
            _apply(member.queues, message.queues)
            self._moved(self._set(sender, message.queues))

    def _know(self, sender: str, message: PollsKnown) -> None:
        member = self._heard(sender)
        if member is None or message.number < member.number:
            return
        found = {each.queue: each for each in message.queues}
        changed = [*(each for key, each in found.items() if member.queues.get(key) != each)]
        changed += [Polled(key, 0, ()) for key in member.queues.keys() - found.keys()]
        member.number = message.number
        member.queues = found
        self._moved(self._set(sender, changed))

    def _answer(self, sender: str, _: PollsWanted) -> None:
        if self._joined and not self._left:
            self._peers.tell(sender, PollsKnown(self._number, list(self._mine.values())))

    def _hear(self, sender: str, message: StillThere) -> None:
        """Notes a sign of life; asks for everything if changes were missed."""
        member = self._heard(sender)
        if member is not None and message.number > member.number:
            self._peers.tell(sender, PollsWanted())

    def _heard(self, sender: str) -> "_Member | None":
        if not self._joined:
            return None
        member = self._members.get(sender)
        if member is None:
            member = self._members[sender] = _Member(self._clock())
        member.heard = self._clock()
        return member

    def _set(self, name: str, changed: list[Polled]) -> set[QueueKey]:
        """Replaces what is known of a member's queues. Other threads read it, so that nothing is changed in place."""
        for each in changed:
            known = {member: polled for member, polled in self._others.get(each.queue, {}).items() if member != name}
            if each.last_poll or each.pollers:
                known[name] = each
            if known:
                self._others[each.queue] = known
            else:
                self._others.pop(each.queue, None)
        return {each.queue for each in changed}


def home_of(key: QueueKey, members: Iterable[str]) -> str:
    """The home of a queue among the processes that poll it; the same whoever asks, and as evenly spread as may be."""
    return max(members, key=lambda member: (zlib.crc32(f"{member}/{key.kind}/{key.name}".encode()), member))


def _apply(queues: dict[QueueKey, Polled], changed: Iterable[Polled]) -> None:
    for each in changed:
        if each.last_poll or each.pollers:
            queues[each.queue] = each
        else:
            queues.pop(each.queue, None)
