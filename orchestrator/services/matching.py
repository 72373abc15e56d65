"""Brings tasks and waiting workers together.

Authority: the transition that starts a task decides who got it; everything here is a hint. A task born in this process
is started for a waiting poll inside the transition that schedules it; otherwise it becomes a row and a note in memory,
from which the next poll takes it. How stored tasks are found and held back is told in `queues`, how they come to polls
of other processes in `hand_over`.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any

from orchestrator.conf import HugoSettings
from orchestrator.core.priority import Share
from orchestrator.core.run import WORKFLOW, Dispatch, Run
from orchestrator.services.hand_over import HandOver
from orchestrator.services.peers import Message, Peers
from orchestrator.services.pollers import Poller, PollerInfo, QueueKey, Started
from orchestrator.services.queue import Queue
from orchestrator.services.queues import FORGET_POLLERS
from orchestrator.services.starting import start_activity_task, start_workflow_task
from orchestrator.store.ports import Store, Task
from orchestrator.store.transition import Unit


class WorkerStopped(Message, frozen=True):
    """A worker stops; see `Matching.shut_down`."""

    namespace_id: str
    sticky_queue: str
    instance_key: str


class Matching(HandOver):
    """Polls, and the tasks they are given.

    Attributes:
        missed: tasks given to polls that turned out to be over, for tests and metrics.
    """

    def __init__(
        self,
        settings: HugoSettings,
        store: Store,
        clock: Callable[[], int],
        new_uuid: Callable[[], str],
        peers: Peers,
    ) -> None:
        super().__init__(settings, store, clock, peers)
        self.missed = 0
        self._new_uuid = new_uuid
        self._draining = False
        self._shut_down: dict[str, int] = {}
        peers.on(WorkerStopped, lambda _, message: self._shut_down_here(message))

    def drain(self) -> None:
        """Ends all waiting polls empty; later polls end at once."""
        with self._lock:
            self._draining = True
            pollers = [poller for queue in self._queues.values() for poller in queue.waiting]
            for queue in self._queues.values():
                queue.waiting.clear()
        for poller in pollers:
            poller.resolve()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self.presence.leave)

    async def next_item(self, poller: Poller) -> "Task | Started | Any | None":
        """What a poll gets next: a stored task to be started, one started for it, a query, or None when its time is up.

        Cancelling the call loses nothing.
        """
        queue = self._seen(poller)
        while True:
            with self._lock:
                item = self._ready(queue)
                if item is None and (queue.pending or not queue.stored):
                    if self._draining or poller.instance_key in self._shut_down:
                        return None
                    queue.waiting[poller] = None
                    self._plan(poller.queue, queue)
                    if queue.home:
                        self._ask(poller.queue, queue)
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
            queue = self._queue(key)
            if not queue.waiting:
                if not isinstance(item, Task) or not self._pass_on(queue, item):
                    queue.orphans.append(item)
                return
            poller, _ = queue.waiting.popitem(last=False)
            poller.item = item
        poller.resolve()

    def offer_query(self, key: QueueKey, query: Any) -> None:
        """Gives a query to a waiting poll, or to the next one."""
        self.put_back(key, query)

    def withdraw_query(self, key: QueueKey, query: Any) -> None:
        """Takes back a query nobody has taken."""
        with self._lock:
            queue = self._queues.get(key)
            if queue is not None and query in queue.orphans:
                queue.orphans.remove(query)

    def over(self, key: QueueKey, task: Task) -> None:
        """A task taken from memory turned out to be over."""
        self.missed += 1
        self.forget(key, task)

    def shut_down(self, namespace_id: str, sticky_queue: str, instance_key: str) -> None:
        """A worker stops: its polls end empty, in every process, and its sticky queue counts as unserved."""
        stopped = WorkerStopped(namespace_id, sticky_queue, instance_key)
        self._shut_down_here(stopped)
        self._peers.tell_all(stopped)

    def _shut_down_here(self, stopped: WorkerStopped) -> None:
        instance_key = stopped.instance_key
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
                        del queue.waiting[poller]
                    gone.extend(mine)
            sticky = QueueKey(stopped.namespace_id, stopped.sticky_queue, WORKFLOW)
            served = bool(stopped.sticky_queue) and sticky in self._queues
            if served:
                self._queues[sticky].last_poll = 0
        for poller in gone:
            poller.resolve()
        if served:
            self._announce(sticky)

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
            poller = self._reserve(key, dispatch.share, unit.now)
            if poller is None:
                kept.append(dispatch)
                continue
            unit.after_rollback(partial(self._restore, poller))
            start = start_workflow_task if dispatch.kind == WORKFLOW else start_activity_task
            started = start(unit, run, dispatch.scheduled_event_id, poller, self._new_uuid())
            unit.after_commit(partial(self._hand_over, poller, started))
        run.dispatches[:] = kept

    def place(self, run: Run) -> None:
        """Gives the tasks that become rows their places among those of their queues."""
        for dispatch in run.dispatches:
            key = QueueKey(run.state.namespace_id, dispatch.task_queue, dispatch.kind)
            queue = self._queues.get(key)
            if not dispatch.share.key and (queue is None or not queue.fair):
                continue
            with self._lock:
                dispatch.fairness_pass = self._queue(key).place(dispatch.share, run.now)

    def offer(self, tasks: list[Task]) -> None:
        """Notes committed tasks, and wakes a waiting poll for each."""
        self._note(self._kept(tasks), born=True)

    def _reserve(self, key: QueueKey, share: Share, now: int) -> Poller | None:
        queue = self._queues.get(key)
        if queue is None or not queue.waiting:
            return None
        with self._lock:
            if not queue.admits(share, now):
                return None
            queue.traffic.came(share.level, now)
            queue.traffic.went(share.level, now)
            queue.last_born = now
            poller, _ = queue.waiting.popitem(last=False)
            return poller

    def _restore(self, poller: Poller) -> None:
        """The transition that wanted this poll failed: it waits again, at the front."""
        with self._lock:
            if poller.abandoned:
                return
            if not (poller.expired or self._draining or poller.instance_key in self._shut_down):
                # Something may have come that saw nobody waiting.
                queue = self._queue(poller.queue)
                poller.item = self._ready(queue)
                if poller.item is None:
                    queue.waiting[poller] = None
                    queue.waiting.move_to_end(poller, last=False)
                    self._plan(poller.queue, queue)
                    self._ask(poller.queue, queue)
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
            queue = self._queues[poller.queue]
            if poller not in queue.waiting:
                poller.expired = True
                return
            del queue.waiting[poller]
            self._withdraw(poller.queue, queue)
        poller.resolve()

    def _abandon(self, poller: Poller) -> None:
        """A poll was cancelled: what it was given goes to the next one."""
        with self._lock:
            poller.abandoned = True
            item = poller.item
            queue = self._queues[poller.queue]
            if queue.waiting.pop(poller, False) is None:
                self._withdraw(poller.queue, queue)
        if item is not None:
            self.put_back(poller.queue, item)

    def _seen(self, poller: Poller) -> Queue:
        now = self._clock()
        poller.begun = poller.begun or now
        with self._lock:
            queue = self._queue(poller.queue)
            queue.last_poll = now
            queue.pollers[poller.identity] = PollerInfo(poller.identity, now, poller.rate)
            if poller.rate is not None or queue.worker_rate is not None:
                self._rate_seen(poller, queue, now)
        if not queue.announced:
            self._announce(poller.queue)
        return queue
