"""The state of a run from its history: each event type is a row of EVENTS, a function that applies one such event.

`durable` says how much of a state its history determines. Of the rest, a rebuilt state has what a run has that nobody
works on: no worker is sticky, and every activity waits for its first attempt.
"""

from collections.abc import Callable, Iterable

from temporalio.api.enums.v1 import (
    EventType,
    TaskQueueKind,
    TimeoutType,
    WorkflowExecutionStatus,
    WorkflowTaskFailedCause,
)
from temporalio.api.history.v1 import History, HistoryEvent

from orchestrator.core import birth, execution_options, priority, reset_points, retry, search_attributes, start_child
from orchestrator.core.birth import Identity
from orchestrator.core.commands import merge
from orchestrator.core.run import CHILD_CLOSED
from orchestrator.core.start import is_null
from orchestrator.core.state import Activity, ExecutionState, ResetPoint, Timer, Update, WorkflowTask
from orchestrator.core.wire import after, length_ns, time_ns


class HistoryError(ValueError):
    """A history that this code cannot have written: an event is unknown, out of place, or about nothing."""


def rebuild(
    identity: Identity, events: Iterable[HistoryEvent], buffered: Iterable[HistoryEvent] = ()
) -> ExecutionState:
    """Replays a history.

    Args:
        identity: what the history does not tell: namespace, run id, and the request id of the start.
        events: from the first one.
        buffered: events that have happened and wait for their ids.

    Raises:
        HistoryError: the history makes no sense.
    """
    written = History(events=events)
    if not written.events or written.events[0].event_type != EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
        raise HistoryError("a history begins with WORKFLOW_EXECUTION_STARTED")
    first = written.events[0]
    state = birth.state_of(
        identity,
        first.workflow_execution_started_event_attributes,
        time_ns(first.event_time),
        first.user_metadata if first.HasField("user_metadata") else None,
    )
    for event_id, event in enumerate(written.events, 1):
        if event.event_id != event_id:
            raise HistoryError(f"event {event.event_id} stands where {event_id} belongs")
        if event_id > 1:
            _apply(state, event)
    state.next_event_id = len(written.events) + 1
    state.history_size = written.ByteSize()
    for event in buffered:
        _apply(state, event)
    return state


def _apply(state: ExecutionState, event: HistoryEvent) -> None:
    function = EVENTS.get(event.event_type)
    if function is None:
        raise HistoryError(f"event {event.event_id} is of type {event.event_type}, which has no place in a replay")
    if not state.running:
        raise HistoryError(f"event {event.event_id} follows the end of the run")
    try:
        function(state, event)
    except KeyError:
        kind = EventType.Name(event.event_type)
        raise HistoryError(f"event {event.event_id}, {kind}, is about nothing that is pending") from None


def _new_stamp(state: ExecutionState) -> int:
    state.next_stamp += 1
    return state.next_stamp - 1


def _workflow_task_scheduled(state: ExecutionState, event: HistoryEvent) -> None:
    attributes = event.workflow_task_scheduled_event_attributes
    scheduled_time = time_ns(event.event_time)
    state.workflow_task = WorkflowTask(
        scheduled_event_id=event.event_id,
        attempt=attributes.attempt,
        timeout=length_ns(attributes.start_to_close_timeout),
        scheduled_time=scheduled_time,
        original_scheduled_time=scheduled_time,
        task_queue=attributes.task_queue.name,
        sticky=attributes.task_queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY,
        stamp=_new_stamp(state),
    )
    state.workflow_task_attempt = attributes.attempt
    state.backoff_until = 0


def _task(state: ExecutionState, scheduled_event_id: int) -> WorkflowTask:
    task = state.workflow_task
    if task is None or task.scheduled_event_id != scheduled_event_id:
        raise KeyError(scheduled_event_id)
    return task


