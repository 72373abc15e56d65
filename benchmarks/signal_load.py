"""Signals to runs with some or much history behind them: what one more costs."""

from __future__ import annotations

import asyncio
import time
from dataclasses import dataclass

from benchmarks.load import LoadOptions
from benchmarks.run_load import RunLoad

FILLING = 32
"""Signals in flight while the history is made."""


@dataclass(frozen=True)
class SignalOptions(LoadOptions):
    """`history` signals go to each of `runs` runs before those that are measured.

    With `worker` each measured signal is followed by its workflow task, taken and completed by a worker that remembers
    the run.
    """

    history: int = 5
    runs: int = 1
    worker: bool = False


class SignalLoad(RunLoad):
    """`count` signals, `concurrency` in flight."""

    options: SignalOptions

    async def open(self) -> None:
        await super().open()
        self._ids = [f"{self.run_name}-{i}" for i in range(self.options.runs)]
        self._answered = {workflow_id: asyncio.Event() for workflow_id in self._ids}
        for i, workflow_id in enumerate(self._ids):
            await self.start(i, workflow_id)
        await self._send(self.options.history * self.options.runs, FILLING)
        if self.options.worker:
            for i in range(self.options.pollers):
                self.behind(self._work(i, sticky=False))
                self.behind(self._work(i, sticky=True))
            await asyncio.gather(*(answered.wait() for answered in self._answered.values()))
        if self.sample.errors:
            raise RuntimeError(f"could not make the histories: {dict(self.sample.errors)}")
        self.sample.methods.clear()

    async def run(self) -> None:
        await self.timed(self._send(self.options.count, self.options.concurrency, measured=True))

    async def _send(self, count: int, width: int, *, measured: bool = False) -> None:
        numbers = iter(range(count))

        async def one_after_the_other() -> None:
            for i in numbers:
                workflow_id = self._ids[i % len(self._ids)]
                began = time.perf_counter()
                self._answered[workflow_id].clear()
                if await self.signal(i, workflow_id) and measured:
                    if self.options.worker:
                        await self._answered[workflow_id].wait()
                    self.sample.finished += 1
                    self.sample.latencies.append(time.perf_counter() - began)

        await asyncio.gather(*(one_after_the_other() for _ in range(width)))

    async def _work(self, index: int, *, sticky: bool) -> None:
        async for task in self.tasks(index, sticky=sticky):
            if await self.complete(index, task) is not None:
                self._answered[task.workflow_execution.workflow_id].set()
