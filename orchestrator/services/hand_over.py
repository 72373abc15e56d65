"""Task queues that several processes poll: how a task comes to a poll that waits in another process.

Of the processes that poll a queue one is its home (see `presence`): it alone reads the table and holds the backlog. The
others keep a task for a few milliseconds, in case a poll of theirs comes, then send it home; and they tell the home how
many of their polls wait, which it gives tasks. So a task is in one memory at a time, no two processes try to start it,
and the order and the rates of a queue hold wherever it is polled. A lost message costs latency: the home sweeps the
table as a single process does, and is told of waiting polls again every second.
"""

import asyncio
import itertools
from collections.abc import Awaitable, Callable
from typing import Any

from temporalio.api.taskqueue.v1 import TaskQueueConfig

from orchestrator.conf import HugoSettings
from orchestrator.core.wire import SECOND
from orchestrator.services.peers import Peers
from orchestrator.services.pollers import PollerInfo, QueueKey
from orchestrator.services.presence import NOW, PACE, RECENT, Polled, Presence
from orchestrator.services.queue import FIRST, Queue, identity_of
from orchestrator.services.queue_messages import ConfigsChanged, NoPollWaits, PollsWaiting, TasksSent
from orchestrator.services.queues import FORGET_POLLERS, FORGET_RATE, Queues
from orchestrator.store.ports import Store, Task

KEPT_S = 0.005
"""How long a task waits here for a poll before it is sent home."""
FLOW = SECOND // 50
"""While the last poll here is no older than this, tasks stay if no poll waits at home either: whoever takes them here
has their runs in memory."""
PROBE = 4
"""So many tasks go home nevertheless, to find out whether polls wait there by now."""
LONGEST = SECOND // 5
"""For as long the word of the home holds that none waits; where tasks do not simply go by age, none stays longer."""
ASKED_AFTER = SECOND // 50
"""Where tasks are born, the home is asked for others once a poll has waited so long."""
KEPT = 200
"""Tasks that wait so, at most."""
BUSY = SECOND
"""No poll is expected soon when the last one is as old."""
IN_HAND = SECOND
"""A stored task as young as that is most likely noted, or being started, in some process."""
LOAN = 5 * SECOND
"""How long a process may take to start a task it was given."""
PACKET = 256
"""Tasks in one message, at most."""
HOPS = 3
"""How often a task is sent on by processes that do not agree about its home."""

Packets = dict[str, list[Task]]


