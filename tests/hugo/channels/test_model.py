"""Channels beside a model of a few lists, under writes, reads, completions and cancellations in any order."""

import asyncio
from collections.abc import Coroutine
from dataclasses import dataclass, field
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from hugo.channels import Channel, ChannelClosed, FullMode, PrioritizedChannel
from hugo.clock import settle

CLOSED = "closed"
CANCELLED = "cancelled"
WRITTEN = "written"
WAITING = "waiting"


@dataclass
class Model:
    """Lanes of items, writers waiting for each lane, and readers waiting for any."""

    levels: int
    capacity: int | None
    mode: FullMode
    lanes: list[list[int]] = field(init=False)
    writers: list[list[tuple[int, int]]] = field(init=False)
    readers: list[int] = field(default_factory=list)
    outcomes: dict[int, object] = field(default_factory=dict)
    completed: bool = False

    def __post_init__(self) -> None:
        self.lanes = [[] for _ in range(self.levels)]
        self.writers = [[] for _ in range(self.levels)]

    def full(self, level: int) -> bool:
        return self.capacity is not None and len(self.lanes[level]) >= self.capacity

    def write(self, task: int, level: int, item: int) -> None:
        self.outcomes[task] = WRITTEN
        if self.completed:
            self.outcomes[task] = CLOSED
        elif self.readers:
            self.outcomes[self.readers.pop(0)] = item
        elif not self.full(level):
            self.lanes[level].append(item)
        elif self.mode is FullMode.WAIT:
            self.writers[level].append((task, item))
            self.outcomes[task] = WAITING
        elif self.mode is FullMode.DROP_OLDEST:
            self.lanes[level] = [*self.lanes[level][1:], item]
        elif self.mode is FullMode.DROP_NEWEST:
            self.lanes[level][-1] = item

    def read(self, task: int) -> None:
        for level, lane in enumerate(self.lanes):
            if lane:
                self.outcomes[task] = lane.pop(0)
                self.admit(level)
                return
        self.outcomes[task] = CLOSED if self.completed else WAITING
        if not self.completed:
            self.readers.append(task)

    def admit(self, level: int) -> None:
        if self.writers[level] and not self.full(level):
            task, item = self.writers[level].pop(0)
            self.outcomes[task] = WRITTEN
            self.lanes[level].append(item)

    def complete(self) -> None:
        self.completed = True
        for task in [*self.readers, *(task for lane in self.writers for task, _ in lane)]:
            self.outcomes[task] = CLOSED
        self.readers.clear()
        self.writers = [[] for _ in range(self.levels)]


