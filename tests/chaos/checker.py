"""What must hold when chaos is over: of the rows alone, and of the rows because of what clients were told.

A violation is one sentence. Nothing here does I/O.
"""

import traceback
from collections import Counter
from collections.abc import Callable, Iterator, Mapping

from temporalio.api.history.v1 import HistoryEvent

from orchestrator.core.birth import Identity
from tests.chaos import register
from tests.chaos.journal import Journal
from tests.chaos.workflows import REJECTED
from tests.core import rules
from tests.functional.stored import Stored, check_run
from tests.functional.workers import all_of

Violations = Iterator[str]


def violations(stored: Stored, journal: Journal) -> list[str]:
    """Everything that does not hold; every workflow has been waited for, and every server has ended."""
    checks: tuple[Callable[[Stored, Journal], Violations], ...] = (
        _runs,
        _rows,
        _starts,
        _results,
        _signals,
        _updates,
        _completions,
        _queries,
        _contests,
    )
    return journal.broken + [each for check in checks for each in check(stored, journal)]


def _runs(stored: Stored, _: Journal) -> Violations:
    """Each run has ended, its history is whole, tells of its state, and lists show it as it is."""
    if stored.states.keys() != stored.histories.keys():
        yield f"runs without history, or the reverse: {sorted(stored.states.keys() ^ stored.histories.keys())}"
    for run_id in stored.states.keys() & stored.histories.keys():
        state = stored.states[run_id]
        about = f"{state.workflow_id} {run_id}"
        if state.running:
            yield f"{about}: the run has not ended"
            continue
        identity = Identity(state.namespace_id, run_id, state.create_request_id)
        try:
            check_run(stored, run_id)
            rules.check(state, stored.histories[run_id], {}, set(), 0, identity)
        except (AssertionError, LookupError, ValueError) as error:
            yield f"{about}: {_said(error)}"


def _rows(stored: Stored, _: Journal) -> Violations:
    """Nothing is left to do, no row is about a run that is not there, and each id has a current run."""
    for what, rows in (("dispatch", stored.tasks), ("timer", stored.wakes), ("transfer", stored.debts)):
        for run_id, count in rows.items():
            yield f"{run_id}: {count} {what} tasks are left"
    for run_id in stored.shown.keys() ^ stored.states.keys():
        yield f"{run_id}: shown in lists or stored, not both"
    for (_, workflow_id), run_id in stored.current.items():
        if run_id not in stored.states:
            yield f"{workflow_id}: its current run {run_id} is not there"
    for workflow_id in {state.workflow_id for state in stored.states.values()} - {key[1] for key in stored.current}:
        yield f"{workflow_id}: it has runs and no current one"


def _starts(stored: Stored, journal: Journal) -> Violations:
    """Each acknowledged start began the run that was named, and no other."""
    first: dict[str, list[str]] = {}
    for run_id, state in stored.states.items():
        if state.first_run_id == run_id:
            first.setdefault(state.workflow_id, []).append(run_id)
    for workflow_id, run_id in journal.started.items():
        if first.get(workflow_id) != [run_id]:
            yield f"{workflow_id}: started once, as {run_id}, and there is {first.get(workflow_id)}"
    for workflow_id, runs in first.items():
        if workflow_id not in journal.contested and len(runs) > 1:
            yield f"{workflow_id}: began {len(runs)} times"


def _results(stored: Stored, journal: Journal) -> Violations:
    """Each workflow that was started has come to the end its client was told of."""
    for workflow_id in journal.started:
        chain = _chain(stored, workflow_id)
        ends = [event for events in chain for event in all_of(events, "WORKFLOW_EXECUTION_COMPLETED")]
        if len(ends) != 1:
            yield f"{workflow_id}: it completed {len(ends)} times"
        if workflow_id not in journal.results:
            yield f"{workflow_id}: nobody was told of its end"


def _signals(stored: Stored, journal: Journal) -> Violations:
    """Each acknowledged signal is there once, in the order of its sender, and the workflow has seen it."""
    for workflow_id, senders in journal.signals.items():
        events = [
            event for events in _chain(stored, workflow_id) for event in all_of(events, "WORKFLOW_EXECUTION_SIGNALED")
        ]
        contents = [_text(event.workflow_execution_signaled_event_attributes.input) for event in events]
        for sender, sent in senders.items():
            for where, seen in (("history", contents), ("workflow", journal.results.get(workflow_id, []))):
                came = [each for each in seen if each.startswith(f"{sender} ")]
                if came != sent:
                    yield f"{workflow_id}: of {sender} its {where} has {came}, and acknowledged were {sent}"


