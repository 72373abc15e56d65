"""Resetting a workflow: a new run that shares the history of an older one up to one of its workflow tasks.

The new run is rebuilt from the events before the task's end, fails that task, takes over what later events brought from
outside, and begins again with a fresh workflow task.
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

from orchestrator.core import activity, rebuilder, signals, transfers, update, workflow_task
from orchestrator.core.birth import Identity, run_expiration
from orchestrator.core.limits import Limits
from orchestrator.core.run import Run
from orchestrator.errors import InvalidArgument

RESETTER_IDENTITY = "history-resetter"

_X = ResetReapplyExcludeType
_E = EventType


def fork(
    identity: Identity,
    nodes: Iterable[tuple[int, int, bytes]],
    finish_event_id: int,
    *,
    base_run_id: str,
    original_start_time: int,
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
        base_run_id: of the run the history is taken from.
        original_start_time: when the chain of resets began, nanoseconds since the epoch.
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
    state.start_time = now
    state.original_start_time = original_start_time
    state.last_reset_time = now
    if state.run_timeout:
        state.run_expiration = run_expiration(now, state.run_timeout, state.execution_expiration)
    run = Run(state, now, limits, visible=True, new_id=new_id, inherited=kept, woken=True)
    _fail_task(run, base_run_id, reason)
    for pending in state.activities.values():
        activity.schedule_again(run, pending)
    transfers.owe_again(run)
    return run


def reapply(run: Run, events: Iterable[HistoryEvent], excluded: frozenset[int]) -> None:
    """Takes over what events of the replaced runs brought from outside, but for the excluded kinds."""
    for event in events:
        row = REAPPLIED.get(event.event_type)
        if row is not None and row[0] not in excluded:
            row[1](run, event)


def finish(run: Run) -> None:
    """Schedules the workflow task with which the new run goes on."""
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


def _signal(run: Run, event: HistoryEvent) -> None:
    attributes = event.workflow_execution_signaled_event_attributes
    run.state.signals += 1
    signals.add_signaled(
        run,
        name=attributes.signal_name,
        input=attributes.input if attributes.HasField("input") else None,
        identity=attributes.identity,
        header=attributes.header if attributes.HasField("header") else None,
        links=event.links,
        source=attributes.external_workflow_execution if attributes.HasField("external_workflow_execution") else None,
    )


def _update_admitted(run: Run, event: HistoryEvent) -> None:
    update.admit_again(run, event.workflow_execution_update_admitted_event_attributes.request)


def _update_accepted(run: Run, event: HistoryEvent) -> None:
    """One that was admitted by an event has no request here; that event brings it."""
    attributes = event.workflow_execution_update_accepted_event_attributes
    if attributes.HasField("accepted_request"):
        update.admit_again(run, attributes.accepted_request)


REAPPLIED: dict[EventType.ValueType, tuple[int, Callable[[Run, HistoryEvent], None]]] = {
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED: (_X.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL, _signal),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED: (_X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE, _update_admitted),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED: (_X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE, _update_accepted),
}
"""Events that are taken over: the kind that excludes them, and how."""
