"""Timers that are due at once, or at a pace: when each fired, and what firing them costs."""

from __future__ import annotations

import asyncio
import time
from typing import Any

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.command.v1 import Command, StartTimerCommandAttributes
from temporalio.api.enums.v1 import CommandType

from benchmarks.run_load import RunLoad
from benchmarks.workflow_load import COMPLETE

QUIET = 5.0
"""Seconds after the due time in which nobody polls, so that the server does nothing but fire."""
MARGIN = 2.0
"""Seconds between the last timer that is set and the due time, at least."""


class TimerLoad(RunLoad):
    """`count` runs with a timer each, all due at one moment, or `pace` of them a second.

    The latency of a timer is the time of its event less the time it was due, by the clock of the server; with a server
    on another machine it is worth nothing. A timer that fires early is an error, one that is lost is not finished.
    """

    pace: float | None = None

    async def open(self) -> None:
        await super().open()
        began = time.time()
        await self._each(lambda i: self.start(i, f"{self.run_name}-{i}"))
        # Setting the timers takes about as long again, twice if taking the tasks is dearer.
        self._due = time.time() + 3 * (time.time() - began) + MARGIN
        self._left = self.options.count
        await asyncio.gather(*(self._set_timers(i) for i in range(self.options.concurrency)))
        if self._left or time.time() > self._due - MARGIN / 2:
            raise RuntimeError(f"the timers were not set in time: {self._left} missing, {dict(self.sample.errors)}")
        self.sample.methods.clear()
        await asyncio.sleep(self._due - MARGIN / 4 - time.time())

    async def run(self) -> None:
        await asyncio.sleep(self._due - time.time())
        await self.timed(self._collect())

    async def _collect(self) -> None:
        await asyncio.sleep(self._due_of(self.options.count) - self._due + QUIET)
        for i in range(self.options.pollers):
            self.behind(self._finish(i))
        while self.sample.finished < self.options.count:
            await asyncio.sleep(0.05)

    async def _each(self, work: Any) -> None:
        numbers = iter(range(self.options.count))

        async def one_after_the_other() -> None:
            for i in numbers:
                await work(i)

        await asyncio.gather(*(one_after_the_other() for _ in range(self.options.concurrency)))

    def _due_of(self, number: int) -> float:
        """When the timer of a number is due, in seconds since the epoch."""
        return self._due + (number / self.pace if self.pace else 0.0)

    async def _set_timers(self, index: int) -> None:
        tasks = self.tasks(index)
        while self._left > 0:
            self._left -= 1
            due = self._due_of(self._left)
            task = await anext(tasks)
            timer = Command(
                command_type=CommandType.COMMAND_TYPE_START_TIMER,
                start_timer_command_attributes=StartTimerCommandAttributes(
                    timer_id="timer", start_to_fire_timeout=_length(due - time.time())
                ),
            )
            if await self.complete(index, task, [timer], sticky=False) is None:
                self._left += 1
        await tasks.aclose()

    async def _finish(self, index: int) -> None:
        async for task in self.tasks(index):
            if await self.complete(index, task, [COMPLETE], sticky=False) is None:
                continue
            self.forget(task.workflow_execution.workflow_id)
            set_at, length, fired_at = 0.0, 0.0, 0.0
            for event in task.history.events:
                if event.HasField("timer_started_event_attributes"):
                    set_at = _seconds(event.event_time)
                    length = _seconds(event.timer_started_event_attributes.start_to_fire_timeout)
                elif event.HasField("timer_fired_event_attributes"):
                    fired_at = _seconds(event.event_time)
            if fired_at < set_at + length:
                self.sample.errors["fired early"] += 1
            self.sample.finished += 1
            self.sample.latencies.append(fired_at - set_at - length)


class PacedTimerLoad(TimerLoad):
    """The same, 2,000 due a second."""

    pace = 2_000.0


def _length(seconds: float) -> Duration:
    made = Duration()
    made.FromNanoseconds(int(seconds * 1e9))
    return made


def _seconds(value: Timestamp | Duration) -> float:
    return value.seconds + value.nanos / 1e9
