"""The activity machine: scheduled, started, tried again, closed, as on a Temporal server.

Every activity has a retry policy, so a start leaves no event until the activity closes: the STARTED event of the last
attempt is written together with the result.
"""

from google.protobuf.message import Message
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.command.v1 import ScheduleActivityTaskCommandAttributes
from temporalio.api.common.v1 import Payloads, WorkerVersionStamp
from temporalio.api.enums.v1 import EventType, RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure, ServerFailureInfo
from temporalio.api.history.v1 import (
    ActivityTaskCanceledEventAttributes,
    ActivityTaskCancelRequestedEventAttributes,
    ActivityTaskCompletedEventAttributes,
    ActivityTaskFailedEventAttributes,
    ActivityTaskScheduledEventAttributes,
    ActivityTaskStartedEventAttributes,
    ActivityTaskTimedOutEventAttributes,
)
from temporalio.api.sdk.v1 import UserMetadata

from orchestrator.core import retry, server_attributes, workflow_task
from orchestrator.core.activity_timeouts import next_timeout, timeout_failure
from orchestrator.core.priority import merged, share
from orchestrator.core.run import ACTIVITY, ACTIVITY_CLOSED, Dispatch, Run
from orchestrator.core.state import Activity
from orchestrator.core.wire import after, duration, json_payloads, length_ns
from orchestrator.errors import InvalidArgument, NotFound

GONE = "invalid activityID or activity already timed out or invoking workflow is completed"
NOT_STARTED_DETAILS = "ACTIVITY_ID_NOT_STARTED"
FAILURE_TOO_LARGE = "Failure exceeds size limit."
_TEXT_FIELDS = 8
"""Bytes for the tags and lengths of a message and a stack trace."""


def schedule(
    run: Run,
    command: ScheduleActivityTaskCommandAttributes,
    completed_event_id: int,
    user_metadata: UserMetadata | None = None,
    *,
    dispatch: bool = True,
) -> Activity:
    """Writes ACTIVITY_TASK_SCHEDULED for a checked command and dispatches the first attempt.

    Args:
        run: the run.
        command: checked; its activity id is not pending.
        completed_event_id: of the workflow task the command came with.
        user_metadata: shown with the event.
        dispatch: False when the caller starts the activity itself in this transition (eager).
    """
    timeouts = normalised(command, run.state.run_timeout)
    policy = retry.with_defaults(command.retry_policy if command.HasField("retry_policy") else None)
    queue = command.task_queue.name
    priority = merged(run.state.priority, command.priority if command.HasField("priority") else None)
    event = run.add(
        EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED,
        "activity_task_scheduled_event_attributes",
        ActivityTaskScheduledEventAttributes(
            activity_id=command.activity_id,
            activity_type=command.activity_type,
            task_queue=workflow_task.queue_message(queue),
            header=command.header if command.HasField("header") else None,
            input=command.input if command.HasField("input") else None,
            schedule_to_close_timeout=duration(timeouts[0]),
            schedule_to_start_timeout=duration(timeouts[1]),
            start_to_close_timeout=duration(timeouts[2]),
            heartbeat_timeout=duration(timeouts[3]),
            workflow_task_completed_event_id=completed_event_id,
            retry_policy=retry.message(policy),
            use_workflow_build_id=command.use_workflow_build_id,
            priority=command.priority if command.HasField("priority") else None,
        ),
        user_metadata=user_metadata,
    )
    activity = Activity(
        scheduled_event_id=event.event_id,
        activity_id=command.activity_id,
        activity_type=command.activity_type.name,
        task_queue=queue,
        retry_policy=policy,
        scheduled_time=run.now,
        first_scheduled_time=run.now,
        schedule_to_close=timeouts[0],
        schedule_to_start=timeouts[1],
        start_to_close=timeouts[2],
        heartbeat_timeout=timeouts[3],
        priority=priority,
        stamp=run.new_stamp(),
    )
    run.state.activities[event.event_id] = activity
    if dispatch:
        _dispatch(run, activity)
    _wake(run, activity)
    return activity


