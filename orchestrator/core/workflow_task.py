"""The workflow task machine: scheduled, started, then completed, failed or timed out.

At most one workflow task is pending. The first attempt writes its events as it goes; later attempts are transient and
write them only when one completes, so a task that fails for hours leaves one failure in the history. A speculative
task, which exists for updates alone, writes them when anything else is written, and leaves nothing when it is dropped.
"""

import copy

from temporalio.api.common.v1 import MeteringMetadata, WorkerVersionStamp
from temporalio.api.enums.v1 import (
    EventType,
    SuggestContinueAsNewReason,
    TimeoutType,
    WorkflowTaskFailedCause,
)
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import (
    HistoryEvent,
    WorkflowTaskCompletedEventAttributes,
    WorkflowTaskFailedEventAttributes,
    WorkflowTaskTimedOutEventAttributes,
)
from temporalio.api.sdk.v1 import WorkflowTaskCompletedMetadata

from orchestrator.core import reset_points, server_attributes
from orchestrator.core.priority import share
from orchestrator.core.run import WORKFLOW, Dispatch, Run
from orchestrator.core.state import ExecutionState, ResetPoint, WorkflowTask
from orchestrator.core.wire import SECOND, after
from orchestrator.core.workflow_task_events import queue_message as queue_message
from orchestrator.core.workflow_task_events import write_scheduled, write_started
from orchestrator.errors import NotFound

INLINE_REQUEST_ID = "request-from-RespondWorkflowTaskCompleted"
SERVER_IDENTITY = "history-service"
_SLOW_RETRY_FROM = 3
_SLOW_RETRY_INITIAL = 5 * SECOND
_SLOW_RETRY_MAXIMUM = 600 * SECOND
_REPEATED_EVENTS = 10
_FRESH_START_CAUSES = frozenset({WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW})


def schedule(run: Run, *, original_time: int = 0, speculative: bool = False) -> None:
    """Schedules the workflow task unless one is pending; the caller may still start it in the same transition.

    Args:
        run: an open run.
        original_time: since when heartbeats keep this task alive.
        speculative: whether the task is for updates alone. It becomes an ordinary one when there are buffered events
            to be seen, after a failed attempt, and before the first task has completed: a worker must have something
            to go back to.
    """
    state = run.state
    if state.workflow_task is not None:
        return
    if run.has_buffered:
        run.flush()
        state.workflow_task_attempt = 1
        speculative = False
    attempt = state.workflow_task_attempt
    sticky = bool(state.sticky_queue)
    queue = state.sticky_queue or state.task_queue
    timeout = _start_to_close(state.task_timeout, attempt)
    task = WorkflowTask(
        scheduled_event_id=state.next_event_id,
        attempt=attempt,
        timeout=timeout,
        scheduled_time=run.now,
        original_scheduled_time=original_time or run.now,
        task_queue=queue,
        sticky=sticky,
        schedule_to_start=state.sticky_timeout if sticky else 0,
        stamp=run.new_stamp(),
        speculative=speculative and attempt == 1 and state.completed_workflow_tasks > 0,
    )
    if attempt == 1 and not task.speculative:
        write_scheduled(run, task)
    state.workflow_task = task
    state.backoff_until = 0
    if task.schedule_to_start:
        run.wake_at(after(run.now, task.schedule_to_start))
    run.changed = True
    run.dispatches.append(Dispatch(WORKFLOW, queue, task.scheduled_event_id, task.stamp, share(state.priority)))


