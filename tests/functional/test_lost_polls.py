"""Polls whose caller hangs up never keep a task, on either transport."""

import asyncio
import random
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from pytest_django import DjangoDbBlocker
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import ActivityType, WorkflowType
from temporalio.api.enums.v1 import CommandType, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondActivityTaskCompletedRequest,
    RespondWorkflowTaskCompletedRequest,
    StartWorkflowExecutionRequest,
)
from temporalio.api.workflowservice.v1.service_pb2_grpc import WorkflowServiceStub

from tests.functional.conftest import new_database
from tests.functional.stored import Stored, check_stored
from tests.functional.workers import all_of, eventually
from tests.support.databases import Databases
from tests.support.server import Server

LONG_POLL_S = 30
WORKFLOWS = 120
POLLS = 8


@pytest.fixture(params=["envoy", "aio"])
def transport_server(
    request: pytest.FixtureRequest, databases: Databases, tmp_path: Path
) -> Iterator[tuple[Server, str]]:
    """A server on each transport, and its database; the test may end the server itself."""
    url = new_database(databases, request, "sqlite")
    with Server(tmp_path, url, ("--transport", request.param)) as running:
        yield running, url
    databases.drop(url)


class Raw:
    """The calls of a worker, without an SDK between."""

    def __init__(self, channel: grpc.aio.Channel, task_queue: str) -> None:
        self.stub: Any = WorkflowServiceStub(channel)
        self.queue = TaskQueue(name=task_queue)

    async def start(self, workflow_id: str, task_timeout_s: float) -> None:
        """Starts a workflow."""
        request = StartWorkflowExecutionRequest(
            namespace="default",
            workflow_id=workflow_id,
            workflow_type=WorkflowType(name="Raw"),
            task_queue=self.queue,
            request_id=str(uuid.uuid4()),
        )
        request.workflow_task_timeout.FromMilliseconds(int(task_timeout_s * 1000))
        await self.stub.StartWorkflowExecution(request, timeout=30)

    def poll_workflow(self, identity: str = "raw") -> Any:
        """A poll for a workflow task, under way."""
        request = PollWorkflowTaskQueueRequest(namespace="default", task_queue=self.queue, identity=identity)
        return self.stub.PollWorkflowTaskQueue(request, timeout=LONG_POLL_S)

    def poll_activity(self, identity: str = "raw") -> Any:
        """A poll for an activity task, under way."""
        request = PollActivityTaskQueueRequest(namespace="default", task_queue=self.queue, identity=identity)
        return self.stub.PollActivityTaskQueue(request, timeout=LONG_POLL_S)

    async def pollers(self, kind: TaskQueueType.ValueType) -> set[str]:
        """The identities of the polls the server has seen."""
        request = DescribeTaskQueueRequest(namespace="default", task_queue=self.queue, task_queue_type=kind)
        reply = await self.stub.DescribeTaskQueue(request, timeout=30)
        return {poller.identity for poller in reply.pollers}

    async def complete(self, task: PollWorkflowTaskQueueResponse, command: Command) -> None:
        """Answers a workflow task; one that is over already is somebody else's."""
        request = RespondWorkflowTaskCompletedRequest(
            namespace="default", task_token=task.task_token, commands=[command]
        )
        await answered(self.stub.RespondWorkflowTaskCompleted(request, timeout=30))

    async def complete_activity(self, token: bytes) -> None:
        """Answers an activity task."""
        request = RespondActivityTaskCompletedRequest(namespace="default", task_token=token)
        await answered(self.stub.RespondActivityTaskCompleted(request, timeout=30))


async def answered(call: Any) -> None:
    """Waits for the answer to a completion; a task that timed out meanwhile is another attempt's."""
    assert await call.code() in (grpc.StatusCode.OK, grpc.StatusCode.NOT_FOUND)


def activity_command(activity_id: str, task_queue: TaskQueue, timeout_s: float) -> Command:
    """Schedules an activity."""
    command = Command(command_type=CommandType.COMMAND_TYPE_SCHEDULE_ACTIVITY_TASK)
    attributes = command.schedule_activity_task_command_attributes
    attributes.activity_id = activity_id
    attributes.activity_type.CopyFrom(ActivityType(name="step"))
    attributes.task_queue.CopyFrom(task_queue)
    attributes.start_to_close_timeout.FromMilliseconds(int(timeout_s * 1000))
    attributes.retry_policy.initial_interval.FromMilliseconds(1)
    attributes.retry_policy.backoff_coefficient = 1
    return command