def find(run: Run, scheduled_event_id: int) -> Activity:
    """A pending activity by the id of its SCHEDULED event; raises NotFound."""
    activity = run.state.activities.get(scheduled_event_id)
    if activity is None:
        raise NotFound(GONE)
    return activity


def find_by_id(run: Run, activity_id: str) -> Activity:
    """A pending activity by the id the workflow gave it; raises NotFound."""
    for activity in run.state.activities.values():
        if activity.activity_id == activity_id:
            return activity
    raise NotFound(
        f"cannot find pending activity with ActivityID {activity_id}, check workflow execution history for more details"
    )


def start(run: Run, activity: Activity, *, request_id: str, identity: str) -> None:
    """Hands a scheduled attempt to a worker."""
    activity.request_id = request_id
    activity.started_identity = identity
    activity.started_time = run.now
    activity.worker_version = b""
    run.changed = True
    _wake(run, activity)


def heartbeat(run: Run, activity: Activity, details: Payloads | None) -> None:
    """Records that a started attempt is alive, and its details."""
    activity.heartbeat_time = run.now
    activity.heartbeat_details = details.SerializeToString() if details is not None else b""
    run.changed = True


def complete(run: Run, activity: Activity, result: Payloads | None, identity: str) -> None:
    """Closes an activity with its result; one that was never started, named by id, counts as started now."""
    if not activity.started_time:
        start(run, activity, request_id="", identity=identity)
        run.buried.append((ACTIVITY, activity.scheduled_event_id))
    _close(
        run,
        activity,
        EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
        "activity_task_completed_event_attributes",
        ActivityTaskCompletedEventAttributes(
            result=result, scheduled_event_id=activity.scheduled_event_id, identity=identity
        ),
    )


def fail(run: Run, activity: Activity, failure: Failure, identity: str) -> None:
    """An attempt failed: schedules the next one, or closes the activity."""
    retry_state = try_again(run, activity, failure)
    if retry_state == RetryState.RETRY_STATE_IN_PROGRESS:
        return
    _close(
        run,
        activity,
        EventType.EVENT_TYPE_ACTIVITY_TASK_FAILED,
        "activity_task_failed_event_attributes",
        ActivityTaskFailedEventAttributes(
            failure=failure,
            scheduled_event_id=activity.scheduled_event_id,
            identity=identity,
            retry_state=retry_state,
        ),
    )


def time_out(run: Run, activity: Activity, timeout_type: TimeoutType.ValueType) -> None:
    """A timeout passed: schedules the next attempt, or closes the activity with TIMED_OUT."""
    failure = timeout_failure(timeout_type)
    retry_state = try_again(run, activity, failure)
    if retry_state == RetryState.RETRY_STATE_IN_PROGRESS:
        return
    out_of_time = retry_state == RetryState.RETRY_STATE_TIMEOUT
    if out_of_time:
        failure = timeout_failure(TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE, no_time_for_retry=True)
    if activity.heartbeat_details:
        failure.timeout_failure_info.last_heartbeat_details.ParseFromString(activity.heartbeat_details)
    if activity.last_failure:
        failure.cause.ParseFromString(activity.last_failure)
    if not activity.started_time:
        run.buried.append((ACTIVITY, activity.scheduled_event_id))
    _close(
        run,
        activity,
        EventType.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
        "activity_task_timed_out_event_attributes",
        ActivityTaskTimedOutEventAttributes(
            failure=failure, scheduled_event_id=activity.scheduled_event_id, retry_state=retry_state
        ),
    )