def start(
    run: Run,
    *,
    request_id: str,
    identity: str,
    polled_queue: str = "",
    worker_version: WorkerVersionStamp | None = None,
) -> bool:
    """Hands the scheduled task to a worker.

    Args:
        run: a run whose workflow task is scheduled and not started.
        request_id: names this hand-over in the event.
        identity: of the worker.
        polled_queue: the queue the worker polled; empty when the task never went through a queue.
        worker_version: what the worker says of its build.

    Returns:
        False when the poll must not get the task: it was scheduled for the normal queue and the poll is sticky.
    """
    state = run.state
    task = state.workflow_task
    assert task is not None and not task.started_event_id
    if polled_queue and polled_queue != task.task_queue:
        if not task.sticky:
            return False
        clear_sticky(run)
    if task.attempt > 1 and state.next_event_id != task.scheduled_event_id:
        task.attempt = state.workflow_task_attempt = 1
        task.scheduled_event_id = state.next_event_id
        write_scheduled(run, task)
    task.request_id = request_id
    task.identity = identity
    task.worker_version = worker_version.SerializeToString() if worker_version is not None else b""
    task.started_time = run.now
    task.history_size = state.history_size + sum(event.ByteSize() for batch in run.batches for event in batch)
    task.suggestions = _suggestions(run, task)
    if task.attempt == 1 and not task.speculative:
        write_started(run, task)
    else:
        task.started_event_id = task.scheduled_event_id + 1
    run.wake_at(after(run.now, task.timeout))
    run.changed = True
    return True


def check(run: Run, *, scheduled_event_id: int, started_event_id: int, started_time: int, attempt: int) -> WorkflowTask:
    """The started task a token names; raises NotFound when it is not the one in progress."""
    task = run.state.workflow_task
    if (
        not run.state.running
        or task is None
        or not task.started_event_id
        or task.scheduled_event_id != scheduled_event_id
        or task.started_event_id != started_event_id
        or task.started_time != started_time
        or task.attempt != attempt
    ):
        raise NotFound("Workflow task not found.")
    return task


def complete(
    run: Run,
    *,
    identity: str,
    binary_checksum: str = "",
    worker_version: WorkerVersionStamp | None = None,
    sdk_metadata: WorkflowTaskCompletedMetadata | None = None,
    metering_metadata: MeteringMetadata | None = None,
) -> int:
    """Ends the started task with success and returns the id of its COMPLETED event."""
    state = run.state
    task = state.workflow_task
    assert task is not None
    if task.attempt > 1:
        write_scheduled(run, task)
        write_started(run, task)
    event = run.add(
        EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
        "workflow_task_completed_event_attributes",
        WorkflowTaskCompletedEventAttributes(
            scheduled_event_id=task.scheduled_event_id,
            started_event_id=task.started_event_id,
            identity=identity,
            binary_checksum=binary_checksum,
            worker_version=worker_version,
            sdk_metadata=sdk_metadata,
            metering_metadata=metering_metadata,
        ),
    )
    run.completes_task = True
    state.previous_started_event_id = task.started_event_id
    state.completed_workflow_tasks += 1
    state.workflow_task_attempt = 1
    state.workflow_task = None
    state.close_attempted = False
    if worker_version is not None:
        state.worker_version = worker_version.SerializeToString()
    build_id = worker_version.build_id if worker_version is not None else ""
    reset_points.add(state, ResetPoint(build_id, binary_checksum, event.event_id, run.now))
    server_attributes.problem_solved(run)
    return event.event_id


def can_be_dropped(run: Run, repeats_events: bool) -> bool:
    """Whether the started task can end without a trace, when nothing but rejections came of it.

    The next task then shows its worker the events of this one again. That a worker must be able to bear, and not too
    many of them.
    """
    task = run.state.workflow_task
    assert task is not None
    # The COMPLETED event of the task before has been seen by its worker, so to say.
    shown = task.scheduled_event_id - run.state.previous_started_event_id - 2
    return task.speculative and (shown == 0 or (repeats_events and shown <= _REPEATED_EVENTS))


def drop(run: Run) -> None:
    """Ends a started speculative task without a trace."""
    run.state.workflow_task = None
    run.changed = True


def fail(
    run: Run,
    *,
    cause: WorkflowTaskFailedCause.ValueType,
    identity: str,
    failure: Failure | None = None,
    binary_checksum: str = "",
    base_run_id: str = "",
    new_run_id: str = "",
) -> None:
    """Ends the started task with a failure; the next attempt is the caller's to schedule.

    `base_run_id` and `new_run_id` are set when a reset does it, in the new run.
    """
    state = run.state
    task = state.workflow_task
    assert task is not None
    if task.attempt == 1:
        run.add(
            EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED,
            "workflow_task_failed_event_attributes",
            WorkflowTaskFailedEventAttributes(
                scheduled_event_id=task.scheduled_event_id,
                started_event_id=task.started_event_id,
                cause=cause,
                failure=failure,
                identity=identity,
                binary_checksum=binary_checksum,
                base_run_id=base_run_id,
                new_run_id=new_run_id,
            ),
        )
    _count_failure(run, fresh=cause in _FRESH_START_CAUSES)
    server_attributes.report_failed(run, cause)


