"""What must hold when a simulation is over, read from the tables and from what the actors know for certain."""

from collections import Counter

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent

from orchestrator.core import state as states
from orchestrator.core.birth import Identity
from orchestrator.store.ports import RunKey
from tests.chaos import register
from tests.core import rules
from tests.simulation import contest
from tests.simulation.actors import Ledger
from tests.simulation.memory import Tables

_E = EventType
CLOSE_EVENTS = {
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
}
TERMINAL = {
    _E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    _E.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    _E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
    _E.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
}


class Violation(AssertionError):
    """Something was promised and does not hold."""


def require(condition: object, promise: str, about: object) -> None:
    """Raises Violation unless a promise holds."""
    if not condition:
        raise Violation(f"{promise}: {about}")


def events_of(tables: Tables, key: RunKey) -> list[HistoryEvent]:
    """The history of a run."""
    return [event for node in tables.nodes[key] for event in History.FromString(node.events).events]


def check(tables: Tables, ledger: Ledger) -> None:
    """Checks everything; raises Violation."""
    histories = {key: events_of(tables, key) for key in tables.runs}
    for key, events in histories.items():
        _check_run(tables, ledger, key, events)
    require(not tables.trespasses, "nothing is written under a lease that is over", tables.trespasses)
    require(not tables.tasks, "no task is left of a closed run", list(tables.tasks))
    require(not tables.transfers, "every debt is paid", list(tables.transfers))
    require(not tables.wakes, "no closed run is woken", list(tables.wakes))
    _check_starts(tables, ledger, histories)
    _check_contest(tables, ledger, histories)
    _check_signals(tables, ledger, histories)
    _check_updates(tables, ledger, histories)
    _check_children(tables, histories)


def _check_run(tables: Tables, ledger: Ledger, key: RunKey, events: list[HistoryEvent]) -> None:
    require([each.event_id for each in events] == list(range(1, len(events) + 1)), "event ids are contiguous", key)
    require(
        [each.event_type in CLOSE_EVENTS for each in events] == [False] * (len(events) - 1) + [True],
        "a run ends once, with its last event",
        (key, tables.workflows[key].workflow_id),
    )
    state = _state(tables, key)
    require(not state.running, "the state of an ended run says so", key)
    require(state.next_event_id == len(events) + 1, "the state knows how many events there are", key)
    record = tables.records[key]
    require(record.status == state.status, "lists show the status of the state", key)
    require(record.history_length == len(events), "lists show the length of the history", key)
    identity = Identity(state.namespace_id, key.run_id, state.create_request_id)
    try:
        rules.check(state, events, {}, set(), 0, identity)
    except AssertionError as error:
        raise Violation(f"the rules of every run: {key} {error}") from error
    _check_activities(ledger, key, events)
    _check_timers(key, events)


def _state(tables: Tables, key: RunKey) -> states.ExecutionState:
    blob = tables.runs[key].blob
    assert blob is not None
    return states.decode(bytes(blob))


def _check_activities(ledger: Ledger, key: RunKey, events: list[HistoryEvent]) -> None:
    names = {
        each.event_id: each.activity_task_scheduled_event_attributes.activity_id
        for each in events
        if each.event_type == _E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    }
    ended: Counter[int] = Counter()
    for each in events:
        if each.event_type not in TERMINAL:
            continue
        attributes = getattr(each, TERMINAL[each.event_type])
        ended[attributes.scheduled_event_id] += 1
        if each.event_type == _E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
            result = attributes.result.payloads[0].data.decode()
            reported = ledger.reported.get((key.run_id, names[attributes.scheduled_event_id]), set())
            require(result in reported, "a result is one that a worker reported", (key, result))
    require(all(count == 1 for count in ended.values()), "a completion is applied at most once", (key, ended))


def _check_timers(key: RunKey, events: list[HistoryEvent]) -> None:
    started = {
        each.event_id: (
            each.event_time.ToNanoseconds(),
            each.timer_started_event_attributes.start_to_fire_timeout.ToNanoseconds(),
        )
        for each in events
        if each.event_type == _E.EVENT_TYPE_TIMER_STARTED
    }
    fired = [each for each in events if each.event_type == _E.EVENT_TYPE_TIMER_FIRED]
    for each in fired:
        begun, length = started[each.timer_fired_event_attributes.started_event_id]
        require(each.event_time.ToNanoseconds() >= begun + length, "no timer fires early", (key, each.event_id))
    require(len(fired) == len({each.timer_fired_event_attributes.started_event_id for each in fired}), "nor twice", key)


