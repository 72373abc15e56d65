"""Parents with many children: a child completes with its first task, the parent when it has heard of all."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from dataclasses import dataclass
from typing import Any

from temporalio.api.command.v1 import Command, StartChildWorkflowExecutionCommandAttributes
from temporalio.api.common.v1 import WorkflowType
from temporalio.api.enums.v1 import CommandType

from benchmarks.load import LoadOptions
from benchmarks.run_load import RunLoad
from benchmarks.workflow_load import COMPLETE


@dataclass(frozen=True)
class ChildOptions(LoadOptions):
    """`count` children in all, `children` of them a parent."""

    children: int = 1000


class ChildLoad(RunLoad):
    """One parent after the other. The latency is that of a parent: from its start to the end of its last child."""

    options: ChildOptions

    async def open(self) -> None:
        await super().open()
        self._finished = asyncio.Event()
        self._begun: set[str] = set()
        self._closed: Counter[str] = Counter()
        for i in range(self.options.pollers):
            self.behind(self._work(i, sticky=False))
            self.behind(self._work(i, sticky=True))

    async def run(self) -> None:
        await self.timed(self._parents())

    async def _parents(self) -> None:
        for number, begin in enumerate(range(0, self.options.count, self.options.children)):
            self._wanted = min(self.options.children, self.options.count - begin)
            began = time.perf_counter()
            self._finished.clear()
            if await self.start(number, f"{self.run_name}-{number}"):
                await self._finished.wait()
                self.sample.latencies.append(time.perf_counter() - began)

    async def _work(self, index: int, *, sticky: bool) -> None:
        async for task in self.tasks(index, sticky=sticky):
            workflow_id = task.workflow_execution.workflow_id
            if "/" in workflow_id:
                await self.complete(index, task, [COMPLETE], sticky=False)
            else:
                await self._parent_task(index, workflow_id, task)

    async def _parent_task(self, index: int, workflow_id: str, task: Any) -> None:
        events = await self.events(index, task)
        closed = sum(event.HasField("child_workflow_execution_completed_event_attributes") for event in events)
        # A task of the sticky queue brings what is new; another one brings everything.
        self._closed[workflow_id] = closed if events[0].event_id == 1 else self._closed[workflow_id] + closed
        self.sample.finished = sum(self._closed.values())
        if self._closed[workflow_id] >= self._wanted:
            if await self.complete(index, task, [COMPLETE]) is not None:
                self.forget(workflow_id)
                self._finished.set()
        elif workflow_id not in self._begun:
            children = [_start_child(f"{workflow_id}/{i}") for i in range(self._wanted)]
            if await self.complete(index, task, children) is not None:
                self._begun.add(workflow_id)
        else:
            await self.complete(index, task)


def _start_child(workflow_id: str) -> Command:
    return Command(
        command_type=CommandType.COMMAND_TYPE_START_CHILD_WORKFLOW_EXECUTION,
        start_child_workflow_execution_command_attributes=StartChildWorkflowExecutionCommandAttributes(
            workflow_id=workflow_id, workflow_type=WorkflowType(name="child")
        ),
    )
