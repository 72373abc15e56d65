"""What the polls of workflow and activity tasks share: checks, time limits, and the loop until a task is theirs."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator
from contextlib import contextmanager
from typing import Any

from temporalio.api.common.v1 import WorkerVersionStamp
from temporalio.api.deployment.v1 import WorkerDeploymentOptions
from temporalio.api.enums.v1 import TaskQueueKind, WorkerVersioningMode
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    PollActivityTaskQueueResponse,
    PollNexusTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
)

from orchestrator.core.enforcement import OverLimit
from orchestrator.core.request_checks import check_name, check_task_queue
from orchestrator.errors import FailedPrecondition, InvalidArgument, NotFound
from orchestrator.services.engine import Engine
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.pollers import Poller, QueueKey
from orchestrator.services.queries import Query
from orchestrator.store.ports import Task, WorkflowKey

PollReply = PollWorkflowTaskQueueResponse | PollActivityTaskQueueResponse
PollRequest = PollWorkflowTaskQueueRequest | PollActivityTaskQueueRequest | PollNexusTaskQueueRequest

SHORTEST = 2.0
"""Seconds a poll must be given by its caller."""
MARGIN = 1.0
"""Seconds before the caller's deadline at which an idle poll is answered."""


def check_poll(engine: Engine, request: PollRequest, deadline: float | None) -> float:
    """Checks a poll and returns until when it may wait, in seconds of the event loop's clock.

    Raises:
        InvalidArgument: the request is wrong, or has no deadline.
        FailedPrecondition: the deadline is too close.
    """
    check_name(request.identity, "Identity", engine.limits)
    check_task_queue(request.task_queue if request.HasField("task_queue") else None, engine.limits)
    if request.HasField("deployment_options"):
        _check_deployment(request, request.deployment_options)
    if deadline is None:
        raise InvalidArgument("Context timeout is not set.")
    now = asyncio.get_running_loop().time()
    if deadline - now < SHORTEST:
        raise FailedPrecondition("Context timeout is too short.")
    return min(deadline - MARGIN, now + engine.settings.poll_timeout)


def poller_of(request: PollRequest, namespace: NamespaceEntry, kind: int, until: float) -> Poller:
    """The poll as matching knows it."""
    rate: float | None = None
    if isinstance(request, PollActivityTaskQueueRequest) and request.task_queue_metadata.HasField(
        "max_tasks_per_second"
    ):
        rate = request.task_queue_metadata.max_tasks_per_second.value
    return Poller(
        QueueKey(namespace.id, request.task_queue.name, kind),
        request.identity,
        request.worker_instance_key,
        rate,
        until,
        _version(request),
    )


async def next_started(
    engine: Engine,
    poller: Poller,
    start: Callable[[Any, Task, Poller, str], Any],
    client_gone: Callable[[], Awaitable[bool]],
) -> Any:
    """Waits for a task and starts it for this poll.

    Args:
        engine: the surroundings.
        poller: the poll.
        start: the "started" transition of a stored task.
        client_gone: whether the caller has hung up; asked before a task is spent on it.

    Returns:
        what was started, a Query, or None when the time is up.
    """
    matching = engine.matching
    while True:
        item = await matching.next_item(poller)
        if item is None:
            return None
        with given_back_when_cancelled(engine, poller, item):
            gone = await client_gone()
        if gone:
            matching.put_back(poller.queue, item)
            return None
        if not isinstance(item, Task):
            if isinstance(item, Query) and item.answer.done():
                poller = poller.again()
                continue
            return item
        started = await _start(engine, poller, item, start)
        if started is not None:
            return started
        poller = poller.again()


@contextmanager
def given_back_when_cancelled(engine: Engine, poller: Poller, item: Any) -> Iterator[None]:
    """For what happens between taking something for a poll and answering it: a poll that is cancelled gives it back."""
    try:
        yield
    except asyncio.CancelledError:
        engine.matching.put_back(poller.queue, item)
        raise


def suggest_polls(engine: Engine, poller: Poller, reply: PollReply) -> None:
    """Tells a worker that scales its polls how many more, or fewer, it should hold."""
    delta = engine.matching.suggestion(poller)
    if delta:
        reply.poller_scaling_decision.poll_request_delta_suggestion = delta


async def _start(engine: Engine, poller: Poller, task: Task, start: Callable[[Any, Task, Poller, str], Any]) -> Any:
    """Starts a stored task; None when it is over. A task whose start fails for another reason is put back."""
    key = WorkflowKey(task.shard_id, task.namespace_id, task.workflow_id)
    request_id = engine.new_uuid()
    running = engine.unit_of_work.enqueue(
        key, lambda unit: start(unit, task, poller, request_id), task.run_id, with_history=True
    )
    try:
        started = await asyncio.shield(running)
    except asyncio.CancelledError:
        running.add_done_callback(lambda done: _return(engine, poller, task, done))
        raise
    except (NotFound, OverLimit):
        engine.matching.over(poller.queue, task)
        await _bury(engine, task)
        return None
    except BaseException:
        engine.matching.put_back(poller.queue, task)
        raise
    engine.matching.forget(poller.queue, task)
    return started


def _return(engine: Engine, poller: Poller, task: Task, done: "asyncio.Future[Any]") -> None:
    """The poll was cancelled while its task was being started: the next poll gets it, started or not."""
    error = done.exception()
    if error is None:
        engine.matching.forget(poller.queue, task)
        engine.matching.put_back(poller.queue, done.result())
    elif not isinstance(error, (NotFound, OverLimit)):
        engine.matching.put_back(poller.queue, task)


async def _bury(engine: Engine, task: Task) -> None:
    """Removes the row of a task that is over, if it is still there."""
    await engine.run_db(engine.store.delete_task, task)


def _version(request: PollRequest) -> WorkerVersionStamp | None:
    if isinstance(request, PollNexusTaskQueueRequest):
        return None
    capabilities = request.worker_version_capabilities
    build_id = capabilities.build_id or request.deployment_options.build_id
    if not build_id:
        return None
    return WorkerVersionStamp(build_id=build_id, use_versioning=capabilities.use_versioning)


def _check_deployment(request: PollRequest, options: WorkerDeploymentOptions) -> None:
    versioned = options.worker_versioning_mode == WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
    if versioned and not (options.deployment_name and options.build_id):
        raise InvalidArgument("Both deployment name and build id must be set when versioning is enabled.")
    queue = request.task_queue
    if versioned and queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY and not queue.normal_name:
        raise InvalidArgument(
            "NormalName must be set on sticky queue when UseVersioning is true or DeploymentOptions are set."
        )