def time_out(run: Run, timeout_type: TimeoutType.ValueType) -> None:
    """Ends the task because its worker, or a worker of its sticky queue, took too long."""
    state = run.state
    task = state.workflow_task
    assert task is not None
    if task.attempt == 1:
        run.add(
            EventType.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT,
            "workflow_task_timed_out_event_attributes",
            WorkflowTaskTimedOutEventAttributes(
                scheduled_event_id=task.scheduled_event_id,
                started_event_id=task.started_event_id,
                timeout_type=timeout_type,
            ),
        )
    if timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START:
        run.buried.append((WORKFLOW, task.scheduled_event_id))
        clear_sticky(run)
        state.workflow_task = None
    else:
        _count_failure(run)
        server_attributes.report_timed_out(run)


def clear_sticky(run: Run) -> None:
    """The next task goes to the normal queue, with the whole history."""
    run.state.sticky_queue = ""
    run.state.sticky_timeout = 0
    run.changed = True


def deadline(task: WorkflowTask) -> tuple[int, TimeoutType.ValueType]:
    """When a task times out, in nanoseconds since the epoch (0: never), and how."""
    if task.started_event_id:
        return after(task.started_time, task.timeout), TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
    if task.schedule_to_start:
        return after(task.scheduled_time, task.schedule_to_start), TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START
    return 0, TimeoutType.TIMEOUT_TYPE_UNSPECIFIED


def transient_events(run: Run) -> list[HistoryEvent]:
    """The events a transient or speculative task would have, with the ids they would get; nothing is written."""
    task = run.state.workflow_task
    if task is None or (task.attempt == 1 and not task.speculative):
        return []
    scratch = Run(state=copy.copy(run.state), now=run.now, limits=run.limits)
    scratch.state.next_event_id = task.scheduled_event_id
    scratch.state.workflow_task = None
    shown = copy.copy(task)
    write_scheduled(scratch, shown)
    if task.started_event_id:
        write_started(scratch, shown)
    return [event for batch in scratch.batches for event in batch]


def _start_to_close(timeout: int, attempt: int) -> int:
    """A task that keeps failing is given more time between attempts."""
    if attempt <= _SLOW_RETRY_FROM:
        return timeout
    return timeout + min(_SLOW_RETRY_MAXIMUM, _SLOW_RETRY_INITIAL << min(attempt - _SLOW_RETRY_FROM - 1, 16))


def _suggestions(run: Run, task: WorkflowTask) -> tuple[int, ...]:
    found = []
    if task.history_size >= run.limits.suggest_continue_as_new_size:
        found.append(SuggestContinueAsNewReason.SUGGEST_CONTINUE_AS_NEW_REASON_HISTORY_SIZE_TOO_LARGE)
    if run.state.next_event_id >= run.limits.suggest_continue_as_new_count:
        found.append(SuggestContinueAsNewReason.SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_HISTORY_EVENTS)
    if updates_of(run.state) >= run.limits.suggest_continue_as_new_updates:
        found.append(SuggestContinueAsNewReason.SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_UPDATES)
    return tuple(int(reason) for reason in found)


def updates_of(state: ExecutionState) -> int:
    """How many updates a run has taken, those it has rejected not counted."""
    return len(state.updates) + len(state.completed_updates)


def _count_failure(run: Run, *, fresh: bool = False) -> None:
    """A task that failed on a sticky queue starts over on the normal one; otherwise the attempt counts."""
    state = run.state
    if state.sticky_queue or fresh:
        clear_sticky(run)
        state.workflow_task_attempt = 1
    else:
        state.workflow_task_attempt += 1
    state.workflow_task = None
    run.changed = True
