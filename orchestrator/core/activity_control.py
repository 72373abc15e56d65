"""What operators do to pending activities: pause, unpause, reset, change options."""

from collections.abc import Iterable

from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.common.v1 import Priority

from orchestrator.core import activity, retry
from orchestrator.core.run import ACTIVITY, Run
from orchestrator.core.state import Activity
from orchestrator.core.wire import after, duration, length_ns
from orchestrator.core.workflow_task import queue_message

_TIMEOUTS = {
    "schedule_to_close_timeout": "schedule_to_close",
    "schedule_to_start_timeout": "schedule_to_start",
    "start_to_close_timeout": "start_to_close",
    "heartbeat_timeout": "heartbeat_timeout",
}
_RETRY = ("initial_interval", "backoff_coefficient", "maximum_interval", "maximum_attempts")


def pause(run: Run, pending: Activity, *, identity: str, reason: str) -> None:
    """Keeps further attempts from workers; a worker that has one is told by its next heartbeat."""
    if pending.paused:
        return
    pending.paused = True
    pending.pause_time = run.now
    pending.pause_identity = identity
    pending.pause_reason = reason
    run.changed = True
    if not pending.started_time:
        _withdraw(run, pending)


def unpause(run: Run, pending: Activity, *, reset_attempts: bool, reset_heartbeat: bool, delay: int = 0) -> None:
    """Lets a paused activity go on: an attempt that waits is scheduled now, or after a delay in nanoseconds."""
    if not pending.paused:
        return
    _clear_pause(pending)
    run.changed = True
    if reset_attempts:
        pending.attempt = 1
    if reset_heartbeat:
        pending.heartbeat_details = b""
    if not pending.started_time:
        _schedule(run, pending, delay)


def reset(run: Run, pending: Activity, *, reset_heartbeat: bool, keep_paused: bool, delay: int = 0) -> None:
    """Begins again with the first attempt: at once when no worker has one, else after the attempt that runs now."""
    run.changed = True
    if pending.started_time:
        pending.reset_requested = True
        pending.reset_heartbeat = reset_heartbeat
        return
    pending.attempt = 1
    if reset_heartbeat:
        pending.heartbeat_details = b""
    if pending.paused and keep_paused:
        return
    _clear_pause(pending)
    _schedule(run, pending, delay)


def update_options(run: Run, pending: Activity, wanted: ActivityOptions, paths: Iterable[str]) -> None:
    """Changes the options that a field mask names; paths it does not know are passed over."""
    for path in paths:
        if path in ("task_queue", "task_queue.name"):
            pending.task_queue = wanted.task_queue.name
        elif path in _TIMEOUTS:
            setattr(pending, _TIMEOUTS[path], length_ns(getattr(wanted, path)))
        elif path == "priority":
            pending.priority = wanted.priority.SerializeToString()
        elif path == "retry_policy":
            pending.retry_policy = retry.with_defaults(wanted.retry_policy)
        elif path.removeprefix("retry_policy.") in _RETRY:
            _change_retry(pending, wanted, path.removeprefix("retry_policy."))
    _rescheduled(run, pending)


def restore_options(run: Run, pending: Activity) -> None:
    """Gives an activity the options it was scheduled with."""
    scheduled = run.event(pending.scheduled_event_id).activity_task_scheduled_event_attributes
    pending.task_queue = scheduled.task_queue.name
    for field, name in _TIMEOUTS.items():
        setattr(pending, name, length_ns(getattr(scheduled, field)))
    pending.retry_policy = retry.with_defaults(scheduled.retry_policy)
    _rescheduled(run, pending)


def options(pending: Activity) -> ActivityOptions:
    """The options in force."""
    return ActivityOptions(
        task_queue=queue_message(pending.task_queue),
        schedule_to_close_timeout=duration(pending.schedule_to_close),
        schedule_to_start_timeout=duration(pending.schedule_to_start),
        start_to_close_timeout=duration(pending.start_to_close),
        heartbeat_timeout=duration(pending.heartbeat_timeout),
        retry_policy=retry.message(pending.retry_policy),
        priority=Priority.FromString(pending.priority) if pending.priority else None,
    )


def _change_retry(pending: Activity, wanted: ActivityOptions, field: str) -> None:
    policy = retry.message(pending.retry_policy)
    value = getattr(wanted.retry_policy, field)
    if field.endswith("interval"):
        getattr(policy, field).CopyFrom(value)
    else:
        setattr(policy, field, value)
    pending.retry_policy = retry.with_defaults(policy)


def _rescheduled(run: Run, pending: Activity) -> None:
    """Options changed: what waits for a worker is dispatched anew, and every deadline is computed again."""
    run.changed = run.woken = True
    if pending.started_time or pending.paused:
        return
    if pending.backing_off:
        delay = retry.interval(pending.retry_policy, pending.attempt - 1)
        pending.scheduled_time = max(run.now, after(pending.last_attempt_complete_time, delay))
        return
    _withdraw(run, pending)
    activity.dispatch_due(run, pending)


def _clear_pause(pending: Activity) -> None:
    pending.paused = False
    pending.pause_time = 0
    pending.pause_identity = pending.pause_reason = ""


def _schedule(run: Run, pending: Activity, delay: int) -> None:
    _withdraw(run, pending)
    pending.last_failure = b""  # The next attempt does not tell of what came before an operator stepped in.
    run.woken = True
    pending.scheduled_time = after(run.now, delay)
    if delay:
        pending.backing_off = True
    else:
        activity.dispatch_due(run, pending)


def _withdraw(run: Run, pending: Activity) -> None:
    """A dispatch that no worker has taken is over."""
    run.buried.append((ACTIVITY, pending.scheduled_event_id))
    pending.stamp = run.new_stamp()