class Channels(RuleBasedStateMachine):
    """The real channel and the model get the same; afterwards every task must have fared as the model says."""

    @initialize(
        levels=st.sampled_from([None, 1, 3]),
        capacity=st.sampled_from([None, 1, 2]),
        mode=st.sampled_from(FullMode),
    )
    def build(self, levels: int | None, capacity: int | None, mode: FullMode) -> None:
        self.loop = asyncio.new_event_loop()
        self.channel: Any
        if levels is None:
            self.channel = Channel(capacity, full_mode=mode)
        else:
            self.channel = PrioritizedChannel(levels, capacity_per_level=capacity, full_mode=mode)
        self.plain = levels is None
        self.model = Model(levels or 1, capacity, mode)
        self.tasks: list[asyncio.Task[Any]] = []
        self.items = 0

    def teardown(self) -> None:
        if hasattr(self, "loop"):
            self.loop.run_until_complete(self.end())
            self.loop.close()

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)

    def start(self, work: Coroutine[Any, Any, Any]) -> int:
        self.tasks.append(self.loop.create_task(work))
        self.loop.run_until_complete(settle(5))
        return len(self.tasks) - 1

    def next_item(self) -> int:
        self.items += 1
        return self.items

    @rule(level=st.integers(0, 2))
    def write(self, level: int) -> None:
        level %= self.model.levels
        item = self.next_item()
        more = () if self.plain else (level,)
        self.model.write(self.start(self.channel.writer.write(item, *more)), level, item)

    @rule(level=st.integers(0, 2))
    def try_write(self, level: int) -> None:
        level %= self.model.levels
        item = self.next_item()
        more = () if self.plain else (level,)

        async def attempt() -> bool:
            return bool(self.channel.writer.try_write(item, *more))

        refused = self.model.completed or (self.model.mode is FullMode.WAIT and self.model.full(level))
        assert self.loop.run_until_complete(attempt()) is not refused
        if not refused:
            self.model.write(-1, level, item)
        self.loop.run_until_complete(settle(5))

    @rule()
    def read(self) -> None:
        self.model.read(self.start(self.channel.reader.read()))

    @rule()
    def complete(self) -> None:
        async def attempt() -> bool:
            return bool(self.channel.writer.try_complete())

        assert self.loop.run_until_complete(attempt()) is not self.model.completed
        self.model.complete()
        self.loop.run_until_complete(settle(5))

    @precondition(lambda self: self.model.readers)
    @rule(data=st.data())
    def cancel_a_waiting_reader(self, data: st.DataObject) -> None:
        task = data.draw(st.sampled_from(self.model.readers))
        self.model.readers.remove(task)
        self.cancel(task)

    @precondition(lambda self: any(self.model.writers))
    @rule(data=st.data())
    def cancel_a_waiting_writer(self, data: st.DataObject) -> None:
        level = data.draw(st.sampled_from([level for level, line in enumerate(self.model.writers) if line]))
        waiting = data.draw(st.sampled_from(self.model.writers[level]))
        self.model.writers[level].remove(waiting)
        self.cancel(waiting[0])

    @precondition(lambda self: self.model.readers)
    @rule(level=st.integers(0, 2))
    def cancel_a_reader_that_was_promised_an_item(self, level: int) -> None:
        level %= self.model.levels
        item, first = self.next_item(), self.model.readers.pop(0)

        async def promise_and_cancel() -> None:
            self.channel.writer.try_write(item, *(() if self.plain else (level,)))
            self.tasks[first].cancel()

        self.loop.run_until_complete(promise_and_cancel())
        self.model.write(-1, level, item)
        self.cancel(first)

    @precondition(lambda self: any(self.model.writers))
    @rule()
    def cancel_a_writer_that_was_promised_room(self) -> None:
        level = next(level for level, lane in enumerate(self.model.lanes) if lane)
        waiting = self.model.writers[level]
        first = waiting.pop(0)[0] if waiting else None

        async def promise_and_cancel() -> Any:
            item = self.channel.reader.try_read()
            if first is not None:
                self.tasks[first].cancel()
            return item

        item = self.loop.run_until_complete(promise_and_cancel())
        self.model.read(-1)
        assert self.model.outcomes[-1] == item
        self.loop.run_until_complete(settle(5))
        if first is not None:
            self.model.outcomes[first] = CANCELLED

    def cancel(self, task: int) -> None:
        self.tasks[task].cancel()
        self.model.outcomes[task] = CANCELLED
        self.loop.run_until_complete(settle(5))

    @invariant()
    def every_task_fared_as_the_model_says(self) -> None:
        if not hasattr(self, "loop"):
            return
        for number, task in enumerate(self.tasks):
            assert fate(task) == self.model.outcomes[number]
        assert self.channel.reader.count == sum(map(len, self.model.lanes))
        assert self.channel.reader.drained is (self.model.completed and not any(self.model.lanes))


def fate(task: asyncio.Task[Any]) -> object:
    """What became of a read or write."""
    if not task.done():
        return WAITING
    if task.cancelled():
        return CANCELLED
    if isinstance(task.exception(), ChannelClosed):
        return CLOSED
    return WRITTEN if task.result() is None else task.result()


TestChannels = Channels.TestCase
TestChannels.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
