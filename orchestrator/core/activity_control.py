"""What operators do to pending activities: pause, unpause, reset, change options."""

from collections.abc import Iterable

from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.command.v1 import Command, ScheduleActivityTaskCommandAttributes
from temporalio.api.common.v1 import ActivityType, Priority
from temporalio.api.taskqueue.v1 import TaskQueue

from orchestrator.core import activity, priority, retry, server_attributes
from orchestrator.core.command_checks import CommandFailed, check_activity
from orchestrator.core.run import ACTIVITY, Run
from orchestrator.core.state import Activity
from orchestrator.core.wire import after, duration, length_ns
from orchestrator.core.workflow_task import queue_message
from orchestrator.errors import InvalidArgument

_TIMEOUTS = {
    "schedule_to_close_timeout": "schedule_to_close",
    "schedule_to_start_timeout": "schedule_to_start",
    "start_to_close_timeout": "start_to_close",
    "heartbeat_timeout": "heartbeat_timeout",
}


def pause(run: Run, pending: Activity, *, identity: str, reason: str) -> None:
    """Keeps further attempts from workers; a worker that has one is told by its next heartbeat."""
    if pending.paused:
        return
    pending.paused = True
    pending.pause_time = run.now
    pending.pause_identity = identity
    pending.pause_reason = reason
    run.changed = True
    server_attributes.show_paused(run)
    if not pending.started_time:
        _withdraw(run, pending)


def unpause(run: Run, pending: Activity, *, reset_attempts: bool, reset_heartbeat: bool, delay: int = 0) -> None:
    """Lets a paused activity go on: an attempt that waits is scheduled now, or after a delay in nanoseconds."""
    if not pending.paused:
        return
    _clear_pause(run, pending)
    run.changed = True
    if reset_attempts:
        pending.attempt = 1
    if reset_heartbeat:
        pending.heartbeat_details = b""
    if not pending.started_time:
        _schedule(run, pending, delay)


def reset(run: Run, pending: Activity, *, reset_heartbeat: bool, keep_paused: bool, delay: int = 0) -> None:
    """Begins again with the first attempt: at once when no worker has one, else the one that runs is the first."""
    run.changed = True
    pending.attempt = 1
    if pending.started_time:
        pending.reset_requested = True
        pending.reset_heartbeat = reset_heartbeat
        return
    if reset_heartbeat:
        pending.heartbeat_details = b""
    if pending.paused and keep_paused:
        return
    _clear_pause(run, pending)
    _schedule(run, pending, delay)


def update_options(run: Run, pending: Activity, wanted: ActivityOptions, paths: Iterable[str]) -> None:
    """Changes the options that a field mask names; paths it does not know are passed over.

    Raises:
        InvalidArgument: an activity with these options could not be scheduled.
    """
    known = [path for path in paths if FieldMask(paths=[path]).IsValidForDescriptor(ActivityOptions.DESCRIPTOR)]
    for path in known:
        field, _, inner = path.partition(".")
        if inner and not wanted.HasField(field):  # type: ignore[arg-type]
            raise InvalidArgument(f"{''.join(map(str.capitalize, field.split('_')))} is not provided")
    changed = options(pending)
    FieldMask(paths=known).MergeMessage(wanted, changed, replace_message_field=True)
    _check(run, pending, wanted, changed)
    pending.task_queue = changed.task_queue.name
    for name, timeout in zip(_TIMEOUTS.values(), activity.normalised(changed, run.state.run_timeout), strict=True):
        setattr(pending, name, timeout)
    pending.retry_policy = retry.with_defaults(changed.retry_policy)
    pending.priority = changed.priority.SerializeToString()
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


def _check(run: Run, pending: Activity, wanted: ActivityOptions, changed: ActivityOptions) -> None:
    """Checks the options as if the activity were scheduled with them; of a retry policy only what the caller says."""
    priority.validate(changed.priority)
    retry.validate(wanted.retry_policy)
    command = Command(
        schedule_activity_task_command_attributes=ScheduleActivityTaskCommandAttributes(
            activity_id=pending.activity_id,
            activity_type=ActivityType(name=pending.activity_type),
            task_queue=TaskQueue(name=changed.task_queue.name),
            schedule_to_close_timeout=changed.schedule_to_close_timeout,
            schedule_to_start_timeout=changed.schedule_to_start_timeout,
            start_to_close_timeout=changed.start_to_close_timeout,
            heartbeat_timeout=changed.heartbeat_timeout,
        )
    )
    try:
        check_activity(command, run.limits)
    except CommandFailed as error:
        raise InvalidArgument(error.text) from None


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


def _clear_pause(run: Run, pending: Activity) -> None:
    pending.paused = False
    pending.pause_time = 0
    pending.pause_identity = pending.pause_reason = ""
    server_attributes.show_paused(run)


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
