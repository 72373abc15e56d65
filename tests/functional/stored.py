"""What must hold of everything a server has stored, whatever happened to it; read from its database."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent

from orchestrator.core.run import ACTIVITY_CLOSED
from orchestrator.core.state import ExecutionState, decode
from orchestrator.models import CurrentExecution, DispatchTask, Execution, HistoryNode, TimerTask, VisibilityRecord
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


@dataclass
class Stored:
    """The runs of a database.

    Attributes:
        states: by run id.
        histories: by run id.
    """

    states: dict[str, ExecutionState] = field(default_factory=dict)
    histories: dict[str, list[HistoryEvent]] = field(default_factory=dict)

    def runs_of(self, workflow_id: str) -> list[ExecutionState]:
        """All runs of an id."""
        return [state for state in self.states.values() if state.workflow_id == workflow_id]


def check_stored(url: str) -> Stored:
    """Reads all that a database holds, and asserts every invariant of it; its server has ended."""
    found = Stored()
    with alias(url) as name:
        for row in Execution.objects.using(name).all():
            found.states[str(row.run_id)] = decode(bytes(row.state))
        nodes = HistoryNode.objects.using(name).order_by("shard_id", "branch_id", "first_event_id")
        for node in nodes:
            events = History.FromString(bytes(node.events)).events
            assert (node.first_event_id, node.last_event_id) == (events[0].event_id, events[-1].event_id)
            found.histories.setdefault(str(node.branch_id), []).extend(events)
        assert found.states.keys() == found.histories.keys()
        for run_id, state in found.states.items():
            check_history(found.histories[run_id], closed=not state.running)
            assert state.next_event_id == len(found.histories[run_id]) + 1
        tasks = Counter(str(run_id) for run_id in DispatchTask.objects.using(name).values_list("run_id", flat=True))
        wakes = Counter(str(run_id) for run_id in TimerTask.objects.using(name).values_list("run_id", flat=True))
        for run_id, state in found.states.items():
            if not state.running:
                assert not tasks[run_id], f"{state.workflow_id} is closed and has tasks"
                assert not wakes[run_id], f"{state.workflow_id} is closed and has a wake-up"
            assert wakes[run_id] <= 1
        shown = {str(record.run_id): record.status for record in VisibilityRecord.objects.using(name).all()}
        assert shown == {run_id: state.status for run_id, state in found.states.items()}
        _check_current(found, name)
    return found


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


def _check_current(found: Stored, name: str) -> None:
    """At most one run of an id is open, and it is the current one."""
    current = {
        (str(row.namespace_id), row.workflow_id): str(row.run_id) for row in CurrentExecution.objects.using(name).all()
    }
    open_runs = Counter((state.namespace_id, state.workflow_id) for state in found.states.values() if state.running)
    assert all(count == 1 for count in open_runs.values())
    for run_id, state in found.states.items():
        if state.running:
            assert current[state.namespace_id, state.workflow_id] == run_id