def cancel(run: Run, activity: Activity, details: Payloads | None, identity: str) -> None:
    """Closes an activity whose worker obeyed the cancel request; raises InvalidArgument without a request."""
    if not activity.cancel_requested:
        raise InvalidArgument("unable to mark activity as canceled without activity being request canceled first")
    _close(
        run,
        activity,
        EventType.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
        "activity_task_canceled_event_attributes",
        ActivityTaskCanceledEventAttributes(
            details=details,
            latest_cancel_requested_event_id=activity.cancel_requested_event_id,
            scheduled_event_id=activity.scheduled_event_id,
            identity=identity,
        ),
    )


def request_cancel(run: Run, scheduled_event_id: int, completed_event_id: int, identity: str) -> bool:
    """The workflow wants an activity cancelled; one that no worker has is cancelled at once.

    Returns:
        Whether the activity was cancelled at once, so that a workflow task must follow.

    Raises:
        KeyError: no such activity is pending or closing, or its cancel was requested before.
    """
    activity = run.state.activities.get(scheduled_event_id)
    closing = activity is None and _closing(run, scheduled_event_id)
    if not closing and (activity is None or activity.cancel_requested):
        raise KeyError(scheduled_event_id)
    event = run.add(
        EventType.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED,
        "activity_task_cancel_requested_event_attributes",
        ActivityTaskCancelRequestedEventAttributes(
            scheduled_event_id=scheduled_event_id, workflow_task_completed_event_id=completed_event_id
        ),
    )
    if activity is None:
        return False
    activity.cancel_requested = True
    activity.cancel_requested_event_id = event.event_id
    if activity.started_time:
        return False
    run.dispatches[:] = [each for each in run.dispatches if each.scheduled_event_id != scheduled_event_id]
    run.buried.append((ACTIVITY, scheduled_event_id))
    cancel(run, activity, json_payloads(NOT_STARTED_DETAILS), identity)
    return True


def try_again(run: Run, activity: Activity, failure: Failure) -> RetryState.ValueType:
    """Decides what follows a failed attempt and, when another one follows, schedules it."""
    if activity.cancel_requested:
        return RetryState.RETRY_STATE_CANCEL_REQUESTED
    expiration = after(activity.first_scheduled_time, activity.schedule_to_close) if activity.schedule_to_close else 0
    delay, retry_state = retry.next_delay(activity.retry_policy, activity.attempt, failure, run.now, expiration)
    if activity.paused and retry.retryable(failure, activity.retry_policy):
        delay, retry_state = 0, RetryState.RETRY_STATE_IN_PROGRESS
    if retry_state != RetryState.RETRY_STATE_IN_PROGRESS:
        return retry_state
    activity.last_failure = _kept_failure(failure, run.limits.activity_failure_size)
    activity.last_identity = activity.started_identity
    activity.last_attempt_complete_time = run.now
    activity.attempt += 1
    if activity.reset_heartbeat:
        activity.heartbeat_details = b""
    activity.reset_requested = activity.reset_heartbeat = False
    activity.scheduled_time = after(run.now, delay)
    activity.started_time = 0
    activity.started_identity = activity.request_id = ""
    activity.stamp = run.new_stamp()
    run.changed = True
    activity.backing_off = delay > 0
    if activity.backing_off:
        run.wake_at(activity.scheduled_time)
    elif not activity.paused:
        _dispatch(run, activity)
    _wake(run, activity)
    return retry_state


def schedule_again(run: Run, activity: Activity) -> None:
    """A reset takes an activity over from the run before, with its first attempt."""
    activity.stamp = run.new_stamp()
    _dispatch(run, activity)
    _wake(run, activity)


def dispatch_due(run: Run, activity: Activity) -> None:
    """The backoff of a retried activity is over: its next attempt goes to the workers."""
    activity.backing_off = False
    run.changed = True
    _dispatch(run, activity)


def _dispatch(run: Run, activity: Activity) -> None:
    run.dispatches.append(
        Dispatch(ACTIVITY, activity.task_queue, activity.scheduled_event_id, activity.stamp, share(activity.priority))
    )


