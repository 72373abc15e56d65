"""Brings tasks and waiting workers together.

Authority: the transition that starts a task decides who got it; everything here is a hint. A task born in this process
is started for a waiting poll inside the transition that schedules it; otherwise it becomes a row and a note in memory,
from which the next poll takes it. Rows nobody told us of (another process, a restart) are found by looking at the table
when a queue is polled for the first time, and by a slow sweep of the queues that have waiting polls.

Locking: `_lock` guards the queues; committing threads and the event loop both take it, never for long.
"""

import asyncio
import heapq
import itertools
import logging
import random
import threading
from collections import deque
from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any

from orchestrator.conf import HugoSettings
from orchestrator.core.run import WORKFLOW, Dispatch, Run
from orchestrator.core.wire import SECOND
from orchestrator.services.pollers import Poller, PollerInfo, QueueKey, Started
from orchestrator.services.starting import start_activity_task, start_workflow_task
from orchestrator.store.ports import Store, Task
from orchestrator.store.transition import Unit

logger = logging.getLogger(__name__)

BACKLOG = 2000
"""Tasks of one queue noted in memory, at most; more are read from the table when these are gone."""
FORGET_POLLERS = 300 * SECOND


class Queue:
    """What this process knows of one task queue."""

    __slots__ = ("backlog", "known", "last_poll", "orphans", "pollers", "stored", "waiting")

    def __init__(self) -> None:
        self.waiting: deque[Poller] = deque()
        self.backlog: list[tuple[int, int, Task]] = []
        self.known: set[tuple[str, int, int]] = set()
        self.orphans: deque[Any] = deque()
        self.pollers: dict[str, PollerInfo] = {}
        self.last_poll = 0
        self.stored = True

    def note(self, task: Task, order: int) -> bool:
        """Remembers a stored task; False when it is known already or there is no room."""
        identity = (task.run_id, task.scheduled_event_id, task.stamp)
        if identity in self.known:
            return False
        if len(self.backlog) >= BACKLOG:
            self.stored = True
            return False
        self.known.add(identity)
        heapq.heappush(self.backlog, (task.priority, order, task))
        return True

    def take(self) -> Task | None:
        """The next task in memory."""
        if not self.backlog:
            return None
        return heapq.heappop(self.backlog)[2]

    def forget(self, task: Task) -> None:
        """The task was started or dropped; the same dispatch will not come again."""
        self.known.discard((task.run_id, task.scheduled_event_id, task.stamp))