def completion() -> Command:
    """Completes the workflow."""
    command = Command(command_type=CommandType.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION)
    command.complete_workflow_execution_command_attributes.SetInParent()
    return command


async def wait_and_hang_up(raw: Raw, poll: Callable[[str], Any], kind: TaskQueueType.ValueType) -> None:
    """Lets several polls wait at the server, then cancels them."""
    identities = {f"poll-{uuid.uuid4().hex[:8]}" for _ in range(5)}
    calls = [poll(identity) for identity in identities]

    async def waiting() -> bool:
        return identities <= await raw.pollers(kind)

    await eventually(waiting, "that the polls wait")
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)


async def test_a_task_is_not_handed_to_polls_that_were_cancelled_before(
    transport_server: tuple[Server, str], task_queue: str
) -> None:
    """With timeouts far longer than the test: a task that went to a dead poll would not come back."""
    server, _ = transport_server
    async with grpc.aio.insecure_channel(server.grpc) as channel:
        raw = Raw(channel, task_queue)
        for number in range(10):
            await wait_and_hang_up(raw, raw.poll_workflow, TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW)
            await raw.start(f"workflow-{number}", 60)
            task = await raw.poll_workflow()
            assert (task.workflow_execution.workflow_id, task.attempt) == (f"workflow-{number}", 1)
            await wait_and_hang_up(raw, raw.poll_activity, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)
            await raw.complete(task, activity_command("1", raw.queue, 60))
            activity = await raw.poll_activity()
            assert (activity.activity_id, activity.attempt) == ("1", 1)
            await raw.complete_activity(activity.task_token)
            await raw.complete(await raw.poll_workflow(), completion())


async def test_polls_cancelled_at_any_moment_under_load_lose_nothing(
    transport_server: tuple[Server, str], task_queue: str, django_db_blocker: DjangoDbBlocker
) -> None:
    """A reply may be on its way when its poll is cancelled: its task comes back by its timeout, so that all is done."""
    server, url = transport_server
    done: Counter[str] = Counter()
    finished = asyncio.Event()
    chance = random.Random(11)

    async with grpc.aio.insecure_channel(server.grpc) as channel:
        raw = Raw(channel, task_queue)

        async def impatient(call: Any) -> Any:
            """The reply of a poll that may be cancelled at any moment; None for one that was."""
            patience = chance.choice([0.0, 0.001, 0.01, 0.05, LONG_POLL_S])
            await asyncio.wait(
                [asyncio.ensure_future(call.code()), asyncio.ensure_future(finished.wait())],
                timeout=patience,
                return_when=asyncio.FIRST_COMPLETED,
            )
            if not call.done():
                call.cancel()
            try:
                reply = await call
            except asyncio.CancelledError:
                return None
            return reply if reply.task_token else None

        async def workflow_tasks() -> None:
            while not finished.is_set():
                task = await impatient(raw.poll_workflow())
                if task is None:
                    continue
                workflow_id = task.workflow_execution.workflow_id
                if task.previous_started_event_id == 0:
                    await raw.complete(task, activity_command("1", raw.queue, 1))
                else:
                    await raw.complete(task, completion())
                    done[workflow_id] += 1
                    if len(done) == WORKFLOWS:
                        finished.set()

        async def activity_tasks() -> None:
            while not finished.is_set():
                task = await impatient(raw.poll_activity())
                if task is not None:
                    await raw.complete_activity(task.task_token)

        workers = [asyncio.create_task(each()) for each in [workflow_tasks, activity_tasks] * POLLS]
        for number in range(WORKFLOWS):
            await raw.start(f"workflow-{number}", 1)
        await asyncio.gather(*workers)
    assert server.stop() == 0
    with django_db_blocker.unblock():
        stored: Stored = await asyncio.to_thread(check_stored, url)
    assert len(stored.states) == WORKFLOWS
    assert not any(state.running for state in stored.states.values())
    for events in stored.histories.values():
        assert len(all_of(events, "ACTIVITY_TASK_COMPLETED")) == 1
