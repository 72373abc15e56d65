"""A poll that is cancelled with something in its hands gives it to the next one."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from typing import Any

import pytest
from temporalio.api.common.v1 import WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
)

from orchestrator.services import workflow_tasks
from tests.support.engines import RunningEngine

QUEUE = TaskQueue(name="orders")


@pytest.fixture
def server(default_database: str) -> Iterator[RunningEngine]:
    """A running engine in this process."""
    with RunningEngine() as running:
        yield running


def start(server: RunningEngine) -> str:
    """Starts a workflow and returns its run id."""
    request = StartWorkflowExecutionRequest(
        namespace="default", workflow_id="order", workflow_type=WorkflowType(name="Order"), task_queue=QUEUE
    )
    return server.call("StartWorkflowExecution", request, StartWorkflowExecutionResponse).run_id


def next_task(server: RunningEngine) -> PollWorkflowTaskQueueResponse:
    """What the next poll gets."""
    request = PollWorkflowTaskQueueRequest(namespace="default", task_queue=QUEUE)
    return server.call("PollWorkflowTaskQueue", request, PollWorkflowTaskQueueResponse)


class Moment:
    """An await that never returns: where the poll is cancelled."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()

    async def __call__(self, *_: Any) -> Any:
        self.reached.set()
        await asyncio.Event().wait()


async def poll_and_cancel(server: RunningEngine, moment: Moment, client_gone: Callable[[], Awaitable[bool]]) -> None:
    """Polls, and cancels the poll once it has reached the moment."""
    engine = server.engine
    poll = workflow_tasks.poll_workflow_task_queue(
        engine,
        await engine.namespace("default"),
        PollWorkflowTaskQueueRequest(namespace="default", task_queue=QUEUE),
        deadline=server.loop.time() + 30,
        client_gone=client_gone,
    )
    task = asyncio.create_task(poll)
    await moment.reached.wait()
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)


async def stays() -> bool:
    """A caller that is there."""
    return False


def test_a_stored_task_is_given_back_when_its_poll_is_cancelled_before_the_start(server: RunningEngine) -> None:
    run_id = start(server)
    moment = Moment()
    server.run(poll_and_cancel(server, moment, moment))
    task = next_task(server)
    assert (task.workflow_execution.run_id, task.attempt) == (run_id, 1)


def test_a_started_task_is_given_back_when_its_poll_is_cancelled_before_the_reply(
    server: RunningEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id = start(server)
    moment = Moment()
    with monkeypatch.context() as patched:
        patched.setattr(workflow_tasks, "workflow_task_reply", moment)
        server.run(poll_and_cancel(server, moment, stays))
    task = next_task(server)
    assert (task.workflow_execution.run_id, task.attempt, task.started_event_id) == (run_id, 1, 3)
