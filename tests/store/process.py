"""What a server process is inside, without its transports: an engine on an event loop in a thread of its own."""

import asyncio
import os
import threading
import time
from collections.abc import Callable, Coroutine
from concurrent.futures import Future
from typing import Any, Self, TypeVar

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import CommandType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    SignalWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
    TerminateWorkflowExecutionRequest,
)

from orchestrator.conf import HugoSettings
from orchestrator.core.run import WORKFLOW
from orchestrator.services.bootstrap import check_database
from orchestrator.services.change_workflow import signal_workflow_execution, terminate_workflow_execution
from orchestrator.services.describe_workflow import describe_workflow_execution
from orchestrator.services.engine import Engine, Prepared, uuid7
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.pollers import QueueKey
from orchestrator.services.start_workflow import start_workflow_execution
from orchestrator.services.workflow_tasks import poll_workflow_task_queue, respond_workflow_task_completed
from orchestrator.store.lane import Lane
from orchestrator.store.ports import Store

T = TypeVar("T")
PATIENCE_S = 30.0
QUEUE = "orders"
ALIAS = "default"


class Process:
    """A context manager; the engine is over this process's default database.

    Args:
        store: of that database.
        settings: of the library. By default nothing is swept during a test, so that only hints and polls find tasks.
        clock: nanoseconds since the epoch.
    """

    def __init__(
        self,
        store: Store,
        settings: HugoSettings | None = None,
        clock: Callable[[], int] = time.time_ns,
        lanes: int = 1,
    ) -> None:
        self.store = store
        self.loop = asyncio.new_event_loop()
        self.engine = Engine(
            settings or HugoSettings(sweep_interval=3600),
            check_database(ALIAS),
            store,
            token_key=b"a key of tests",
            clock=clock,
            new_uuid=lambda: uuid7(time.time_ns(), os.urandom(10)),
            lanes=lanes,
        )
        self._thread = threading.Thread(target=self.loop.run_forever, name="process", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self.engine.start())
        return self

    def __exit__(self, *_: object) -> None:
        self.engine.drain()
        self.run(self.engine.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        self.loop.close()

    @property
    def lanes(self) -> list[Lane]:
        """The committing threads."""
        return self.engine.unit_of_work._threads

    @property
    def namespace(self) -> NamespaceEntry:
        """The namespace `default`."""
        return self.engine.namespaces.load("default")

    def begin(self, coroutine: Coroutine[Any, Any, T]) -> "Future[T]":
        """Begins a coroutine on the loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop)

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine on the loop."""
        return self.begin(coroutine).result(PATIENCE_S)

    def do(self, prepared: Prepared[T]) -> T:
        """The result of a call."""
        return self.run(self.engine.execute(prepared))

    def together(self, *calls: Prepared[Any]) -> list[Any]:
        """The results, or the errors, of calls that are in one batch."""
        return self.begin_together(*calls).result(PATIENCE_S)

    def begin_together(self, *calls: Prepared[Any]) -> "Future[list[Any]]":
        """Begins calls in one batch: the lane cannot take any of them before it has all."""

        async def enqueue() -> list[Any]:
            with self.lanes[0]._ready:
                futures = [
                    self.engine.unit_of_work.enqueue(
                        call.key,
                        call.operation,
                        call.run_id,
                        needs_current=call.needs_current or not call.run_id,
                        expects_new=call.expects_new,
                    )
                    for call in calls
                ]
            return await asyncio.gather(*futures, return_exceptions=True)

        return self.begin(enqueue())

    # Calls.

    def start(self, workflow_id: str, queue: str = QUEUE, **fields: Any) -> Prepared[Any]:
        """StartWorkflowExecution."""
        request = StartWorkflowExecutionRequest(
            namespace="default",
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="Order"),
            task_queue=TaskQueue(name=queue),
            **fields,
        )
        return start_workflow_execution(self.engine, self.namespace, request)

    def signal(self, workflow_id: str, name: str = "paid", run_id: str = "") -> Prepared[Any]:
        """SignalWorkflowExecution, without a request id that would hide a repetition."""
        request = SignalWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id),
            signal_name=name,
        )
        return signal_workflow_execution(self.engine, self.namespace, request)

    def terminate(self, workflow_id: str) -> Prepared[Any]:
        """TerminateWorkflowExecution."""
        request = TerminateWorkflowExecutionRequest(
            namespace="default", workflow_execution=WorkflowExecution(workflow_id=workflow_id), reason="test"
        )
        return terminate_workflow_execution(self.engine, self.namespace, request)

    def describe(self, workflow_id: str, run_id: str = "") -> Prepared[Any]:
        """DescribeWorkflowExecution."""
        request = DescribeWorkflowExecutionRequest(
            namespace="default", execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
        )
        return describe_workflow_execution(self.engine, self.namespace, request)

    def begin_poll(self, queue: str = QUEUE) -> "Future[PollWorkflowTaskQueueResponse]":
        """Begins a poll; returns once it waits, or has its task."""
        request = PollWorkflowTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=queue), identity="worker")
        before = self.waiting(queue)

        async def poll() -> PollWorkflowTaskQueueResponse:
            return await poll_workflow_task_queue(
                self.engine, self.namespace, request, deadline=self.loop.time() + PATIENCE_S, client_gone=_never
            )

        polling = self.begin(poll())
        until(lambda: polling.done() or self.waiting(queue) > before)
        return polling

    def poll(self, queue: str = QUEUE) -> PollWorkflowTaskQueueResponse:
        """A workflow task."""
        return self.begin_poll(queue).result(PATIENCE_S)

    def complete(self, token: bytes, *commands: Command) -> None:
        """RespondWorkflowTaskCompleted; without commands, it completes the workflow."""
        done = Command(command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
        done.complete_workflow_execution_command_attributes.SetInParent()
        request = RespondWorkflowTaskCompletedRequest(
            namespace="default", task_token=token, identity="worker", commands=commands or [done]
        )
        self.run(respond_workflow_task_completed(self.engine, self.namespace, request))

    def waiting(self, queue: str = QUEUE) -> int:
        """How many polls wait in a queue."""
        found = self.engine.matching._queues.get(QueueKey(self.namespace.id, queue, WORKFLOW))
        return len(found.waiting) if found is not None else 0


async def _never() -> bool:
    return False


def until(condition: Callable[[], object], what: str = "a condition") -> None:
    """Returns once a condition holds; fails when it never does."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"waited in vain for {what}")
        time.sleep(0.005)