def _workflow_task_started(state: ExecutionState, event: HistoryEvent) -> None:
    attributes = event.workflow_task_started_event_attributes
    task = _task(state, attributes.scheduled_event_id)
    task.started_event_id = event.event_id
    task.started_time = time_ns(event.event_time)
    task.request_id = attributes.request_id
    task.identity = attributes.identity
    task.history_size = attributes.history_size_bytes
    task.suggestions = tuple(int(reason) for reason in attributes.suggest_continue_as_new_reasons)
    task.worker_version = (
        attributes.worker_version.SerializeToString() if attributes.HasField("worker_version") else b""
    )


def _workflow_task_completed(state: ExecutionState, event: HistoryEvent) -> None:
    attributes = event.workflow_task_completed_event_attributes
    task = _task(state, attributes.scheduled_event_id)
    state.previous_started_event_id = task.started_event_id
    state.completed_workflow_tasks += 1
    state.workflow_task_attempt = 1
    state.workflow_task = None
    if attributes.HasField("worker_version"):
        state.worker_version = attributes.worker_version.SerializeToString()
    point = ResetPoint(
        attributes.worker_version.build_id, attributes.binary_checksum, event.event_id, time_ns(event.event_time)
    )
    reset_points.add(state, point)


def _workflow_task_failed(state: ExecutionState, event: HistoryEvent) -> None:
    attributes = event.workflow_task_failed_event_attributes
    _count_failure(state, _task(state, attributes.scheduled_event_id))
    if attributes.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW:
        begin_again(state, time_ns(event.event_time))


def begin_again(state: ExecutionState, now: int) -> None:
    """A reset makes the run begin at another time, and activities wait for their first attempt from then on."""
    state.start_time = state.last_reset_time = now
    if state.run_timeout:
        state.run_expiration = birth.run_expiration(now, state.run_timeout, state.execution_expiration)
    for activity in state.activities.values():
        activity.scheduled_time = activity.first_scheduled_time = now


def _workflow_task_timed_out(state: ExecutionState, event: HistoryEvent) -> None:
    attributes = event.workflow_task_timed_out_event_attributes
    task = _task(state, attributes.scheduled_event_id)
    if attributes.timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START:
        state.workflow_task = None
    else:
        _count_failure(state, task)


def _count_failure(state: ExecutionState, task: WorkflowTask) -> None:
    state.workflow_task_attempt = 1 if task.sticky else task.attempt + 1
    state.workflow_task = None


def _activity_scheduled(state: ExecutionState, event: HistoryEvent) -> None:
    attributes = event.activity_task_scheduled_event_attributes
    scheduled_time = time_ns(event.event_time)
    own = attributes.priority if attributes.HasField("priority") else None
    state.activities[event.event_id] = Activity(
        scheduled_event_id=event.event_id,
        activity_id=attributes.activity_id,
        activity_type=attributes.activity_type.name,
        task_queue=attributes.task_queue.name,
        retry_policy=retry.with_defaults(attributes.retry_policy),
        scheduled_time=scheduled_time,
        first_scheduled_time=scheduled_time,
        schedule_to_close=length_ns(attributes.schedule_to_close_timeout),
        schedule_to_start=length_ns(attributes.schedule_to_start_timeout),
        start_to_close=length_ns(attributes.start_to_close_timeout),
        heartbeat_timeout=length_ns(attributes.heartbeat_timeout),
        priority=priority.merged(state.priority, own),
        stamp=_new_stamp(state),
    )


def _activity_started(state: ExecutionState, event: HistoryEvent) -> None:
    """Written together with the result, so there is nothing to keep."""
    state.activities[event.activity_task_started_event_attributes.scheduled_event_id]


def _activity_completed(state: ExecutionState, event: HistoryEvent) -> None:
    del state.activities[event.activity_task_completed_event_attributes.scheduled_event_id]


def _activity_failed(state: ExecutionState, event: HistoryEvent) -> None:
    del state.activities[event.activity_task_failed_event_attributes.scheduled_event_id]