def _updates(stored: Stored, journal: Journal) -> Violations:
    """Each update was accepted once and completed once, as its caller was told; a rejection left nothing."""
    for workflow_id, outcomes in journal.updates.items():
        accepted: Counter[str] = Counter()
        completed: dict[str, list[str]] = {}
        for events in _chain(stored, workflow_id):
            for event in all_of(events, "WORKFLOW_EXECUTION_UPDATE_ACCEPTED"):
                accepted[event.workflow_execution_update_accepted_event_attributes.accepted_request.meta.update_id] += 1
            for event in all_of(events, "WORKFLOW_EXECUTION_UPDATE_COMPLETED"):
                attributes = event.workflow_execution_update_completed_event_attributes
                completed.setdefault(attributes.meta.update_id, []).append(_text(attributes.outcome.success))
        for update_id, outcome in outcomes.items():
            expected = (0, []) if outcome is None else (1, [outcome])
            found = (accepted[update_id], completed.get(update_id, []))
            if found != expected or (outcome is None) != update_id.startswith(REJECTED):
                yield f"{workflow_id}: {update_id} was answered {outcome!r}, and history has {found}"


def _completions(stored: Stored, journal: Journal) -> Violations:
    """An activity completes once, with a result that was reported, and with the one that was acknowledged."""
    for workflow_id, activities in journal.reported.items():
        results: dict[str, list[str]] = {}
        for events in _chain(stored, workflow_id):
            names = {
                event.event_id: event.activity_task_scheduled_event_attributes.activity_id
                for event in all_of(events, "ACTIVITY_TASK_SCHEDULED")
            }
            for event in all_of(events, "ACTIVITY_TASK_COMPLETED"):
                attributes = event.activity_task_completed_event_attributes
                results.setdefault(names[attributes.scheduled_event_id], []).append(_text(attributes.result))
        for activity_id, reported in activities.items():
            result = results.get(activity_id, [])
            acknowledged = journal.completed.get(workflow_id, {}).get(activity_id, [])
            if len(result) != 1 or result[0] not in reported or acknowledged not in ([], result):
                yield f"{workflow_id}: {activity_id} completed with {result}, and acknowledged were {acknowledged}"


def _queries(_: Stored, journal: Journal) -> Violations:
    """A query sees every signal that was acknowledged before it, and none that was not sent."""
    for each in journal.queried:
        if not each.before <= each.answer <= each.after:
            yield f"{each.workflow_id}: a query saw {each.answer} signals, of {each.before} to {each.after}"


def _contests(stored: Stored, journal: Journal) -> Violations:
    """What callers saw of ids that many start and end has one order."""
    for workflow_id, attempts in journal.contested.items():
        runs = {
            state.run_id: register.Run(state.create_request_id, _reason(stored.histories[state.run_id]))
            for state in stored.runs_of(workflow_id)
        }
        if register.order(attempts, runs) is None:
            yield f"{workflow_id}: no order explains {len(attempts)} calls and {len(runs)} runs"


def _chain(stored: Stored, workflow_id: str) -> list[list[HistoryEvent]]:
    """The histories of all runs of an id, in their order."""
    runs: Mapping[str, str] = {
        run_id: stored.histories[run_id][0].workflow_execution_started_event_attributes.continued_execution_run_id
        for run_id in (state.run_id for state in stored.runs_of(workflow_id))
        if run_id in stored.histories
    }
    following = {earlier: run_id for run_id, earlier in runs.items()}
    chain, run_id = [], following.get("", "")
    while run_id:
        chain.append(stored.histories[run_id])
        run_id = following.get(run_id, "")
    return chain


def _reason(events: list[HistoryEvent]) -> str:
    return events[-1].workflow_execution_terminated_event_attributes.reason


def _text(payloads: object) -> str:
    data = payloads.payloads[0].data.decode()  # type: ignore[attr-defined]
    return str(data).strip('"')


def _said(error: Exception) -> str:
    """What an assertion says, or the line it stands on."""
    last = traceback.extract_tb(error.__traceback__)[-1]
    return str(error) or f"not so: {last.line} ({last.name})"
