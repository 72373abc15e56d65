"""What must hold of everything a server has stored, whatever happened to it; read from its database."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent

from orchestrator.core.run import ACTIVITY_CLOSED
from orchestrator.core.state import ExecutionState, decode
from orchestrator.models import (
    CurrentExecution,
    DispatchTask,
    Execution,
    HistoryNode,
    TimerTask,
    TransferTask,
    VisibilityRecord,
)
from tests.support.databases import alias

_E = EventType
CLOSED = frozenset(
    {
        _E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        _E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        _E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED,
        _E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        _E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        _E.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
    }
)
TASK_ENDED = {
    _E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED: "workflow_task_completed_event_attributes",
    _E.EVENT_TYPE_WORKFLOW_TASK_FAILED: "workflow_task_failed_event_attributes",
    _E.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT: "workflow_task_timed_out_event_attributes",
}

_CHILD, _SIGNAL, _CANCEL = (
    _E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
    _E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
    _E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
)
ANSWERS = {
    "TIMER_FIRED": (_E.EVENT_TYPE_TIMER_STARTED, "started_event_id", "end"),
    "TIMER_CANCELED": (_E.EVENT_TYPE_TIMER_STARTED, "started_event_id", "end"),
    "WORKFLOW_EXECUTION_UPDATE_COMPLETED": (
        _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        "accepted_event_id",
        "end",
    ),
    "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED": (_SIGNAL, "initiated_event_id", "end"),
    "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": (_SIGNAL, "initiated_event_id", "end"),
    "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED": (_CANCEL, "initiated_event_id", "end"),
    "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED": (_CANCEL, "initiated_event_id", "end"),
    "CHILD_WORKFLOW_EXECUTION_STARTED": (_CHILD, "initiated_event_id", "start"),
    "START_CHILD_WORKFLOW_EXECUTION_FAILED": (_CHILD, "initiated_event_id", "start"),
} | {
    f"CHILD_WORKFLOW_EXECUTION_{how}": (_CHILD, "initiated_event_id", "end")
    for how in ("COMPLETED", "FAILED", "CANCELED", "TERMINATED", "TIMED_OUT")
}
"""By the type of an answer: the type of the event it answers, the field that names that, what is answered."""


@dataclass(frozen=True)
class Shown:
    """What lists show of a run."""

    status: int
    history_length: int | None


@dataclass
class Stored:
    """The rows of a database.

    Attributes:
        states: by run id.
        histories: by run id.
        current: run ids, by namespace id and workflow id.
        tasks: how many dispatch tasks there are of a run.
        wakes: how many timer tasks.
        debts: how many transfer tasks.
        shown: by run id.
    """

    states: dict[str, ExecutionState] = field(default_factory=dict)
    histories: dict[str, list[HistoryEvent]] = field(default_factory=dict)
    current: dict[tuple[str, str], str] = field(default_factory=dict)
    tasks: Counter[str] = field(default_factory=Counter)
    wakes: Counter[str] = field(default_factory=Counter)
    debts: Counter[str] = field(default_factory=Counter)
    shown: dict[str, Shown] = field(default_factory=dict)

    def runs_of(self, workflow_id: str) -> list[ExecutionState]:
        """All runs of an id."""
        return [state for state in self.states.values() if state.workflow_id == workflow_id]


def check_stored(url: str) -> Stored:
    """Reads all that a database holds, and asserts every invariant of it; its server has ended."""
    found = read_stored(url)
    assert found.states.keys() == found.histories.keys()
    for run_id in found.states:
        check_run(found, run_id)
    assert found.shown.keys() == found.states.keys()
    _check_current(found)
    return found


def read_stored(url: str) -> Stored:
    """Reads all that a database holds."""
    found = Stored()
    with alias(url) as name:
        for row in Execution.objects.using(name).all():
            found.states[str(row.run_id)] = decode(bytes(row.state))
        for node in HistoryNode.objects.using(name).order_by("shard_id", "branch_id", "first_event_id"):
            events = History.FromString(bytes(node.events)).events
            assert (node.first_event_id, node.last_event_id) == (events[0].event_id, events[-1].event_id)
            found.histories.setdefault(str(node.branch_id), []).extend(events)
        for current in CurrentExecution.objects.using(name).all():
            found.current[str(current.namespace_id), current.workflow_id] = str(current.run_id)
        for model, counts in ((DispatchTask, found.tasks), (TimerTask, found.wakes), (TransferTask, found.debts)):
            counts.update(str(run_id) for run_id in model.objects.using(name).values_list("run_id", flat=True))
        for record in VisibilityRecord.objects.using(name).all():
            found.shown[str(record.run_id)] = Shown(record.status, record.history_length)
    return found


def check_run(found: Stored, run_id: str) -> None:
    """Asserts what holds of one run and of the rows about it."""
    state, events = found.states[run_id], found.histories[run_id]
    check_history(events, closed=not state.running)
    assert state.next_event_id == len(events) + 1
    assert found.wakes[run_id] <= 1
    assert found.shown[run_id].status == state.status
    if not state.running:
        assert not found.tasks[run_id], f"{state.workflow_id} is closed and has tasks"
        assert not found.wakes[run_id], f"{state.workflow_id} is closed and has a wake-up"
        assert found.shown[run_id].history_length == len(events)


def check_history(events: list[HistoryEvent], *, closed: bool) -> None:
    """Asserts what holds of every history: numbering, order, and one end for everything that began."""
    assert [event.event_id for event in events] == list(range(1, len(events) + 1))
    assert events[0].event_type == _E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
    ends = [event for event in events if event.event_type in CLOSED]
    assert ends == ([events[-1]] if closed else [])
    by_id = {event.event_id: event for event in events}
    activities: defaultdict[int, int] = defaultdict(int)
    tasks: defaultdict[int, int] = defaultdict(int)
    for event in events:
        if event.event_type in ACTIVITY_CLOSED:
            attributes = getattr(event, ACTIVITY_CLOSED[event.event_type])
            scheduled, started = attributes.scheduled_event_id, attributes.started_event_id
            activities[scheduled] += 1
            assert by_id[scheduled].event_type == _E.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
            if started:
                begun = by_id[started].activity_task_started_event_attributes
                assert begun.scheduled_event_id == scheduled
        elif event.event_type in TASK_ENDED:
            attributes = getattr(event, TASK_ENDED[event.event_type])
            tasks[attributes.scheduled_event_id] += 1
            assert by_id[attributes.scheduled_event_id].event_type == _E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED
            if attributes.started_event_id:
                begun = by_id[attributes.started_event_id]
                assert begun.event_type == _E.EVENT_TYPE_WORKFLOW_TASK_STARTED
    assert all(count == 1 for count in activities.values())
    assert all(count == 1 for count in tasks.values())
    assert all(count == 1 for count in Counter(_answers(events, by_id)).values())


def _answers(events: list[HistoryEvent], by_id: dict[int, HistoryEvent]) -> Iterator[tuple[int, str]]:
    """What has been answered, as often as it was: (id of the event, its start or its end)."""
    for event in events:
        answer = ANSWERS.get(EventType.Name(event.event_type).removeprefix("EVENT_TYPE_"))
        if answer is not None:
            asked, name, what = answer
            event_id = getattr(getattr(event, str(event.WhichOneof("attributes"))), name)
            assert by_id[event_id].event_type == asked
            yield event_id, what


def _check_current(found: Stored) -> None:
    """At most one run of an id is open, and it is the current one."""
    open_runs = Counter((state.namespace_id, state.workflow_id) for state in found.states.values() if state.running)
    assert all(count == 1 for count in open_runs.values())
    for run_id, state in found.states.items():
        if state.running:
            assert found.current[state.namespace_id, state.workflow_id] == run_id
