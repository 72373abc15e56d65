"""The task queues of one process: who polled them, which stored tasks are noted, and when those may go.

Rows nobody told us of (another process, a restart) are found by looking at the table when a queue is polled for the
first time, and by a slow sweep of the queues that have waiting polls. A poll waits beside a task only when a rate limit
says so; a timer then looks again when the next task may go.
"""

import asyncio
import itertools
import logging
import random
import threading
from collections.abc import Awaitable, Callable, Coroutine
from typing import Any

from temporalio.api.enums.v1 import RateLimitSource
from temporalio.api.taskqueue.v1 import TaskQueueConfig

from hugo.go import run
from orchestrator.conf import HugoSettings
from orchestrator.core.run import ACTIVITY
from orchestrator.core.wire import SECOND
from orchestrator.services.loops import Loops
from orchestrator.services.pollers import Poller, PollerInfo, QueueKey
from orchestrator.services.queue import BACKLOG, FIRST, Queue
from orchestrator.store.ports import Store, Task

logger = logging.getLogger(__name__)

FORGET_POLLERS = 300 * SECOND
FORGET_RATE = 60 * SECOND
"""How long the rate of a worker holds after its last poll that named one."""
SWEEPS_A_LOOK = 10
"""Sweeps after which configurations are read that other processes may have changed."""