def _activity_timed_out(state: ExecutionState, event: HistoryEvent) -> None:
    del state.activities[event.activity_task_timed_out_event_attributes.scheduled_event_id]


def _activity_canceled(state: ExecutionState, event: HistoryEvent) -> None:
    del state.activities[event.activity_task_canceled_event_attributes.scheduled_event_id]


def _activity_cancel_requested(state: ExecutionState, event: HistoryEvent) -> None:
    """The activity may be over: its result was in the buffer when the workflow asked."""
    pending = state.activities.get(event.activity_task_cancel_requested_event_attributes.scheduled_event_id)
    if pending is not None:
        pending.cancel_requested = True
        pending.cancel_requested_event_id = event.event_id


def _timer_started(state: ExecutionState, event: HistoryEvent) -> None:
    attributes = event.timer_started_event_attributes
    fire_time = after(time_ns(event.event_time), length_ns(attributes.start_to_fire_timeout))
    state.timers[attributes.timer_id] = Timer(attributes.timer_id, event.event_id, fire_time)


def _timer_fired(state: ExecutionState, event: HistoryEvent) -> None:
    del state.timers[event.timer_fired_event_attributes.timer_id]


def _timer_canceled(state: ExecutionState, event: HistoryEvent) -> None:
    del state.timers[event.timer_canceled_event_attributes.timer_id]


def _marker_recorded(state: ExecutionState, event: HistoryEvent) -> None:
    """For the worker alone."""


def _signaled(state: ExecutionState, event: HistoryEvent) -> None:
    state.signals += 1


def _cancel_requested(state: ExecutionState, event: HistoryEvent) -> None:
    state.cancel_requested = True


def _options_updated(state: ExecutionState, event: HistoryEvent) -> None:
    attributes = event.workflow_execution_options_updated_event_attributes
    execution_options.apply(state, attributes)
    attached = attributes.attached_request_id
    if attached:
        state.request_ids[attached] = (int(event.event_type), event.event_id)


def _search_attributes_upserted(state: ExecutionState, event: HistoryEvent) -> None:
    fields = event.upsert_workflow_search_attributes_event_attributes.search_attributes.indexed_fields
    merge(state.search_attributes, fields, search_attributes.is_empty)


def _properties_modified(state: ExecutionState, event: HistoryEvent) -> None:
    merge(state.memo, event.workflow_properties_modified_event_attributes.upserted_memo.fields, is_null)


def _update_admitted(state: ExecutionState, event: HistoryEvent) -> None:
    request = event.workflow_execution_update_admitted_event_attributes.request
    state.updates[request.meta.update_id] = Update(request.SerializeToString(), in_history=True)


def _update_accepted(state: ExecutionState, event: HistoryEvent) -> None:
    update_id = event.workflow_execution_update_accepted_event_attributes.protocol_instance_id
    update = state.updates.setdefault(update_id, Update(b""))
    update.accepted_event_id = event.event_id
    update.request = b""


def _update_completed(state: ExecutionState, event: HistoryEvent) -> None:
    update_id = event.workflow_execution_update_completed_event_attributes.meta.update_id
    del state.updates[update_id]
    state.completed_updates[update_id] = event.event_id


def _child_initiated(state: ExecutionState, event: HistoryEvent) -> None:
    attributes = event.start_child_workflow_execution_initiated_event_attributes
    state.children[event.event_id] = start_child.pending(event.event_id, attributes)


def _child_start_failed(state: ExecutionState, event: HistoryEvent) -> None:
    del state.children[event.start_child_workflow_execution_failed_event_attributes.initiated_event_id]


def _child_started(state: ExecutionState, event: HistoryEvent) -> None:
    attributes = event.child_workflow_execution_started_event_attributes
    child = state.children[attributes.initiated_event_id]
    child.run_id = attributes.workflow_execution.run_id
    child.started_event_id = event.event_id


