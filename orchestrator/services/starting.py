"""The "started" transitions: a scheduled task becomes the task of one worker.

Both are called for a poll that waits while the task is scheduled, for a poll that took a stored task, and for a caller
that gets the task inline or eagerly.
"""

import copy
from typing import NamedTuple

from temporalio.api.common.v1 import (
    ActivityType,
    Payloads,
    Priority,
    WorkerVersionStamp,
    WorkflowExecution,
    WorkflowType,
)
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueResponse

from orchestrator.core import activity, retry, update, workflow_task
from orchestrator.core.run import Run
from orchestrator.core.wire import duration, timestamp
from orchestrator.errors import NotFound
from orchestrator.services.pollers import Poller, StartedActivityTask, StartedWorkflowTask
from orchestrator.services.task_token import ActivityTaskToken
from orchestrator.store.ports import Task
from orchestrator.store.transition import Unit


class Obsolete(NotFound):
    """The task is over: started by somebody else, timed out, or of a closed run."""

    def __init__(self) -> None:
        super().__init__("the task is obsolete")


class Worker(NamedTuple):
    """A worker that gets a task without polling for it."""

    identity: str
    version: WorkerVersionStamp | None = None


def start_workflow_task(
    unit: Unit,
    run: Run,
    scheduled_event_id: int,
    poller: Poller | None,
    request_id: str,
    worker: Worker | None = None,
    *,
    goes_on: bool = False,
) -> StartedWorkflowTask:
    """Starts the scheduled workflow task of a run.

    Args:
        unit: the transition.
        run: its workflow task is scheduled and not started.
        scheduled_event_id: of the task.
        poller: who gets it; None for a task handed over inline.
        request_id: names the hand-over.
        worker: who gets it, when there is no poller.
        goes_on: whether that worker has merely kept alive the task before, with the updates it brought.

    Raises:
        Obsolete: the poll must not get the task.
    """
    state = run.state
    identity, version = _named(poller, worker)
    if not workflow_task.start(
        run,
        request_id=request_id,
        identity=identity,
        polled_queue=poller.queue.name if poller is not None else "",
        worker_version=version,
    ):
        raise Obsolete()
    task = state.workflow_task
    assert task is not None
    remembers = poller is None or poller.queue.name == state.sticky_queue
    return StartedWorkflowTask(
        namespace_id=state.namespace_id,
        workflow_id=state.workflow_id,
        run_id=state.run_id,
        workflow_type=state.workflow_type,
        normal_queue=state.task_queue,
        loaded=unit.loaded(run),
        task=copy.copy(task),
        previous_started_event_id=state.previous_started_event_id,
        first_event_id=state.previous_started_event_id + 1 if remembers else 1,
        transient=workflow_task.transient_events(run),
        messages=update.messages(run, again=not goes_on) if state.updates else [],
    )


def start_activity_task(
    unit: Unit, run: Run, scheduled_event_id: int, poller: Poller | None, request_id: str, worker: Worker | None = None
) -> StartedActivityTask:
    """Starts a scheduled attempt of an activity; see `start_workflow_task`."""
    state = run.state
    pending = state.activities[scheduled_event_id]
    identity, _ = _named(poller, worker)
    activity.start(run, pending, request_id=request_id, identity=identity)
    scheduled = run.event(scheduled_event_id).activity_task_scheduled_event_attributes
    reply = PollActivityTaskQueueResponse(
        workflow_type=WorkflowType(name=state.workflow_type),
        workflow_execution=WorkflowExecution(workflow_id=state.workflow_id, run_id=state.run_id),
        activity_id=pending.activity_id,
        activity_type=ActivityType(name=pending.activity_type),
        header=scheduled.header if scheduled.HasField("header") else None,
        input=scheduled.input if scheduled.HasField("input") else None,
        heartbeat_details=Payloads.FromString(pending.heartbeat_details) if pending.heartbeat_details else None,
        scheduled_time=timestamp(pending.first_scheduled_time),
        current_attempt_scheduled_time=timestamp(pending.scheduled_time),
        started_time=timestamp(pending.started_time),
        attempt=pending.attempt,
        schedule_to_close_timeout=duration(pending.schedule_to_close),
        start_to_close_timeout=duration(pending.start_to_close),
        heartbeat_timeout=duration(pending.heartbeat_timeout),
        retry_policy=retry.message(pending.retry_policy),
        priority=Priority.FromString(pending.priority) if pending.priority else None,
    )
    token = ActivityTaskToken(state.namespace_id, state.workflow_id, state.run_id, scheduled_event_id, pending.stamp)
    return StartedActivityTask(reply, token)


def _named(poller: Poller | None, worker: Worker | None) -> tuple[str, WorkerVersionStamp | None]:
    """The identity and the version of who gets a task."""
    if poller is not None:
        return poller.identity, poller.worker_version
    return worker or Worker("")


def start_stored_workflow_task(unit: Unit, stored: Task, poller: Poller, request_id: str) -> StartedWorkflowTask:
    """Starts a task that was read from its row; raises Obsolete when it is over."""
    run = unit.run()
    task = run.state.workflow_task
    if task is None or task.started_event_id or task.stamp != stored.stamp:
        raise Obsolete()
    started = start_workflow_task(unit, run, stored.scheduled_event_id, poller, request_id)
    run.buried.append((stored.kind, stored.scheduled_event_id))
    return started


def start_stored_activity_task(unit: Unit, stored: Task, poller: Poller, request_id: str) -> StartedActivityTask:
    """Starts an attempt that was read from its row; raises Obsolete when it is over."""
    run = unit.run()
    pending = run.state.activities.get(stored.scheduled_event_id)
    if pending is None or pending.started_time or pending.stamp != stored.stamp:
        raise Obsolete()
    started = start_activity_task(unit, run, stored.scheduled_event_id, poller, request_id)
    run.buried.append((stored.kind, stored.scheduled_event_id))
    return started