class Queues:
    """All task queues; `_lock` guards them, committing threads and the event loop both take it, never for long."""

    def __init__(self, settings: HugoSettings, store: Store, clock: Callable[[], int]) -> None:
        self._settings = settings
        self._store = store
        self._clock = clock
        self._lock = threading.Lock()
        self._queues: dict[QueueKey, Queue] = {}
        self._configs: dict[QueueKey, TaskQueueConfig] = {}
        self._order = itertools.count()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run_db: Callable[..., Awaitable[Any]] | None = None
        self._loops = Loops()

    def start(self, loop: asyncio.AbstractEventLoop, run_db: Callable[..., Awaitable[Any]]) -> None:
        """Begins to sweep."""
        self._loop, self._run_db = loop, run_db
        self._loops.go("hugo-sweep", self._sweep)

    async def stop(self) -> None:
        """Stops its loops."""
        await self._loops.stop()

    def forget(self, key: QueueKey, task: Task) -> None:
        """A task taken from memory was started, or turned out to be over."""
        with self._lock:
            self._queues[key].forget(task)

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

    def look(self, key: QueueKey) -> Queue | None:
        """What this process knows of a queue; to be read only."""
        return self._queues.get(key)

    def config(self, key: QueueKey) -> TaskQueueConfig | None:
        """What operators have set on a queue."""
        return self._configs.get(key)

    def rate(self, key: QueueKey) -> tuple[float | None, RateLimitSource.ValueType]:
        """The rate of a queue in force, and who wants it; see `Queue.rate`."""
        queue = self._queues.get(key)
        if queue is None:
            queue = Queue()
            queue.configure(self._configs.get(key))
        return queue.rate()

    def suggestion(self, poller: Poller) -> int:
        """How many polls more, or fewer, the worker of a poll that got a task should hold."""
        queue = self._queues.get(poller.queue)
        if queue is None:
            return 0
        now = self._clock()
        with self._lock:
            oldest = queue.backlog[0][3].created_time if queue.backlog and queue.limits is None else 0
            return queue.traffic.suggestion(now, now - poller.begun, oldest)

    def configure(self, key: QueueKey, config: TaskQueueConfig) -> None:
        """An operator has changed the configuration of a queue."""
        with self._lock:
            self._configs[key] = config
            self._change(key, lambda queue: queue.configure(config))

    def _change(self, key: QueueKey, change: Callable[[Queue], None]) -> None:
        """Changes the rates of a queue this process knows, and lets polls go on that waited for the former ones."""
        queue = self._queues.get(key)
        if queue is not None:
            change(queue)
            queue.timer_at = 0
            self._plan(key, queue)

    def _note(self, tasks: list[Task], *, born: bool) -> int:
        """Notes stored tasks and gives them to waiting polls; returns how many are new."""
        handed: list[Poller] = []
        noted = 0
        now = self._clock()
        with self._lock:
            for task in tasks:
                key = QueueKey(task.namespace_id, task.task_queue, task.kind)
                queue = self._queue(key)
                if born:
                    queue.traffic.came(task.priority, now)
                if queue.note(task, next(self._order)):
                    noted += 1
                    if queue.waiting or queue.asked:
                        handed.extend(self._hand_out(queue, now))
                        self._plan(key, queue)
        for poller in handed:
            poller.resolve()
        return noted

    def _queue(self, key: QueueKey) -> Queue:
        queue = self._queues.get(key)
        if queue is None:
            queue = self._queues[key] = Queue()
            if key in self._configs:
                queue.configure(self._configs[key])
        return queue

    def _hand_out(self, queue: Queue, now: int) -> list[Poller]:
        """Gives waiting polls what they may have now; they are to be resolved."""
        handed: list[Poller] = []
        while queue.waiting and (task := queue.take(now)) is not None:
            poller, _ = queue.waiting.popitem(last=False)
            poller.item = task
            handed.append(poller)
        return handed

    def _plan(self, key: QueueKey, queue: Queue) -> None:
        """Looks again when the next task may go, if a rate limit is all that polls wait for."""
        if not queue.wanted or not (queue.pending or queue.stored) or self._loop is None:
            return
        at = queue.next_at() if queue.pending else 1
        if at and (not queue.timer_at or at < queue.timer_at):
            queue.timer_at = at
            self._loop.call_soon_threadsafe(self._arm, key, at)

    def _arm(self, key: QueueKey, at: int) -> None:
        assert self._loop is not None
        self._loop.call_later(max(0, at - self._clock()) / SECOND, self._due, key, at)

    def _due(self, key: QueueKey, at: int) -> None:
        with self._lock:
            queue = self._queues.get(key)
            if queue is None or queue.timer_at != at:
                return
            queue.timer_at = 0
            handed = self._hand_out(queue, self._clock())
            read = queue.wanted and queue.stored and not queue.pending
            if not read:
                self._plan(key, queue)
        for poller in handed:
            poller.resolve()
        if read:
            self._begin(self._read(key, queue), f"the stored tasks of {key.name}")

    def _rate_seen(self, poller: Poller, queue: Queue, now: int) -> None:
        """The rate the last worker named is the one that holds; one that nobody names any more is forgotten."""
        if poller.queue.kind != ACTIVITY:
            return
        if poller.rate is not None or queue.worker_rate_at <= now - FORGET_RATE:
            self._rate_wanted(poller.queue, queue, poller.rate)

    def _rate_wanted(self, key: QueueKey, queue: Queue, rate: float | None) -> None:
        """Tasks a second that a worker wants the queue to hand out at most."""
        if rate is not None:
            queue.worker_rate_at = self._clock()
        if rate != queue.worker_rate:
            self._change(key, lambda found: found.set_worker_rate(rate))

    def _ready(self, queue: Queue) -> Any:
        if queue.orphans:
            return queue.orphans.popleft()
        return queue.take(self._clock())

    async def _read(self, key: QueueKey, queue: Queue) -> None:
        """Notes the stored tasks of a queue."""
        assert self._run_db is not None
        with self._lock:
            queue.horizon = None
        try:
            tasks = await self._run_db(self._store.waiting_tasks, key.namespace_id, key.name, key.kind, BACKLOG)
        except BaseException:
            with self._lock:
                queue.horizon = FIRST
            raise
        if not tasks:
            return
        noted = self._note(self._unheld(key, tasks), born=False)
        # When all of them are being started already, the next sweep looks again.
        if noted and len(tasks) == BACKLOG:
            with self._lock:
                queue.ends_at(tasks[-1])
                self._plan(key, queue)

    def _unheld(self, key: QueueKey, tasks: list[Task]) -> list[Task]:
        """Those of the stored tasks of a queue that no other process has in hand."""
        return tasks

    def _look_at_configs(self) -> None:
        """Learns soon what operators want of the queues."""
        self._begin(self._read_configs(), "the configurations of task queues")

    def _begin(self, reading: Coroutine[Any, Any, None], what: str) -> None:
        async def read() -> None:
            try:
                await reading
            except Exception:
                logger.exception("reading %s failed", what)

        run(read)

    async def _read_configs(self) -> None:
        """Learns what operators want of the queues."""
        assert self._run_db is not None
        for queue, data in (await self._run_db(self._store.task_queue_configs)).items():
            key, config = QueueKey(*queue), TaskQueueConfig.FromString(data)
            if self._configs.get(key) != config:
                self.configure(key, config)

    async def _sweep(self) -> None:
        """Looks at the tables of queues with waiting polls, at a slow and uneven pace."""
        for sweep in itertools.count():
            try:
                if sweep == 0 or (sweep % SWEEPS_A_LOOK == 0 and self._queues):
                    await self._read_configs()
            except Exception:
                logger.exception("reading the configurations of task queues failed")
            await asyncio.sleep(self._settings.sweep_interval * (0.75 + random.random() / 2))
            with self._lock:
                waiting = [(key, queue) for key, queue in self._queues.items() if queue.wanted and not queue.home]
                idle = [
                    key
                    for key, queue in self._queues.items()
                    if not queue.wanted and not queue.orphans and queue.last_poll < self._clock() - FORGET_POLLERS
                ]
                for key in idle:
                    del self._queues[key]
                if sweep % SWEEPS_A_LOOK == 0:
                    self._doubt()
            if not waiting:
                continue
            try:
                await self._sweep_once(waiting)
            except Exception:
                logger.exception("looking for stored tasks failed")

    def _doubt(self) -> None:
        """Where no poll ever waits, no sweep looks: the table is read again when what is noted has gone."""
        for queue in self._queues.values():
            if queue.pending and not queue.home and not queue.stored:
                queue.horizon = FIRST

    async def _sweep_once(self, waiting: list[tuple[QueueKey, Queue]]) -> None:
        """Asks for all queues at once which have stored tasks, and reads those."""
        assert self._run_db is not None
        stored: list[bool] = await self._run_db(self._store.stored_queues, [key for key, _ in waiting])
        for (key, queue), has_tasks in zip(waiting, stored, strict=True):
            if has_tasks:
                await self._read(key, queue)