def _wake(run: Run, activity: Activity) -> None:
    deadline, _ = next_timeout(activity)
    if deadline:
        run.wake_at(deadline)


def _close(run: Run, activity: Activity, event_type: EventType.ValueType, field_name: str, attributes: Message) -> None:
    """Writes the STARTED event of the last attempt, if there was one, then the result, and forgets the activity."""
    if activity.started_time:
        run.add(
            EventType.EVENT_TYPE_ACTIVITY_TASK_STARTED,
            "activity_task_started_event_attributes",
            ActivityTaskStartedEventAttributes(
                scheduled_event_id=activity.scheduled_event_id,
                identity=activity.started_identity,
                request_id=activity.request_id,
                attempt=activity.attempt,
                last_failure=Failure.FromString(activity.last_failure) if activity.last_failure else None,
                worker_version=(
                    WorkerVersionStamp.FromString(activity.worker_version) if activity.worker_version else None
                ),
            ),
            time=activity.started_time,
        )
    run.add(event_type, field_name, attributes)
    del run.state.activities[activity.scheduled_event_id]
    if activity.paused:
        server_attributes.show_paused(run)


def _closing(run: Run, scheduled_event_id: int) -> bool:
    """Whether the activity's result waits in the buffer, or was written in this transition."""
    for events in (run.buffer, *run.batches):
        for event in events:
            name = ACTIVITY_CLOSED.get(event.event_type)
            if name and getattr(event, name).scheduled_event_id == scheduled_event_id:
                return True
    return False


def _kept_failure(failure: Failure, limit: int) -> bytes:
    """The failure as the state keeps it: a large one is cut and wrapped."""
    data = failure.SerializeToString()
    if len(data) <= limit:
        return data
    return truncated(failure, limit).SerializeToString()


def truncated(failure: Failure, limit: int, *, non_retryable: bool = False) -> Failure:
    """A server failure that says the failure was too large, caused by as much of it as fits in `limit` bytes."""
    cause = Failure(source=failure.source)
    if failure.HasField("application_failure_info"):
        info = failure.application_failure_info
        cause.application_failure_info.type = info.type
        cause.application_failure_info.non_retryable = info.non_retryable
    room = max(0, limit - cause.ByteSize() - _TEXT_FIELDS)
    message = failure.message.encode()[:room]
    cause.message = message.decode(errors="ignore")
    cause.stack_trace = failure.stack_trace.encode()[: room - len(message)].decode(errors="ignore")
    return Failure(
        message=FAILURE_TOO_LARGE, cause=cause, server_failure_info=ServerFailureInfo(non_retryable=non_retryable)
    )


def normalised(
    command: ScheduleActivityTaskCommandAttributes | ActivityOptions, run_timeout: int
) -> tuple[int, int, int, int]:
    """The timeouts of an activity: (schedule to close, schedule to start, start to close, heartbeat) in nanoseconds.

    A timeout that is not set is filled from the others and the run's; none is longer than what contains it.
    """
    schedule_to_close = length_ns(command.schedule_to_close_timeout)
    schedule_to_start = length_ns(command.schedule_to_start_timeout)
    start_to_close = length_ns(command.start_to_close_timeout)
    heartbeat_timeout = length_ns(command.heartbeat_timeout)
    if schedule_to_close:
        schedule_to_start = min(schedule_to_start or schedule_to_close, schedule_to_close)
        start_to_close = min(start_to_close or schedule_to_close, schedule_to_close)
    else:
        schedule_to_close = run_timeout
        schedule_to_start = schedule_to_start or run_timeout
    if run_timeout:
        schedule_to_close = min(schedule_to_close, run_timeout)
        schedule_to_start = min(schedule_to_start, run_timeout)
        start_to_close = min(start_to_close, run_timeout)
    return schedule_to_close, schedule_to_start, start_to_close, min(heartbeat_timeout, start_to_close)
