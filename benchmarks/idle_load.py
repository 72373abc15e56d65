"""Long polls that get nothing: what a waiting fleet of workers costs a server that has nothing to do."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, replace
from typing import Self

from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueRequest, PollWorkflowTaskQueueRequest

from benchmarks.load import LoadOptions
from benchmarks.run_load import POLL_DEADLINE, RunLoad

WAVE = 500
"""Polls sent at once while the fleet arrives."""
SETTLE = 3.0
"""Seconds until the server has them all."""


@dataclass(frozen=True)
class IdleOptions(LoadOptions):
    """`pollers` polls in all, spread over `queues` task queues, watched for `count` seconds.

    A minute has the end of each poll in it, and the next one.
    """

    queues: int = 1

    def share(self, index: int, of: int) -> Self:
        """Each process has its part of the polls; the first one watches the clock."""
        return replace(super().share(index, of), count=self.count if index == 0 else 0)


class IdleLoad(RunLoad):
    """Half of the polls ask for workflow tasks, half for activities. A finished unit is a second."""

    options: IdleOptions

    async def open(self) -> None:
        await super().open()
        for begin in range(0, self.options.pollers, WAVE):
            for i in range(begin, min(begin + WAVE, self.options.pollers)):
                self.behind(self._poll(i))
            await asyncio.sleep(0.1)
        await asyncio.sleep(SETTLE)

    async def run(self) -> None:
        await self.timed(self._watch())

    async def _watch(self) -> None:
        for _ in range(self.options.count):
            await asyncio.sleep(1.0)
            self.sample.finished += 1

    async def _poll(self, index: int) -> None:
        name, request = (
            ("PollWorkflowTaskQueue", PollWorkflowTaskQueueRequest)
            if index % 2
            else ("PollActivityTaskQueue", PollActivityTaskQueueRequest)
        )
        queue = TaskQueue(name=f"{self.task_queue.name}-{index // 2 % self.options.queues}")
        while True:
            await self.call(
                name,
                index,
                request(namespace=self.options.namespace, task_queue=queue, identity=f"worker-{index % 100}"),
                POLL_DEADLINE,
            )