def _check_starts(tables: Tables, ledger: Ledger, histories: dict[RunKey, list[HistoryEvent]]) -> None:
    """Of all that started one id, one was granted, and its run is the only first run there is."""
    first: dict[str, list[str]] = {}
    for key, events in histories.items():
        attributes = events[0].workflow_execution_started_event_attributes
        if attributes.first_execution_run_id == key.run_id:
            first.setdefault(tables.workflows[key].workflow_id, []).append(key.run_id)
    for workflow_id, runs in first.items():
        require(workflow_id == contest.ID or len(runs) == 1, "an id was started once", (workflow_id, runs))
    for workflow_id, granted in ledger.started.items():
        require(len(granted) <= 1, "one of many starts is granted", (workflow_id, granted))
        require(set(granted.values()) <= set(first.get(workflow_id, [])), "what was granted is there", workflow_id)
    for workflow_id in ledger.refused:
        require(workflow_id in first, "a start is refused only for another", workflow_id)


def _check_contest(tables: Tables, ledger: Ledger, histories: dict[RunKey, list[HistoryEvent]]) -> None:
    """What callers saw of the id that many start and end has one order."""
    runs = {}
    for key, events in histories.items():
        if tables.workflows[key].workflow_id == contest.ID:
            reason = events[-1].workflow_execution_terminated_event_attributes.reason
            runs[key.run_id] = register.Run(_state(tables, key).create_request_id, reason)
    require(register.order(ledger.contested, runs) is not None, "starts are linearizable", contest.ID)


def _check_signals(tables: Tables, ledger: Ledger, histories: dict[RunKey, list[HistoryEvent]]) -> None:
    """Each signal of each sender is there once, in the order it was sent, along the chain of runs."""
    chains: dict[str, list[tuple[int, RunKey]]] = {}
    for key, events in histories.items():
        born = events[0].event_time.ToNanoseconds()
        chains.setdefault(tables.workflows[key].workflow_id, []).append((born, key))
    for (workflow_id, sender), sent in ledger.signals.items():
        seen = [
            each.workflow_execution_signaled_event_attributes.input.payloads[0].data.decode()
            for _, key in sorted(chains.get(workflow_id, []))
            for each in histories[key]
            if each.event_type == _E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
            and each.workflow_execution_signaled_event_attributes.signal_name == sender
        ]
        require(seen == sent, "signals arrive once and in order", (workflow_id, sender, sent, seen))
    names = Counter(
        (tables.workflows[key].workflow_id, each.workflow_execution_signaled_event_attributes.signal_name)
        for key, events in histories.items()
        for each in events
        if each.event_type == _E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED
    )
    for about, known in ledger.anonymous.items():
        require(names[about] <= 1, "a signal that was sent once is not doubled", about)
        require(names[about] or not known, "an acknowledged signal is there", about)


def _check_updates(tables: Tables, ledger: Ledger, histories: dict[RunKey, list[HistoryEvent]]) -> None:
    """Each update was accepted once and completed once, as its caller was told; a rejection left nothing."""
    accepted: Counter[tuple[str, str]] = Counter()
    completed: dict[tuple[str, str], list[str]] = {}
    for key, events in histories.items():
        workflow_id = tables.workflows[key].workflow_id
        for each in events:
            if each.event_type == _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
                request = each.workflow_execution_update_accepted_event_attributes.accepted_request
                accepted[workflow_id, request.meta.update_id] += 1
            elif each.event_type == _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
                attributes = each.workflow_execution_update_completed_event_attributes
                outcome = attributes.outcome.success.payloads[0].data.decode()
                completed.setdefault((workflow_id, attributes.meta.update_id), []).append(outcome)
    for about, told in ledger.updates.items():
        expected = (0, []) if told is None else (1, [told])
        found = (accepted[about], completed.get(about, []))
        require(found == expected, "an update is acknowledged once, as it happened", (about, told, found))


def _check_children(tables: Tables, histories: dict[RunKey, list[HistoryEvent]]) -> None:
    """Every child that was asked for began once, and its parent heard once of its end."""
    children = Counter(
        each.start_child_workflow_execution_initiated_event_attributes.workflow_id
        for events in histories.values()
        for each in events
        if each.event_type == _E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED
    )
    runs = Counter(workflow.workflow_id for workflow in tables.workflows.values())
    for workflow_id in children:
        require(runs[workflow_id] == 1, "a child begins once", (workflow_id, runs[workflow_id]))
    for key, events in histories.items():
        heard = Counter(
            each.child_workflow_execution_completed_event_attributes.initiated_event_id
            for each in events
            if each.event_type == _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED
        )
        require(all(count == 1 for count in heard.values()), "a parent hears once of an end", key)
