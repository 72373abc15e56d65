"""Resetting a workflow: a new run that shares the history of an older one up to one of its workflow tasks.

The new run is rebuilt from the events before the task's end, fails that task, takes over what later events brought from
outside, and begins again with a fresh workflow task. What it had asked of others before that task it asks again, unless
a later event is the answer.
"""

from collections.abc import Callable, Iterable

from temporalio.api.enums.v1 import (
    EventType,
    ResetReapplyExcludeType,
    ResetReapplyType,
    WorkflowTaskFailedCause,
)
from temporalio.api.failure.v1 import Failure, ResetWorkflowFailureInfo
from temporalio.api.history.v1 import History, HistoryEvent

from orchestrator.core import activity, rebuilder, transfers, update, workflow_task
from orchestrator.core.birth import Identity
from orchestrator.core.limits import Limits
from orchestrator.core.run import CHILD_CLOSED, Run
from orchestrator.core.state import ExecutionState
from orchestrator.errors import InvalidArgument

RESETTER_IDENTITY = "history-resetter"

_X = ResetReapplyExcludeType
_E = EventType


def fork(
    identity: Identity,
    nodes: Iterable[tuple[int, int, bytes]],
    finish_event_id: int,
    *,
    base: ExecutionState,
    reason: str,
    now: int,
    limits: Limits,
    new_id: Callable[[], str],
) -> Run:
    """Begins the new run, up to the failure of the workflow task it was reset to.

    Args:
        identity: of the new run.
        nodes: the history of the base run as (first event id, last event id, serialized History).
        finish_event_id: of the event that ended the workflow task, or would have; it and all after it are left out.
        base: the state of the base run.
        reason: told to the worker.
        now: nanoseconds since the epoch.
        limits: in force.
        new_id: draws request ids.

    Raises:
        InvalidArgument: there is no workflow task that this event could have ended.
    """
    kept = list(_before(nodes, finish_event_id))
    events = History.FromString(b"".join(data for _, _, data in kept)).events
    state = rebuilder.rebuild(identity, events)
    if state.workflow_task is None:
        raise InvalidArgument(
            "Can only reset workflow to event ID in range [WorkflowTaskScheduled +1, WorkflowTaskStarted + 1]: "
            f"{finish_event_id}"
        )
    rebuilder.begin_again(state, now)
    state.original_start_time = base.original_start_time
    for child in state.children.values():
        if not child.run_id:
            known = base.children.get(child.initiated_event_id)
            child.asked_by = (known.asked_by if known is not None else "") or base.run_id
    run = Run(state, now, limits, visible=True, new_id=new_id, inherited=kept, woken=True)
    _fail_task(run, base.run_id, reason)
    for pending in state.activities.values():
        activity.schedule_again(run, pending)
    return run


def reapply(run: Run, own: Iterable[HistoryEvent], following: Iterable[HistoryEvent], excluded: frozenset[int]) -> None:
    """Takes over what events of the replaced runs brought from outside, but for the excluded kinds.

    Args:
        run: the new one.
        own: events of the base run that were left out. Only these can be about children of the new run.
        following: events of the runs that went on for the base run.
        excluded: see `exclusions`.
    """
    for event in own:
        _take_over(run, event, excluded)
        _take_over_child(run, event)
    for event in following:
        _take_over(run, event, excluded)


def finish(run: Run) -> None:
    """Notes what nobody has answered, and schedules the workflow task with which the new run goes on."""
    run.transfers.extend(transfers.debts(run.state))
    workflow_task.schedule(run)


def exclusions(reapply_type: ResetReapplyType.ValueType, excluded: Iterable[int]) -> frozenset[int]:
    """The kinds of events that are not taken over; raises InvalidArgument for a reapply type nobody knows."""
    match reapply_type:
        case ResetReapplyType.RESET_REAPPLY_TYPE_UNSPECIFIED | ResetReapplyType.RESET_REAPPLY_TYPE_ALL_ELIGIBLE:
            return frozenset(excluded)
        case ResetReapplyType.RESET_REAPPLY_TYPE_SIGNAL:
            return frozenset((*excluded, _X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE))
        case ResetReapplyType.RESET_REAPPLY_TYPE_NONE:
            return frozenset((*excluded, _X.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL, _X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE))
    raise InvalidArgument(f"unknown reset reapply type: {int(reapply_type)}")


def _before(nodes: Iterable[tuple[int, int, bytes]], event_id: int) -> Iterable[tuple[int, int, bytes]]:
    """The nodes before an event; the one that holds it is cut."""
    for first, last, data in nodes:
        if last < event_id:
            yield first, last, data
        elif first < event_id:
            events = [event for event in History.FromString(data).events if event.event_id < event_id]
            yield first, event_id - 1, History(events=events).SerializeToString()


def _fail_task(run: Run, base_run_id: str, reason: str) -> None:
    task = run.state.workflow_task
    assert task is not None
    task.attempt = run.state.workflow_task_attempt = 1
    if not task.started_event_id:
        workflow_task.start(run, request_id=run.new_id(), identity=workflow_task.SERVER_IDENTITY)
    workflow_task.fail(
        run,
        cause=WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW,
        identity=workflow_task.SERVER_IDENTITY,
        failure=Failure(message=reason, reset_workflow_failure_info=ResetWorkflowFailureInfo()),
        base_run_id=base_run_id,
        new_run_id=run.state.run_id,
    )


def _take_over(run: Run, event: HistoryEvent, excluded: frozenset[int]) -> None:
    row = REAPPLIED.get(event.event_type)
    if row is not None and row[0] not in excluded:
        row[1](run, event)


def _take_over_child(run: Run, event: HistoryEvent) -> None:
    """What became of a child that was asked for before the reset: it will not be told again."""
    if event.event_type not in CHILD_ANSWERED:
        return
    attributes = getattr(event, str(event.WhichOneof("attributes")))
    if attributes.initiated_event_id in run.state.children:
        _write_again(run, event)


def _write_again(run: Run, event: HistoryEvent) -> None:
    """Writes a copy of the event, which does what it does in a replay."""
    field = str(event.WhichOneof("attributes"))
    again = run.add(
        event.event_type,
        field,
        getattr(event, field),
        links=event.links,
        worker_may_ignore=event.worker_may_ignore,
    )
    rebuilder.EVENTS[event.event_type](run.state, again)


def _update_admitted(run: Run, event: HistoryEvent) -> None:
    update.admit_again(run, event.workflow_execution_update_admitted_event_attributes.request)


def _update_accepted(run: Run, event: HistoryEvent) -> None:
    """One that was admitted by an event has no request here; that event brings it."""
    attributes = event.workflow_execution_update_accepted_event_attributes
    if attributes.HasField("accepted_request"):
        update.admit_again(run, attributes.accepted_request)


NEVER_EXCLUDED = -1

REAPPLIED: dict[EventType.ValueType, tuple[int, Callable[[Run, HistoryEvent], None]]] = {
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: (_X.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL, _write_again),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED: (_X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE, _update_admitted),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: (_X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE, _update_accepted),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED: (NEVER_EXCLUDED, _write_again),
}
"""Events that are taken over: the kind that excludes them, and how."""

CHILD_ANSWERED = {
    _E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED,
    _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
    *CHILD_CLOSED,
}
"""Events that tell a parent of a child."""