class HandOver(Queues):
    """All task queues, as one of several processes has them.

    Attributes:
        presence: who polls what.
        tasks_sent: to other processes, since the start.
    """

    def __init__(self, settings: HugoSettings, store: Store, clock: Callable[[], int], peers: Peers) -> None:
        super().__init__(settings, store, clock)
        self.tasks_sent = 0
        self._peers = peers
        self.presence = Presence(peers, clock, self._moved)
        peers.on(TasksSent, self._take_in)
        peers.on(PollsWaiting, self._asked)
        peers.on(NoPollWaits, self._busy)
        peers.on(ConfigsChanged, lambda *_: self._look_at_configs())

    def start(self, loop: asyncio.AbstractEventLoop, run_db: Callable[..., Awaitable[Any]]) -> None:
        """Begins to sweep, and to tell others what is polled here."""
        super().start(loop, run_db)
        if not self._peers.alone:
            self._loops.go("hugo-presence", self._tell)

    def elsewhere(self, key: QueueKey) -> list[str]:
        """The other processes that poll a queue."""
        return self.presence.elsewhere(key)

    def served(self, key: QueueKey) -> bool:
        """Whether a worker polls the queue, in any process, or did a moment ago."""
        if super().served(key):
            return True
        window = int(self._settings.sticky_poller_window * SECOND)
        return self.presence.last_poll(key) > self._clock() - window

    def last_poll(self, key: QueueKey) -> int:
        """When the queue was last polled, in any process, nanoseconds since the epoch; 0 for never."""
        return max(super().last_poll(key), self.presence.last_poll(key))

    def pollers(self, key: QueueKey) -> list[PollerInfo]:
        """The workers that polled the queue within the last five minutes, in any process."""
        oldest = self._clock() - FORGET_POLLERS
        found = {info.identity: info for info in super().pollers(key)}
        for info in self.presence.pollers(key):
            known = found.get(info.identity)
            if info.last_access > (known.last_access if known is not None else oldest):
                found[info.identity] = info
        return list(found.values())

    def change_config(self, key: QueueKey, config: TaskQueueConfig) -> None:
        """An operator has changed the configuration of a queue in this process: the others read it."""
        self.configure(key, config)
        self._peers.tell_all(ConfigsChanged())

    # Tasks under way.

    def _kept(self, tasks: list[Task]) -> list[Task]:
        """Those of the tasks born here that stay here; the others are sent home."""
        if self.presence.alone:
            return tasks
        kept, onward = self._sorted(tasks, "")
        now = self._clock()
        with self._lock:
            for task in tasks:
                self._queue(_key(task)).last_born = now
            for task in itertools.chain(*onward.values()):
                self._queue(_key(task)).traffic.came(task.priority, now)
        self._send(onward)
        return kept

    def _take_in(self, sender: str, message: TasksSent) -> None:
        """Tasks came: for polls that wait here, or because this process is their home."""
        with self._lock:
            for task in message.tasks:
                queue = self._queue(_key(task))
                queue.told = max(0, queue.told - 1)
                if queue.returned(task):
                    queue.asked.pop(sender, None)
        kept, onward = self._sorted(message.tasks, sender)
        if message.hops < HOPS:
            self._send(onward, message.hops + 1)
        self._note(kept, born=False)
        with self._lock:
            for key in {_key(task) for task in kept}:
                queue = self._queue(key)
                self._ask(key, queue)
                if not queue.home and not queue.wanted and (sender in queue.others or queue.fair):
                    first = queue.backlog[0][0] if queue.backlog else 0
                    self._peers.tell(sender, NoPollWaits(key, queue.clocks(), first))

    def _sorted(self, tasks: list[Task], sender: str) -> tuple[list[Task], Packets]:
        """What stays here, and what goes home."""
        kept: list[Task] = []
        onward: Packets = {}
        now = self._clock()
        with self._lock:
            for task in tasks:
                key = _key(task)
                queue = self._queue(key)
                if not queue.home:
                    kept.append(task)
                elif self._stays(queue, sender, now, len(kept)):
                    kept.append(task)
                    self._time(key, queue)
                else:
                    onward.setdefault(queue.home, []).append(task)
        return kept, onward

    def _stays(self, queue: Queue, sender: str, now: int, beside: int) -> bool:
        """Whether a task may go to a poll of this process; where there is a rate, the home says so by sending it."""
        if queue.waiting and (sender == queue.home or not queue.held_back):
            return True
        return queue.expects(now - BUSY) and len(queue.backlog) + beside < KEPT

    def _send(self, packets: Packets, hops: int = 0) -> None:
        for member, tasks in packets.items():
            self.tasks_sent += len(tasks)
            for start in range(0, len(tasks), PACKET):
                self._peers.tell(member, TasksSent(tasks[start : start + PACKET], hops))

    def _time(self, key: QueueKey, queue: Queue) -> None:
        """Sends home, in a moment, what no poll has taken by then."""
        if not queue.timed and self._loop is not None:
            queue.timed = True
            self._loop.call_soon_threadsafe(self._loop.call_later, KEPT_S, self._send_home, key)

    def _send_home(self, key: QueueKey) -> None:
        with self._lock:
            queue = self._queues.get(key)
            if queue is None:
                return
            queue.timed = False
            if not queue.home:
                return
            now = self._clock()
            if queue.backlog and queue.expects(now - FLOW) and self._in_turn(queue, now):
                self._time(key, queue)
                packets = {queue.home: queue.cleared(PROBE)} if queue.busy_until < now else {}
            else:
                packets = {queue.home: queue.cleared()}
                queue.told = 0
                self._ask(key, queue)
        self._send(packets)

    def _in_turn(self, queue: Queue, now: int) -> bool:
        """Whether polls of this process may take its tasks, or it is time that the home puts all in their order."""
        priority, _, _, task = queue.backlog[0]
        before = queue.fair or 0 < queue.home_first < priority
        return not before or task.created_time > now - LONGEST

    def _pass_on(self, queue: Queue, task: Task) -> bool:
        """Whether a task that a poll of this process could not take goes to one of another."""
        if queue.home:
            queue.forget(task)
            self._send({queue.home: [task]})
            return True
        if not queue.asked:
            return False
        self._send({self._lend(queue, task, self._clock()): [task]})
        return True

    def _hand_out(self, queue: Queue, now: int) -> list[Any]:
        """As in Queues; what is left goes to polls that wait in other processes."""
        handed = super()._hand_out(queue, now)
        if queue.asked:
            packets: Packets = {}
            while queue.asked and (task := queue.refused() or queue.take(now)) is not None:
                packets.setdefault(self._lend(queue, task, now), []).append(task)
            self._send(packets)
        return handed

    def _lend(self, queue: Queue, task: Task, now: int) -> str:
        """Counts a task as given to the process whose turn it is."""
        member = next(iter(queue.asked))
        count = queue.asked.pop(member)
        if count > 1:
            queue.asked[member] = count - 1
        queue.lend(task, member, now)
        return member

    def _unheld(self, key: QueueKey, tasks: list[Task]) -> list[Task]:
        """See Queues."""
        queue = self._queue(key)
        if queue.home:
            return []
        with self._lock:
            unnoted, queue.unnoted = queue.unnoted, set()
        if not self.presence.elsewhere(key):
            return tasks
        before = self._clock() - IN_HAND
        unheld = [task for task in tasks if task.created_time < before or identity_of(task) in unnoted]
        if len(unheld) < len(tasks) and self._loop is not None:
            self._loop.call_later(IN_HAND / SECOND, self._look_again, key)
        return unheld

    def _look_again(self, key: QueueKey) -> None:
        """Reads the table of a queue once more, if polls wait."""
        with self._lock:
            queue = self._queues.get(key)
            if queue is not None and queue.wanted and not queue.home:
                queue.horizon = FIRST
                self._plan(key, queue)

    # Polls that wait, and where.

    def _ask(self, key: QueueKey, queue: Queue) -> None:
        """Tells the home of a queue of polls that wait here, if it knows of less than half of them.

        Where tasks are born that they may take, only of those that have waited for a while.
        """
        if queue.home and len(queue.waiting) > 2 * queue.told and self._loop is not None and not queue.asking:
            if queue.last_born < self._clock() - ASKED_AFTER:
                self._loop.call_soon_threadsafe(self._tell_waiting, key)
            else:
                queue.asking = True
                self._loop.call_soon_threadsafe(self._loop.call_later, ASKED_AFTER / SECOND, self._tell_waiting, key)

    def _tell_waiting(self, key: QueueKey) -> None:
        with self._lock:
            queue = self._queues.get(key)
            if queue is None:
                return
            queue.asking = False
            now = self._clock()
            since = now if queue.last_born < now - ASKED_AFTER else now - ASKED_AFTER
            waiting = sum(poller.begun <= since for poller in queue.waiting)
            if not queue.home or waiting <= 2 * queue.told:
                return
            queue.told = waiting
            home, message = queue.home, PollsWaiting(key, queue.told)
        self._peers.tell(home, message)

    def _withdraw(self, key: QueueKey, queue: Queue) -> None:
        """Polls went away empty: the home must not count on them."""
        if queue.home and queue.told > len(queue.waiting):
            queue.told = len(queue.waiting)
            self._peers.tell(queue.home, PollsWaiting(key, queue.told))

    def _asked(self, sender: str, message: PollsWaiting) -> None:
        with self._lock:
            queue = self._queue(message.queue)
            if queue.home:
                return  # The sender will find out, and ask the right one.
            queue.asked.pop(sender, None)
            if message.count:
                queue.asked[sender] = message.count
            handed = self._hand_out(queue, self._clock())
            self._plan(message.queue, queue)
        for poller in handed:
            poller.resolve()

    def _busy(self, sender: str, message: NoPollWaits) -> None:
        with self._lock:
            queue = self._queue(message.queue)
            if queue.home == sender:
                queue.busy_until = self._clock() + LONGEST
                queue.home_first = message.first
                queue.follow(message.clocks)

    def _queue(self, key: QueueKey) -> Queue:
        found = self._queues.get(key)
        if found is None:
            found = super()._queue(key)
            home = self.presence.home(key)
            if home:
                found.settle(home)
        return found

    def _moved(self, keys: set[QueueKey]) -> None:
        """Polls of these queues came or went, here or elsewhere."""
        packets: Packets = {}
        with self._lock:
            for key in keys:
                queue = self._queues.get(key)
                if queue is not None:
                    self._resettle(key, queue, packets)
        self._send(packets)

    def _resettle(self, key: QueueKey, queue: Queue, packets: Packets) -> None:
        home, others = self.presence.home(key), self.presence.elsewhere(key)
        left = queue.others - set(others)
        queue.others = set(others)
        named = self._clock() - FORGET_RATE
        for info in self.presence.pollers(key):
            if info.rate is not None and info.last_access > named:
                self._rate_wanted(key, queue, info.rate)
        if home != queue.home:
            tasks = queue.cleared() if home else []
            queue.settle(home)
            if home:
                packets.setdefault(home, []).extend(tasks)
        elif not home and left:
            queue.call_in(0, queue.others)
            queue.horizon = FIRST  # What the others had in mind is stored.
        self._ask(key, queue)
        self._plan(key, queue)

    # What others are told.

    async def _tell(self) -> None:
        while True:
            self.presence.look(self._polled())
            await asyncio.sleep(PACE / SECOND)

    def _polled(self) -> list[Polled]:
        """What is polled here; and again what may have been lost on the way to the homes of the queues."""
        now = self._clock()
        with self._lock:
            found = []
            for key, queue in self._queues.items():
                polled = told(key, queue, now)
                queue.announced = polled.last_poll == NOW
                queue.call_in(now - LOAN, queue.others)
                if polled.last_poll or polled.pollers:
                    found.append(polled)
                if queue.home:
                    queue.told = 0
                    self._ask(key, queue)
                    if queue.pending:
                        self._time(key, queue)
        return found

    def _announce(self, key: QueueKey) -> None:
        """Tells at once what has changed in one queue."""
        with self._lock:
            queue = self._queues.get(key)
            if queue is None:
                return
            queue.announced = True
            polled = told(key, queue, self._clock())
        self.presence.tell([polled])


def told(key: QueueKey, queue: Queue, now: int) -> Polled:
    """A queue as other processes are told of it."""
    waiting = {poller.identity for poller in queue.waiting}
    recent, oldest = now - RECENT, now - FORGET_POLLERS
    return Polled(
        key,
        NOW if queue.waiting or queue.last_poll > recent else queue.last_poll,
        tuple(
            info._replace(last_access=NOW) if info.identity in waiting or info.last_access > recent else info
            for info in queue.pollers.values()
            if info.identity in waiting or info.last_access > oldest
        ),
    )


def _key(task: Task) -> QueueKey:
    return QueueKey(task.namespace_id, task.task_queue, task.kind)
