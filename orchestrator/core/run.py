"""One run under one transition: its state, the events written so far, and what must follow the commit.

Events are numbered when they are appended. While a worker holds the workflow task, events that are not its own are
buffered instead and numbered when the task ends, in the order a Temporal server gives them.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from google.protobuf.message import Message
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.sdk.v1 import UserMetadata

from orchestrator.core.limits import Limits
from orchestrator.core.priority import DEFAULT, Share
from orchestrator.core.state import ExecutionState
from orchestrator.core.update_news import News
from orchestrator.core.wire import timestamp
from orchestrator.core.workflow_task_events import settle
from orchestrator.errors import InvalidArgument

WORKFLOW = 1
ACTIVITY = 2

TASK_ID_BASE = 1 << 20

_E = EventType
BUFFERED = frozenset(
    {
        _E.EVENT_TYPE_ACTIVITY_TASK_STARTED,
        _E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
        _E.EVENT_TYPE_ACTIVITY_TASK_FAILED,
        _E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT,
        _E.EVENT_TYPE_ACTIVITY_TASK_CANCELED,
        _E.EVENT_TYPE_TIMER_FIRED,
        _E.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        _E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
        _E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
        _E.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED,
        _E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED,
        _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
        _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED,
        _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED,
        _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED,
        _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED,
        _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
        _E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED,
        _E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
        _E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
        _E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
    }
)
"""Events that wait for the end of the workflow task; all others get their id at once."""

ACTIVITY_CLOSED = {
    _E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED: "activity_task_completed_event_attributes",
    _E.EVENT_TYPE_ACTIVITY_TASK_FAILED: "activity_task_failed_event_attributes",
    _E.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT: "activity_task_timed_out_event_attributes",
    _E.EVENT_TYPE_ACTIVITY_TASK_CANCELED: "activity_task_canceled_event_attributes",
}
"""Events that a flush moves behind the others, with the field of their attributes."""

CHILD_CLOSED = {
    _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED: "child_workflow_execution_completed_event_attributes",
    _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED: "child_workflow_execution_failed_event_attributes",
    _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED: "child_workflow_execution_canceled_event_attributes",
    _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED: "child_workflow_execution_terminated_event_attributes",
    _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT: "child_workflow_execution_timed_out_event_attributes",
}
"""The same for children."""


class TransactionTooLarge(InvalidArgument):
    """A transition writes more events at once than it may; it is refused, and nothing changes."""

    def __init__(self, size: int, limit: int) -> None:
        super().__init__(f"transaction size of {size} bytes exceeds limit of {limit} bytes")


@dataclass(slots=True)
class Dispatch:
    """A task for a worker, born in this transition.

    Attributes:
        fairness_pass: its place within its level, given by who hands it out; 0 for the time of its birth.
    """

    kind: int
    task_queue: str
    scheduled_event_id: int
    stamp: int
    share: Share = DEFAULT
    fairness_pass: int = 0


@dataclass(frozen=True, slots=True)
class Transfer:
    """Something this run owes to another one, to be done after the commit.

    Attributes:
        kind: a number of TransferKind.
        event_id: of the event that led to it; 0 for what the close of the run leads to.
    """

    kind: int
    event_id: int = 0


def _nothing_to_read(event_id: int) -> HistoryEvent:
    raise LookupError(f"event {event_id} is not at hand")


def _no_ids() -> str:
    raise LookupError("there is nobody to name a new run")


def _no_retention() -> int:
    raise LookupError("there is nobody to say how long a closed run is kept")


@dataclass(slots=True)
class Run:
    """The run, the time of the transition in nanoseconds since the epoch, and what the transition did.

    Attributes:
        batches: events of this transition; each list becomes one history node.
        dispatches: tasks scheduled and not started by this transition.
        buried: (kind, scheduled event id) of stored tasks this transition started or made pointless.
        earliest_deadline: the earliest deadline this transition created, 0 without one.
        visible: whether what a list shows of the run changed.
        changed: whether anything did.
        completes_task: whether it completes a workflow task. Refused, its worker would bring the same again.
        woken: whether its stored wake-up is used up, so that the next one must be computed afresh.
        stored_size: bytes of its state before this transition; 0 for a new run.
        stored_event: reads an event of earlier transitions by its id; raises LookupError.
        stored_request_ids: the request ids of signals in lots that earlier transitions put away, oldest first.
        request_lots: those this transition puts away.
        new_id: names a new run.
        retention: how long a closed run of its namespace is kept, in nanoseconds.
        successor: the run that goes on for this one, begun in the same transition.
        inherited: the history a new run begins with, as `finish` returns it.
        transfers: what this transition owes to other runs.
        news: what became of updates, by their ids, for who waits for them.
    """

    state: ExecutionState
    now: int
    limits: Limits
    batches: list[list[HistoryEvent]] = field(default_factory=list)
    dispatches: list[Dispatch] = field(default_factory=list)
    buried: list[tuple[int, int]] = field(default_factory=list)
    earliest_deadline: int = 0
    visible: bool = False
    changed: bool = False
    completes_task: bool = False
    woken: bool = False
    stored_size: int = 0
    stored_event: Callable[[int], HistoryEvent] = _nothing_to_read
    stored_request_ids: Callable[[], dict[str, None]] = dict
    request_lots: list[list[str]] = field(default_factory=list)
    new_id: Callable[[], str] = _no_ids
    retention: Callable[[], int] = _no_retention
    successor: "Run | None" = None
    inherited: list[tuple[int, int, bytes]] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    news: dict[str, News] = field(default_factory=dict)
    _open: list[HistoryEvent] | None = None
    _buffer: list[HistoryEvent] | None = None
    _now: Timestamp | None = None

    @property
    def buffer(self) -> list[HistoryEvent]:
        """Events that have no id yet, in the order they came."""
        if self._buffer is None:
            self._buffer = [HistoryEvent.FromString(event) for event in self.state.buffered]
        return self._buffer

    @property
    def has_buffered(self) -> bool:
        """Whether events wait for their ids."""
        return bool(self.state.buffered) if self._buffer is None else bool(self._buffer)

    @property
    def next_event_id(self) -> int:
        """The id of the next event to be appended."""
        return self.state.next_event_id

    def event(self, event_id: int) -> HistoryEvent:
        """An event of the run by its id, written now or earlier; raises LookupError."""
        for batch in self.batches:
            for event in batch:
                if event.event_id == event_id:
                    return event
        return self.stored_event(event_id)

    def add(
        self,
        event_type: EventType.ValueType,
        field_name: str,
        attributes: Message,
        *,
        time: int = 0,
        user_metadata: UserMetadata | None = None,
        links: Iterable[Link] = (),
        worker_may_ignore: bool = False,
    ) -> HistoryEvent:
        """Writes an event, or buffers it. A speculative workflow task comes into the history before it.

        Args:
            event_type: its type.
            field_name: the field of HistoryEvent that holds such attributes.
            attributes: its attributes.
            time: nanoseconds since the epoch; 0 for the time of the transition.
            user_metadata: shown with the event.
            links: kept with the event.
            worker_may_ignore: whether an SDK that does not know the event may pass over it.
        """
        task = self.state.workflow_task
        if task is not None and task.speculative:
            settle(self, task)
        if self._now is None:
            self._now = timestamp(self.now)
        own: dict[str, Any] = {field_name: attributes}
        event = HistoryEvent(
            event_type=event_type,
            event_time=timestamp(time) if time else self._now,
            user_metadata=user_metadata,
            links=links,
            worker_may_ignore=worker_may_ignore,
            **own,
        )
        self.changed = True
        if event_type in BUFFERED:
            self.buffer.append(event)
        else:
            self._append(event)
        return event

    def end_batch(self) -> None:
        """Makes the next event the first of a new history node."""
        self._open = None

    def wake_at(self, deadline: int) -> None:
        """Notes that the run must be woken at a time, nanoseconds since the epoch."""
        if not self.earliest_deadline or deadline < self.earliest_deadline:
            self.earliest_deadline = deadline

    def new_stamp(self) -> int:
        """A number that tells a dispatch from every earlier one of this run."""
        stamp = self.state.next_stamp
        self.state.next_stamp = stamp + 1
        return stamp

    def flush(self) -> None:
        """Gives the buffered events their ids: in order of arrival, but results of activities and children last.

        Results then follow their STARTED events, whose ids they name.
        """
        events = self.buffer
        if not events:
            return
        results = [event for event in events if event.event_type in ACTIVITY_CLOSED or event.event_type in CHILD_CLOSED]
        started: dict[int, int] = {}
        for event in events:
            if event.event_type in ACTIVITY_CLOSED or event.event_type in CHILD_CLOSED:
                continue
            self._append(event)
            if event.event_type == _E.EVENT_TYPE_ACTIVITY_TASK_STARTED:
                started[event.activity_task_started_event_attributes.scheduled_event_id] = event.event_id
            elif event.event_type == _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                initiated = event.child_workflow_execution_started_event_attributes.initiated_event_id
                started[initiated] = event.event_id
                if initiated in self.state.children:
                    self.state.children[initiated].started_event_id = event.event_id
            elif event.event_type == _E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED:
                attached = event.workflow_execution_options_updated_event_attributes.attached_request_id
                if attached:
                    self.state.request_ids[attached] = (event.event_type, event.event_id)
        for event in results:
            if event.event_type in CHILD_CLOSED:
                attributes = getattr(event, CHILD_CLOSED[event.event_type])
                begun = attributes.initiated_event_id
            else:
                attributes = getattr(event, ACTIVITY_CLOSED[event.event_type])
                begun = attributes.scheduled_event_id
            if begun in started:
                attributes.started_event_id = started[begun]
            self._append(event)
        self._buffer = []

    def finish(self, *, limited: bool = True) -> list[tuple[int, int, bytes]]:
        """Ends the transition and returns its history nodes as (first event id, last event id, serialized History).

        Buffered events are flushed unless a worker holds the workflow task.

        Raises:
            TransactionTooLarge: a node is larger than one may be, if they are to be `limited`.
        """
        state = self.state
        task = state.workflow_task
        if self.has_buffered and (task is None or not task.started_event_id):
            self.flush()
        if self._buffer is not None:
            state.buffered = [event.SerializeToString() for event in self._buffer]
        nodes = list(self.inherited)
        for batch in self.batches:
            data = History(events=batch).SerializeToString()
            if limited and len(data) > self.limits.transaction_size:
                raise TransactionTooLarge(len(data), self.limits.transaction_size)
            state.history_size += len(data)
            nodes.append((batch[0].event_id, batch[-1].event_id, data))
        state.transitions += 1
        return nodes

    def _append(self, event: HistoryEvent) -> None:
        state = self.state
        event.event_id = state.next_event_id
        event.task_id = TASK_ID_BASE + state.next_event_id
        state.next_event_id += 1
        if self._open is None:
            self._open = []
            self.batches.append(self._open)
        self._open.append(event)