class Matching:
    """All task queues of this process."""

    def __init__(
        self, settings: HugoSettings, store: Store, clock: Callable[[], int], new_uuid: Callable[[], str]
    ) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._new_uuid = new_uuid
        self._lock = threading.Lock()
        self._queues: dict[QueueKey, Queue] = {}
        self._order = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run_db: Callable[..., Awaitable[Any]] | None = None
        self._sweeper: asyncio.Task[None] | None = None
        self._draining = False
        self._shut_down: dict[str, int] = {}

    def start(self, loop: asyncio.AbstractEventLoop, run_db: Callable[..., Awaitable[Any]]) -> None:
        """Begins to sweep."""
        self._loop, self._run_db = loop, run_db
        self._sweeper = loop.create_task(self._sweep(), name="hugo-sweep")

    async def stop(self) -> None:
        """Stops sweeping."""
        if self._sweeper is not None:
            self._sweeper.cancel()
            await asyncio.gather(self._sweeper, return_exceptions=True)

    def drain(self) -> None:
        """Ends all waiting polls empty; later polls end at once."""
        with self._lock:
            self._draining = True
            pollers = [poller for queue in self._queues.values() for poller in queue.waiting]
            for queue in self._queues.values():
                queue.waiting.clear()
        for poller in pollers:
            poller.resolve()

    # Polls.

    async def next_item(self, poller: Poller) -> "Task | Started | Any | None":
        """What a poll gets next: a stored task to be started, one started for it, a query, or None when its time is up.

        Cancelling the call loses nothing.
        """
        queue = self._seen(poller)
        while True:
            with self._lock:
                item = self._ready(queue)
                if item is None and not queue.stored:
                    if self._draining or poller.instance_key in self._shut_down:
                        return None
                    queue.waiting.append(poller)
                    break
            if item is not None:
                return item
            await self._read(poller.queue, queue)
            if self._draining:
                return None
        loop = asyncio.get_running_loop()
        timer = loop.call_at(poller.deadline, self._expire, poller)
        try:
            await poller.future
        except asyncio.CancelledError:
            self._abandon(poller)
            raise
        finally:
            timer.cancel()
        return poller.item

    def put_back(self, key: QueueKey, item: Any) -> None:
        """Something a poll did not take: the next poll of the queue gets it first."""
        with self._lock:
            queue = self._queues.setdefault(key, Queue())
            if not queue.waiting:
                queue.orphans.append(item)
                return
            poller = queue.waiting.popleft()
            poller.item = item
        poller.resolve()

    def forget(self, key: QueueKey, task: Task) -> None:
        """A task taken from memory was started, or turned out to be over."""
        with self._lock:
            self._queues[key].forget(task)

    def offer_query(self, key: QueueKey, query: Any) -> None:
        """Gives a query to a waiting poll, or to the next one."""
        self.put_back(key, query)

    def withdraw_query(self, key: QueueKey, query: Any) -> None:
        """Takes back a query nobody has taken."""
        with self._lock:
            queue = self._queues.get(key)
            if queue is not None and query in queue.orphans:
                queue.orphans.remove(query)

    def served(self, key: QueueKey) -> bool:
        """Whether a worker polls the queue, or did a moment ago."""
        queue = self._queues.get(key)
        if queue is None:
            return False
        window = int(self._settings.sticky_poller_window * SECOND)
        return bool(queue.waiting) or queue.last_poll > self._clock() - window

    def last_poll(self, key: QueueKey) -> int:
        """When the queue was last polled, nanoseconds since the epoch; now while a poll waits, 0 for never."""
        queue = self._queues.get(key)
        if queue is None:
            return 0
        return self._clock() if queue.waiting else queue.last_poll

    def pollers(self, key: QueueKey) -> list[PollerInfo]:
        """The workers that polled the queue within the last five minutes."""
        queue = self._queues.get(key)
        if queue is None:
            return []
        oldest = self._clock() - FORGET_POLLERS
        with self._lock:
            waiting = {poller.identity for poller in queue.waiting}
            now = self._clock()
            return [
                info._replace(last_access=now) if info.identity in waiting else info
                for info in queue.pollers.values()
                if info.last_access > oldest or info.identity in waiting
            ]

    def backlog(self, key: QueueKey) -> int:
        """Tasks of the queue noted in memory."""
        queue = self._queues.get(key)
        return len(queue.backlog) if queue is not None else 0

    def shut_down(self, namespace_id: str, sticky_queue: str, instance_key: str) -> None:
        """A worker stops: its polls end empty, and its sticky queue counts as unserved."""
        with self._lock:
            gone: list[Poller] = []
            if instance_key:
                now = self._clock()
                self._shut_down[instance_key] = now
                for key in [key for key, at in self._shut_down.items() if at < now - FORGET_POLLERS]:
                    del self._shut_down[key]
                for queue in self._queues.values():
                    mine = [poller for poller in queue.waiting if poller.instance_key == instance_key]
                    for poller in mine:
                        queue.waiting.remove(poller)
                    gone.extend(mine)
            queue_key = QueueKey(namespace_id, sticky_queue, WORKFLOW)
            if sticky_queue and queue_key in self._queues:
                self._queues[queue_key].last_poll = 0
        for poller in gone:
            poller.resolve()

    # The unit of work's side (Dispatcher); on committing threads.

    def assign(self, unit: Unit, run: Run) -> None:
        """Starts what waiting polls of this process can take, within the transition that schedules it."""
        state = run.state
        kept: list[Dispatch] = []
        for dispatch in list(run.dispatches):
            task = state.workflow_task
            if (
                dispatch.kind == WORKFLOW
                and task is not None
                and task.sticky
                and dispatch.task_queue == task.task_queue
            ):
                if not self.served(QueueKey(state.namespace_id, task.task_queue, WORKFLOW)):
                    dispatch.task_queue = state.task_queue
            key = QueueKey(state.namespace_id, dispatch.task_queue, dispatch.kind)
            poller = self._reserve(key)
            if poller is None:
                kept.append(dispatch)
                continue
            unit.after_rollback(partial(self._restore, poller))
            start = start_workflow_task if dispatch.kind == WORKFLOW else start_activity_task
            started = start(unit, run, dispatch.scheduled_event_id, poller, self._new_uuid())
            unit.after_commit(partial(self._hand_over, poller, started))
        run.dispatches[:] = kept

    def offer(self, tasks: list[Task]) -> None:
        """Notes committed tasks, and wakes a waiting poll for each."""
        handed: list[Poller] = []
        with self._lock:
            for task in tasks:
                queue = self._queues.setdefault(QueueKey(task.namespace_id, task.task_queue, task.kind), Queue())
                if queue.note(task, next(self._order)) and queue.waiting:
                    poller = queue.waiting.popleft()
                    poller.item = queue.take()
                    handed.append(poller)
        for poller in handed:
            poller.resolve()

    def _reserve(self, key: QueueKey) -> Poller | None:
        queue = self._queues.get(key)
        if queue is None or not queue.waiting:
            return None
        with self._lock:
            return queue.waiting.popleft() if queue.waiting and not queue.backlog else None

    def _restore(self, poller: Poller) -> None:
        """The transition that wanted this poll failed: it waits again, at the front."""
        with self._lock:
            if poller.abandoned:
                return
            if not (poller.expired or self._draining or poller.instance_key in self._shut_down):
                # Something may have come that saw nobody waiting.
                queue = self._queues.setdefault(poller.queue, Queue())
                poller.item = self._ready(queue)
                if poller.item is None:
                    queue.waiting.appendleft(poller)
                    return
        poller.resolve()

    def _hand_over(self, poller: Poller, started: Started) -> None:
        with self._lock:
            gone = poller.abandoned
            if not gone:
                poller.item = started
        if gone:
            self.put_back(poller.queue, started)
        else:
            poller.resolve()

    def _expire(self, poller: Poller) -> None:
        """The time of a poll is up; one that a transition has reserved waits for its outcome."""
        with self._lock:
            try:
                self._queues[poller.queue].waiting.remove(poller)
            except ValueError:
                poller.expired = True
                return
        poller.resolve()

    def _abandon(self, poller: Poller) -> None:
        """A poll was cancelled: what it was given goes to the next one."""
        with self._lock:
            poller.abandoned = True
            item = poller.item
            try:
                self._queues[poller.queue].waiting.remove(poller)
            except ValueError:
                pass
        if item is not None:
            self.put_back(poller.queue, item)

    # Inside.

    def _seen(self, poller: Poller) -> Queue:
        now = self._clock()
        with self._lock:
            queue = self._queues.get(poller.queue)
            if queue is None:
                queue = self._queues[poller.queue] = Queue()
            queue.last_poll = now
            queue.pollers[poller.identity] = PollerInfo(poller.identity, now, poller.rate)
            return queue

    def _ready(self, queue: Queue) -> Any:
        if queue.orphans:
            return queue.orphans.popleft()
        return queue.take()

    async def _read(self, key: QueueKey, queue: Queue) -> None:
        """Notes the stored tasks of a queue."""
        assert self._run_db is not None
        with self._lock:
            queue.stored = False
        try:
            tasks = await self._run_db(self._store.waiting_tasks, key.namespace_id, key.name, key.kind, BACKLOG)
        except BaseException:
            queue.stored = True
            raise
        if tasks:
            self.offer(tasks)

    async def _sweep(self) -> None:
        """Looks at the tables of queues with waiting polls, at a slow and uneven pace."""
        while True:
            await asyncio.sleep(self._settings.sweep_interval * (0.75 + random.random() / 2))
            with self._lock:
                waiting = [(key, queue) for key, queue in self._queues.items() if queue.waiting]
                idle = [
                    key
                    for key, queue in self._queues.items()
                    if not queue.waiting
                    and not queue.backlog
                    and not queue.orphans
                    and queue.last_poll < self._clock() - FORGET_POLLERS
                ]
                for key in idle:
                    del self._queues[key]
            if not waiting:
                continue
            try:
                await self._sweep_once(waiting)
            except asyncio.CancelledError:
                raise
            except Exception:
                logger.exception("looking for stored tasks failed")

    async def _sweep_once(self, waiting: list[tuple[QueueKey, Queue]]) -> None:
        """Asks for all queues at once which have stored tasks, and reads those."""
        assert self._run_db is not None
        stored: list[bool] = await self._run_db(self._store.stored_queues, [key for key, _ in waiting])
        for (key, queue), has_tasks in zip(waiting, stored, strict=True):
            if has_tasks:
                await self._read(key, queue)