def _child_closed(state: ExecutionState, event: HistoryEvent) -> None:
    del state.children[getattr(event, CHILD_CLOSED[event.event_type]).initiated_event_id]


def _signal_initiated(state: ExecutionState, event: HistoryEvent) -> None:
    state.external_signals.append(event.event_id)


def _signal_answered(state: ExecutionState, event: HistoryEvent) -> None:
    _strike(state.external_signals, getattr(event, str(event.WhichOneof("attributes"))).initiated_event_id)


def _cancel_initiated(state: ExecutionState, event: HistoryEvent) -> None:
    state.external_cancels.append(event.event_id)


def _cancel_answered(state: ExecutionState, event: HistoryEvent) -> None:
    _strike(state.external_cancels, getattr(event, str(event.WhichOneof("attributes"))).initiated_event_id)


def _strike(pending: list[int], event_id: int) -> None:
    if event_id not in pending:
        raise KeyError(event_id)
    pending.remove(event_id)


def _closed(status: WorkflowExecutionStatus.ValueType) -> Callable[[ExecutionState, HistoryEvent], None]:
    def apply(state: ExecutionState, event: HistoryEvent) -> None:
        state.status = status
        state.close_time = time_ns(event.event_time)
        state.workflow_task = None
        state.activities = {}
        state.timers = {}
        state.updates = {key: each for key, each in state.updates.items() if each.accepted_event_id}
        state.backoff_until = 0

    return apply


_E = EventType
_S = WorkflowExecutionStatus
EVENTS: dict[EventType.ValueType, Callable[[ExecutionState, HistoryEvent], None]] = {
    _E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED: _workflow_task_scheduled,
    _E.EVENT_TYPE_WORKFLOW_TASK_STARTED: _workflow_task_started,
    _E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED: _workflow_task_completed,
    _E.EVENT_TYPE_WORKFLOW_TASK_FAILED: _workflow_task_failed,
    _E.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: _workflow_task_timed_out,
    _E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED: _activity_scheduled,
    _E.EVENT_TYPE_ACTIVITY_TASK_STARTED: _activity_started,
    _E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: _activity_completed,
    _E.EVENT_TYPE_ACTIVITY_TASK_FAILED: _activity_failed,
    _E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: _activity_timed_out,
    _E.EVENT_TYPE_ACTIVITY_TASK_CANCELED: _activity_canceled,
    _E.EVENT_TYPE_ACTIVITY_TASK_CANCEL_REQUESTED: _activity_cancel_requested,
    _E.EVENT_TYPE_TIMER_STARTED: _timer_started,
    _E.EVENT_TYPE_TIMER_FIRED: _timer_fired,
    _E.EVENT_TYPE_TIMER_CANCELED: _timer_canceled,
    _E.EVENT_TYPE_MARKER_RECORDED: _marker_recorded,
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: _signaled,
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED: _cancel_requested,
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED: _options_updated,
    _E.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES: _search_attributes_upserted,
    _E.EVENT_TYPE_WORKFLOW_PROPERTIES_MODIFIED: _properties_modified,
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED: _update_admitted,
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: _update_accepted,
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED: _update_completed,
    _E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED: _child_initiated,
    _E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED: _child_start_failed,
    _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED: _child_started,
    **dict.fromkeys(CHILD_CLOSED, _child_closed),
    _E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: _signal_initiated,
    _E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: _signal_answered,
    _E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED: _signal_answered,
    _E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED: _cancel_initiated,
    _E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED: _cancel_answered,
    _E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED: _cancel_answered,
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: _closed(_S.WORKFLOW_EXECUTION_STATUS_COMPLETED),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: _closed(_S.WORKFLOW_EXECUTION_STATUS_FAILED),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: _closed(_S.WORKFLOW_EXECUTION_STATUS_CANCELED),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: _closed(_S.WORKFLOW_EXECUTION_STATUS_TERMINATED),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW: _closed(_S.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: _closed(_S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT),
}
