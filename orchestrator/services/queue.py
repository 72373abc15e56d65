"""What one process knows of one task queue: who waits, which tasks it has noted, and how fast it may hand them out.

Tasks are handed out by (priority, fairness pass, age), in memory as in the table. Memory holds the beginning of that
order: whatever belongs behind `horizon` is read from the table when memory is empty.
"""

import heapq
import itertools
import sys
from collections import OrderedDict, deque
from collections.abc import Container
from typing import Any

from temporalio.api.enums.v1 import RateLimitSource
from temporalio.api.taskqueue.v1 import TaskQueueConfig

from orchestrator.core.priority import WEIGHT_UNIT, Share, thousandths
from orchestrator.services.fairness import Level
from orchestrator.services.pollers import Poller, PollerInfo
from orchestrator.services.rate_limits import NEVER, RateLimits
from orchestrator.services.traffic import Traffic
from orchestrator.store.ports import Task

BACKLOG = 2000
"""Tasks of one queue noted in memory, at most; more are read from the table when these are gone."""

Place = tuple[int, int]
Identity = tuple[str, int, int]
Entry = tuple[int, int, int, Task]
FIRST: Place = (0, 0)


class Queue:
    """Guarded by the lock of matching.

    Attributes:
        waiting: polls, longest waiting first.
        home: the process that holds the backlog of the queue; empty when it is this one, or no process polls it.
        others: the other processes that poll it.
        asked: how many polls wait in other processes that have this one for the queue's home.
        busy_until: when the word of the home that no poll waits there is out of date, nanoseconds since the epoch.
        home_first: the priority of the first task that waited at home then; 0 for none.
        told: how many polls of this process the home knows to wait.
        asking: whether it is going to be told of more.
        last_born: when a task of the queue was last born in this process, nanoseconds since the epoch.
        lent: noted tasks that other processes were given, to whom and when.
        announced: whether other processes were told that this one polls the queue.
        timed: whether what is beyond its time here is going to be sent home.
        backlog: a heap of noted tasks.
        known: noted tasks, and those that are being started.
        orphans: what a poll was given and could not take.
        pollers: who polled lately, by identity.
        last_poll: when, nanoseconds since the epoch.
        horizon: tasks from this place on may be in the table only; None when all are in memory.
        limits: None for no limit, and for one that the queue's home keeps.
        held_back: whether there is one that the home keeps.
        weights: of fairness keys, in thousandths, that an operator has set.
        traffic: for statistics.
        unnoted: tasks that came while the table was to be read, and were left to it.
        timer_at: when polls are looked at that wait for a rate limit; 0 for never.
        config: what an operator wants of the queue.
        worker_rate: tasks a second its workers want at most.
        worker_rate_at: when one said so last.
    """

    __slots__ = (
        "_levels",
        "_parked",
        "_parked_count",
        "_ready",
        "announced",
        "asked",
        "asking",
        "backlog",
        "busy_until",
        "config",
        "held_back",
        "home",
        "home_first",
        "horizon",
        "known",
        "last_born",
        "last_poll",
        "lent",
        "limits",
        "orphans",
        "others",
        "pollers",
        "timed",
        "timer_at",
        "told",
        "traffic",
        "unnoted",
        "waiting",
        "weights",
        "worker_rate",
        "worker_rate_at",
    )

    def __init__(self) -> None:
        self.waiting: OrderedDict[Poller, None] = OrderedDict()
        self.home = ""
        self.others: set[str] = set()
        self.asked: dict[str, int] = {}
        self.busy_until = 0
        self.home_first = 0
        self.told = 0
        self.asking = False
        self.last_born = 0
        self.lent: dict[Identity, tuple[str, int]] = {}
        self.announced = False
        self.timed = False
        self.backlog: list[Entry] = []
        self.known: set[Identity] = set()
        self.orphans: deque[Any] = deque()
        self.pollers: dict[str, PollerInfo] = {}
        self.last_poll = 0
        self.horizon: Place | None = FIRST
        self.limits: RateLimits | None = None
        self.held_back = False
        self.weights: dict[str, int] = {}
        self.traffic = Traffic()
        self.unnoted: set[Identity] = set()
        self.timer_at = 0
        self.config: TaskQueueConfig | None = None
        self.worker_rate: float | None = None
        self.worker_rate_at = 0
        self._levels: dict[int, Level] = {}
        self._parked: dict[str, list[Entry]] = {}
        self._parked_count = 0
        self._ready: list[tuple[int, str]] = []

    @property
    def stored(self) -> bool:
        """Whether the table may hold tasks that are not noted."""
        return self.horizon is not None

    @property
    def fair(self) -> bool:
        """Whether fairness keys take turns."""
        return bool(self._levels)

    @property
    def wanted(self) -> bool:
        """Whether polls wait for tasks of this process, here or elsewhere."""
        return bool(self.waiting or self.asked)

    @property
    def pending(self) -> bool:
        """Whether noted tasks wait."""
        return bool(self.backlog or self._parked)

    def limited(self, now: int) -> bool:
        """Whether noted tasks wait for a rate limit."""
        return self.limits is not None and self.pending and not 0 < self.next_at() <= now

    def place(self, share: Share, now: int) -> int:
        """The fairness pass of a task that is born."""
        if self.home and self.busy_until < now:
            self._levels.clear()
        level = self._levels.get(share.level)
        if level is None:
            if not share.key:
                return now
            level = Level(now, (entry[1] for entry in self.backlog if entry[0] == share.level))
            self._levels[share.level] = level
        weight = self.weights.get(share.key)
        return level.place(share if weight is None else share._replace(weight=weight))

    def clocks(self) -> dict[int, int]:
        """The passes that are being handed out where fairness keys take turns, by level."""
        return {number: level.clock for number, level in self._levels.items()}

    def follow(self, clocks: dict[int, int]) -> None:
        """Tasks that are born here take their turns by the clocks of the queue's home."""
        for number, clock in clocks.items():
            level = self._levels.setdefault(number, Level(clock))
            level.handed_out(clock)

    def note(self, task: Task, order: int) -> bool:
        """Remembers a stored task; False when it is known already or belongs behind the horizon."""
        identity = identity_of(task)
        place = (task.priority, task.fairness_pass)
        if identity in self.known:
            return False
        if self.horizon is not None and place >= self.horizon:
            if len(self.unnoted) < BACKLOG:
                self.unnoted.add(identity)
            return False
        if len(self.backlog) + self._parked_count >= BACKLOG and not self._make_room(place):
            return False
        self.known.add(identity)
        heapq.heappush(self.backlog, (*place, order, task))
        return True

    def ends_at(self, last: Task) -> None:
        """The table was read as far as this task, and may hold more behind it."""
        self.horizon = (last.priority, last.fairness_pass)
        behind = [entry for entry in self.backlog if entry[:2] > self.horizon]
        if behind:
            self.backlog = [entry for entry in self.backlog if entry[:2] <= self.horizon]
            heapq.heapify(self.backlog)
            for entry in behind:
                self.forget(entry[3])

    def take(self, now: int) -> Task | None:
        """The next task in memory that may be handed out now."""
        if self.limits is None:
            if not self.backlog:
                return None
            return self._taken(heapq.heappop(self.backlog), now)
        if self.limits.ready_at() > now:
            return None
        self._release(now)
        while self.backlog:
            entry = heapq.heappop(self.backlog)
            key, weight = self._key(entry[3])
            ready = self.limits.key_ready_at(key, weight)
            if ready > now:
                self._park(entry, key, ready)
                continue
            self.limits.take(key, weight, now)
            if key in self._parked:
                heapq.heappush(self._ready, (self.limits.key_ready_at(key, weight), key))
            return self._taken(entry, now)
        return None

    def next_at(self) -> int:
        """When the next task in memory may be handed out; 0 when there is none, or none ever may."""
        if not self.pending:
            return 0
        if self.limits is None:
            return 1
        at = self.limits.ready_at()
        if not self.backlog:
            at = max(at, self._ready[0][0] if self._ready else NEVER)
        return max(at, 1) if at < NEVER else 0

    def admits(self, share: Share, now: int) -> bool:
        """Whether a task that is born now may go to a waiting poll at once; if so, it counts as handed out."""
        if self.pending or not self.waiting:
            return False
        limits = self.limits
        if limits is None:
            return not self.held_back
        weight = self.weights.get(share.key, share.weight)
        if limits.ready_at() > now or limits.key_ready_at(share.key, weight) > now:
            return False
        limits.take(share.key, weight, now)
        return True

    def configure(self, config: TaskQueueConfig | None) -> None:
        """What an operator wants of the queue; None for nothing."""
        self.config = config
        overrides = config.fairness_weight_overrides if config is not None else {}
        self.weights = {key: thousandths(weight) for key, weight in overrides.items()}
        self._limit()

    def set_worker_rate(self, rate: float | None) -> None:
        """What the workers of the queue want: tasks a second, None for all there are."""
        if rate != self.worker_rate:
            self.worker_rate = rate
            self._limit()

    def rate(self) -> tuple[float | None, RateLimitSource.ValueType]:
        """The rate of the queue in force, and who wants it: an operator comes before the workers."""
        if self.config is not None and self.config.queue_rate_limit.HasField("rate_limit"):
            return self.config.queue_rate_limit.rate_limit.requests_per_second, RateLimitSource.RATE_LIMIT_SOURCE_API
        if self.worker_rate is not None:
            return self.worker_rate, RateLimitSource.RATE_LIMIT_SOURCE_WORKER
        return None, RateLimitSource.RATE_LIMIT_SOURCE_SYSTEM

    def _limit(self) -> None:
        queue_rate, _ = self.rate()
        key_rate = None
        if self.config is not None and self.config.fairness_keys_rate_limit_default.HasField("rate_limit"):
            key_rate = self.config.fairness_keys_rate_limit_default.rate_limit.requests_per_second
        limited = queue_rate is not None or key_rate is not None
        self.held_back = limited and bool(self.home)
        if not limited or self.held_back:
            self.limits = None
        elif self.limits is None:
            self.limits = RateLimits(queue_rate, key_rate)
        else:
            self.limits.change(queue_rate, key_rate)
        self._unpark()

    def forget(self, task: Task) -> None:
        """The task was started or dropped; the same dispatch will not come again."""
        self.known.discard(identity_of(task))

    def settle(self, home: str) -> None:
        """The backlog is another process's from now on, or this one's: then the table is to be read."""
        self.unnoted.clear()
        self.home = home
        self.horizon = None if home else FIRST
        self.busy_until = self.home_first = 0
        self.told = 0
        self.call_in(0, ())
        self._limit()

    def expects(self, since: int) -> bool:
        """Whether a poll of this process may take a task soon: one came since a time, and no rate is in its way."""
        return self.last_poll > since and not self.held_back

    def refused(self) -> Task | None:
        """A task that a poll was given and could not take."""
        for item in self.orphans:
            if isinstance(item, Task):
                self.orphans.remove(item)
                return item
        return None

    def cleared(self, count: int = sys.maxsize) -> list[Task]:
        """The noted tasks and those that polls could not take, in their order; they are not noted any more.

        Args:
            count: so many of the noted ones, at most.
        """
        self._unpark()
        tasks = []
        while (refused := self.refused()) is not None:
            tasks.append(refused)
        tasks += [heapq.heappop(self.backlog)[3] for _ in range(min(count, len(self.backlog)))]
        for task in tasks:
            self.forget(task)
        return tasks

    def lend(self, task: Task, member: str, now: int) -> None:
        """Another process was given a task: it stays noted for as long as that may take to start it."""
        self.lent[identity_of(task)] = (member, now)

    def returned(self, task: Task) -> bool:
        """Whether a task that came was lent; if so, it is noted no more."""
        if self.lent.pop(identity_of(task), None) is None:
            return False
        self.forget(task)
        return True

    def call_in(self, before: int, members: Container[str]) -> None:
        """Forgets what was lent before a time, or to others than these members, and the polls of those.

        Whatever is left of what was lent is stored.
        """
        self.asked = {member: count for member, count in self.asked.items() if member in members}
        for identity, (member, at) in list(self.lent.items()):
            if at < before or member not in members:
                del self.lent[identity]
                self.known.discard(identity)

    def _taken(self, entry: Entry, now: int) -> Task:
        self.traffic.went(entry[0], now)
        if self._levels:
            level = self._levels.get(entry[0])
            if level is not None:
                level.handed_out(entry[1])
            if not self.pending and not self.stored:
                self._levels.clear()
        return entry[3]

    def _make_room(self, place: Place) -> bool:
        """Leaves the last of the noted tasks to the table, unless a new one at this place would come behind it."""
        worst = max(itertools.chain(self.backlog, *self._parked.values()))
        self.horizon = worst[:2]
        if place >= self.horizon:
            return False
        key = worst[3].fairness_key
        entries = self._parked.get(key, self.backlog)
        if worst not in entries:
            entries = self.backlog
        entries.remove(worst)
        heapq.heapify(entries)
        if entries is not self.backlog:
            self._parked_count -= 1
            if not entries:
                del self._parked[key]
        self.forget(worst[3])
        return True

    def _key(self, task: Task) -> tuple[str, int]:
        return task.fairness_key, self.weights.get(task.fairness_key, task.fairness_weight or WEIGHT_UNIT)

    def _park(self, entry: Entry, key: str, ready: int) -> None:
        """Puts a task aside until its key may go on."""
        entries = self._parked.get(key)
        if entries is None:
            entries = self._parked[key] = []
            heapq.heappush(self._ready, (ready, key))
        heapq.heappush(entries, entry)
        self._parked_count += 1

    def _unpark(self) -> None:
        for entries in self._parked.values():
            self.backlog.extend(entries)
        heapq.heapify(self.backlog)
        self._parked.clear()
        self._parked_count = 0
        self._ready.clear()

    def _release(self, now: int) -> None:
        """The first task of each key that may go on takes part again."""
        while self._ready and self._ready[0][0] <= now:
            _, key = heapq.heappop(self._ready)
            entries = self._parked.get(key)
            if not entries:
                continue
            heapq.heappush(self.backlog, heapq.heappop(entries))
            self._parked_count -= 1
            if not entries:
                del self._parked[key]


def identity_of(task: Task) -> Identity:
    """What one dispatch of a task is known by."""
    return task.run_id, task.scheduled_event_id, task.stamp
