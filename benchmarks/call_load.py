"""A load of one kind of call, to see what that call alone costs the server."""

from __future__ import annotations

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeNamespaceRequest,
    DescribeWorkflowExecutionRequest,
    GetSystemInfoRequest,
    GetWorkflowExecutionHistoryRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)

from benchmarks.load import Load, LoadOptions

TARGETS = 64
"""Open workflows that the calls about a workflow are spread over."""


@dataclass(frozen=True)
class CallLoadOptions(LoadOptions):
    """Options of a load and the method to call, a key of METHODS."""

    method: str = "GetSystemInfo"


class CallLoad(Load):
    """`count` calls of `method`, `concurrency` in flight. Nobody polls, so each call costs only itself."""

    options: CallLoadOptions

    def __init__(self, address: str, options: CallLoadOptions) -> None:
        super().__init__(address, options)
        self.task_queue = TaskQueue(name=f"bench-{self.run_name}")
        self.targets: list[str] = []
        self._opened: list[str] = []

    async def open(self) -> None:
        await super().open()
        if METHODS[self.options.method].needs_targets:
            self.targets = [f"{self.run_name}-target-{i}" for i in range(TARGETS)]
            for i, target in enumerate(self.targets):
                if await self.call("StartWorkflowExecution", i, self.start(target)) is None:
                    raise RuntimeError(f"could not start the workflows to call: {dict(self.sample.errors)}")
            self.sample.methods.clear()

    async def run(self) -> None:
        sample, method = self.sample, self.options.method
        make = METHODS[method].request
        numbers = iter(range(self.options.count))

        async def one_after_the_other() -> None:
            for i in numbers:
                began = time.perf_counter()
                if await self.call(method, i, make(self, i)) is not None:
                    sample.finished += 1
                    sample.latencies.append(time.perf_counter() - began)

        sample.began = time.perf_counter()
        try:
            async with asyncio.timeout(self.options.timeout):
                await asyncio.gather(*(one_after_the_other() for _ in range(self.options.concurrency)))
        except TimeoutError:
            sample.errors["run timed out"] += 1
        sample.ended = time.perf_counter()

    async def close(self) -> None:
        """End what was started, so that a later scenario does not meet thousands of open workflows."""
        numbered = iter(enumerate(self._opened))

        async def terminate() -> None:
            for i, workflow_id in numbered:
                request = TerminateWorkflowExecutionRequest(
                    namespace=self.options.namespace,
                    workflow_execution=WorkflowExecution(workflow_id=workflow_id),
                    identity="bench",
                )
                await self.call("TerminateWorkflowExecution", i, request)

        await asyncio.gather(*(terminate() for _ in range(32)))
        await super().close()

    def start(self, workflow_id: str) -> StartWorkflowExecutionRequest:
        """A start on a task queue without pollers."""
        self._opened.append(workflow_id)
        return StartWorkflowExecutionRequest(
            namespace=self.options.namespace,
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="wf"),
            task_queue=self.task_queue,
            request_id=str(uuid.uuid4()),
            identity="bench",
            workflow_task_timeout=Duration(seconds=10),
        )

    def execution(self, index: int) -> WorkflowExecution:
        """One of the open workflows, round robin."""
        return WorkflowExecution(workflow_id=self.targets[index % len(self.targets)])


@dataclass(frozen=True)
class Method:
    """How to build the request of a call."""

    request: Callable[[CallLoad, int], Any]
    needs_targets: bool = False


METHODS: dict[str, Method] = {
    "GetSystemInfo": Method(lambda load, i: GetSystemInfoRequest()),
    "DescribeNamespace": Method(lambda load, i: DescribeNamespaceRequest(namespace=load.options.namespace)),
    "StartWorkflowExecution": Method(lambda load, i: load.start(f"{load.run_name}-{i}")),
    "SignalWorkflowExecution": Method(
        lambda load, i: SignalWorkflowExecutionRequest(
            namespace=load.options.namespace,
            workflow_execution=load.execution(i),
            signal_name="s",
            request_id=str(uuid.uuid4()),
            identity="bench",
        ),
        needs_targets=True,
    ),
    "DescribeWorkflowExecution": Method(
        lambda load, i: DescribeWorkflowExecutionRequest(namespace=load.options.namespace, execution=load.execution(i)),
        needs_targets=True,
    ),
    "GetWorkflowExecutionHistory": Method(
        lambda load, i: GetWorkflowExecutionHistoryRequest(
            namespace=load.options.namespace, execution=load.execution(i)
        ),
        needs_targets=True,
    ),
}
