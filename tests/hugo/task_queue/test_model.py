"""A task queue beside a model: every item is pending, leased, completed or a dead letter, and exactly one of them."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hugo.clock import FakeClock, settle
from hugo.errors import Error
from hugo.task_queue import DeadLetter, LeaseInactive, QueueClosed, TaskQueue, TaskQueueLease, TaskQueueOptions

CAPACITY = 3
ATTEMPTS = 3
DURATION = 10
HEARTBEAT = 3
NO = Error("no", "app.no")


@dataclass
class Item:
    """An item in the model."""

    value: int
    attempt: int = 1
    ready_at: float = 0.0


@dataclass
class Held:
    """A lease in the model, beside the real one."""

    item: Item
    lease: TaskQueueLease[int]
    expires: float
    extended: float


class Queues(RuleBasedStateMachine):
    """The real queue and the model get the same; afterwards they must hold the same."""

    @initialize(delay=st.sampled_from([0, 4]))
    def build(self, delay: int) -> None:
        self.loop = asyncio.new_event_loop()
        self.clock = FakeClock()
        self.delay = delay
        self.letters: list[int] = []
        self.queue = self.make()
        # The model: items in order, leases, dead letters, and tasks that wait.
        self.pending: list[Item] = []
        self.delayed: list[Item] = []
        self.held: list[Held] = []
        self.over: list[Held] = []
        self.dead: list[int] = []
        self.completed: set[int] = set()
        self.leasing: list[asyncio.Task[TaskQueueLease[int]]] = []
        self.enqueuing: list[tuple[asyncio.Task[int], int]] = []
        self.values = 0

    def make(self) -> TaskQueue[int]:
        options = TaskQueueOptions(
            capacity=CAPACITY,
            lease_duration=DURATION,
            heartbeat_interval=HEARTBEAT,
            requeue_delay=self.delay,
            max_delivery_attempts=ATTEMPTS,
        )

        async def bury(letter: DeadLetter[int]) -> None:
            self.letters.append(letter.value)

        return TaskQueue(options, clock=self.clock, dead_letter=bury)

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            try:
                self.do(self.queue.aclose())
            finally:
                self.loop.close()
            self.those_who_wait_are_told()
            held = {item.value for item in [*self.pending, *self.delayed, *(held.item for held in self.held)]}
            assert sorted(self.letters) == sorted([*self.dead, *held])

    def do(self, work: Coroutine[Any, Any, Any]) -> Any:
        """Runs `work`, then lets all tasks run that it woke."""
        try:
            return self.loop.run_until_complete(work)
        finally:
            self.loop.run_until_complete(settle(8))

    # What the model does when something is freed.

    def deliver(self) -> None:
        """Items go to the workers that wait, and waiting producers get the room."""
        while True:
            if self.pending and self.leasing:
                self.leased(self.pending.pop(0), self.leasing.pop(0).result())
            elif self.enqueuing and len(self.pending) + len(self.delayed) < CAPACITY:
                task, value = self.enqueuing.pop(0)
                assert task.result() > 0
                self.pending.append(Item(value))
            else:
                return

    def leased(self, item: Item, lease: TaskQueueLease[int]) -> None:
        assert (lease.value, lease.attempt) == (item.value, item.attempt)
        now = self.clock.monotonic()
        self.held.append(Held(item, lease, now + DURATION, now))

    def returned(self, item: Item) -> None:
        if item.attempt == ATTEMPTS:
            self.dead.append(item.value)
            return
        item.attempt += 1
        if self.delay:
            item.ready_at = self.clock.monotonic() + self.delay
            self.delayed.append(item)
        else:
            self.pending.append(item)

    # What is done to both.

    @rule()
    def enqueue(self) -> None:
        self.values += 1
        task = self.loop.create_task(self.queue.enqueue(self.values))
        self.do(settle(1))
        self.enqueuing.append((task, self.values))
        self.deliver()

    @rule()
    def lease(self) -> None:
        task = self.loop.create_task(self.queue.lease())
        self.do(settle(1))
        self.leasing.append(task)
        self.deliver()

    @precondition(lambda self: self.leasing)
    @rule(data=st.data(), promised=st.booleans())
    def cancel_a_worker(self, data: st.DataObject, promised: bool) -> None:
        if promised and len(self.pending) + len(self.delayed) < CAPACITY:
            # The first in line is promised an item, and cancelled before it runs.
            task = self.leasing.pop(0)
            self.values += 1

            async def promise_and_cancel() -> None:
                await self.queue.enqueue(self.values)
                task.cancel()

            self.do(promise_and_cancel())
            self.pending.append(Item(self.values))
        else:
            task = self.leasing.pop(data.draw(st.integers(0, len(self.leasing) - 1)))
            task.cancel()
            self.do(settle(1))
        assert task.cancelled()
        self.deliver()

    @precondition(lambda self: self.enqueuing)
    @rule(data=st.data())
    def cancel_a_producer(self, data: st.DataObject) -> None:
        task, _ = self.enqueuing.pop(data.draw(st.integers(0, len(self.enqueuing) - 1)))
        task.cancel()
        self.do(settle(1))
        assert task.cancelled()

    @precondition(lambda self: self.held)
    @rule(data=st.data(), how=st.sampled_from(["complete", "fail", "give up", "release"]))
    def finish(self, data: st.DataObject, how: str) -> None:
        held = self.held.pop(data.draw(st.integers(0, len(self.held) - 1)))
        self.over.append(held)
        lease, item = held.lease, held.item
        if how == "complete":
            self.do(lease.complete())
            self.completed.add(item.value)
        elif how == "fail":
            self.do(lease.fail(NO))
            self.returned(item)
        elif how == "give up":
            self.do(lease.fail(NO, requeue=False))
            self.dead.append(item.value)
        else:
            self.do(lease.release())
            self.pending.insert(0, item)
        self.deliver()

    @precondition(lambda self: self.held)
    @rule(data=st.data())
    def heartbeat(self, data: st.DataObject) -> None:
        held = data.draw(st.sampled_from(self.held))
        now = self.clock.monotonic()
        if now - held.extended >= HEARTBEAT:
            held.extended, held.expires = now, now + DURATION
        expires_at = self.do(held.lease.heartbeat())
        assert (expires_at - self.clock.utcnow()).total_seconds() == held.expires - now

    @precondition(lambda self: self.over)
    @rule(data=st.data(), how=st.sampled_from(["complete", "heartbeat", "release"]))
    def use_a_lease_that_is_over(self, data: st.DataObject, how: str) -> None:
        held = data.draw(st.sampled_from(self.over))
        try:
            self.do(getattr(held.lease, how)())
        except (LeaseInactive, QueueClosed):
            return
        raise AssertionError("A lease that is over still worked.")

    @rule(seconds=st.integers(1, 12))
    def let_time_pass(self, seconds: int) -> None:
        for _ in range(seconds):
            self.do(self.clock.advance_and_settle(1, rounds=8))
            now = self.clock.monotonic()
            for held in [held for held in self.held if held.expires <= now]:
                self.held.remove(held)
                self.over.append(held)
                self.returned(held.item)
            for item in [item for item in self.delayed if item.ready_at <= now]:
                self.delayed.remove(item)
                self.pending.append(item)
            self.deliver()

    @rule()
    def move_to_another_queue(self) -> None:
        expected = [*(held.item for held in self.held), *self.pending, *self.delayed]
        items = self.do(self.queue.drain())
        assert [(item.value, item.attempt) for item in items] == [(item.value, item.attempt) for item in expected]
        self.those_who_wait_are_told()
        self.queue = self.make()
        self.do(self.queue.restore(items))
        self.over += self.held
        self.pending = expected
        self.delayed, self.held, self.leasing, self.enqueuing = [], [], [], []

    def those_who_wait_are_told(self) -> None:
        for task in [*self.leasing, *(task for task, _ in self.enqueuing)]:
            assert isinstance(task.exception(), QueueClosed)

    @invariant()
    def both_hold_the_same(self) -> None:
        if not hasattr(self, "loop"):
            return
        assert self.queue.pending_count == len(self.pending) + len(self.delayed)
        assert self.queue.active_lease_count == len(self.held)
        assert self.letters == self.dead
        assert not any(task.done() for task in self.leasing)
        assert not any(task.done() for task, _ in self.enqueuing)


TestQueues = Queues.TestCase
TestQueues.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
