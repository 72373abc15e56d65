"""What holds for every run after every transition."""

from collections.abc import Iterator, Mapping, Sequence, Set

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from orchestrator.core import state as states
from orchestrator.core.birth import Identity
from orchestrator.core.deadlines import next_deadline
from orchestrator.core.durable import durable
from orchestrator.core.limits import Limits
from orchestrator.core.liveness import Rows, inspect, mend
from orchestrator.core.rebuilder import rebuild
from orchestrator.core.run import ACTIVITY, ACTIVITY_CLOSED, BUFFERED, CHILD_CLOSED, WORKFLOW, Dispatch, Run
from orchestrator.core.state import ExecutionState
from orchestrator.core.transfers import TransferKind
from orchestrator.core.update import waiting
from orchestrator.core.wire import LONGEST, length_ns, time_ns

_E = EventType
OF_EVENTS = {TransferKind.START_CHILD, TransferKind.SIGNAL_EXTERNAL, TransferKind.CANCEL_EXTERNAL}
Tasks = Mapping[tuple[int, int], Dispatch]
Owed = Set[tuple[int, int]]


def check(
    state: ExecutionState, events: Sequence[HistoryEvent], tasks: Tasks, owed: Owed, now: int, identity: Identity
) -> None:
    """Asserts all of them."""
    check_history(state, events)
    check_rebuild(state, events, identity)
    check_blob(state)
    check_tasks(state, tasks)
    check_owed(state, owed)
    check_wake(state, now)
    check_awake(state, events, owed)
    check_liveness(state, tasks, owed, now)
    check_closed(state)


def check_liveness(state: ExecutionState, tasks: Tasks, owed: Owed, now: int) -> None:
    """A sound run is not taken for a damaged one, and one that has lost all its rows gets them back."""
    waiting = frozenset((kind, event_id, task.stamp) for (kind, event_id), task in tasks.items())
    sound = Rows(waiting, state.wake_time, False, frozenset(owed), (state.status, state.close_time), state.run_id)
    assert inspect(state, sound) == []
    run = Run(states.decode(states.encode(state)), now, Limits())
    mend(run, Rows())
    assert {(each.kind, each.scheduled_event_id, each.stamp) for each in run.dispatches} == waiting
    if state.running:
        # A child that has begun its first task by other means needs no release any more.
        assert (
            owed - {(TransferKind.RELEASE_CHILD, 0)} <= {(each.kind, each.event_id) for each in run.transfers} <= owed
        )
    assert run.visible
    assert run.woken or not (state.running and state.wake_time)


def check_history(state: ExecutionState, events: Sequence[HistoryEvent]) -> None:
    """Event ids are contiguous from 1; one workflow task at a time; an activity ends once, after its start."""
    assert [event.event_id for event in events] == list(range(1, state.next_event_id))
    check_one_workflow_task(state, events)
    check_timers(events)
    check_children(state, events)
    ended: set[int] = set()
    for event in events:
        if event.event_type in ACTIVITY_CLOSED:
            attributes = getattr(event, ACTIVITY_CLOSED[event.event_type])
            assert attributes.scheduled_event_id not in ended
            ended.add(attributes.scheduled_event_id)
            if attributes.started_event_id:
                started = events[attributes.started_event_id - 1].activity_task_started_event_attributes
                assert started.scheduled_event_id == attributes.scheduled_event_id
                assert attributes.started_event_id < event.event_id
    assert not ended & set(state.activities)


def check_one_workflow_task(state: ExecutionState, events: Sequence[HistoryEvent]) -> None:
    """Each workflow task is scheduled when none is pending, started once and ended once; its events name each other."""
    scheduled = started = 0
    for event in events:
        match event.event_type:
            case _E.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
                assert not scheduled
                scheduled = event.event_id
            case _E.EVENT_TYPE_WORKFLOW_TASK_STARTED:
                assert scheduled and not started
                assert event.workflow_task_started_event_attributes.scheduled_event_id == scheduled
                started = event.event_id
            case (
                _E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED
                | _E.EVENT_TYPE_WORKFLOW_TASK_FAILED
                | _E.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
            ):
                attributes = getattr(event, str(event.WhichOneof("attributes")))
                assert (attributes.scheduled_event_id, attributes.started_event_id) == (scheduled, started)
                scheduled = started = 0
    task = state.workflow_task
    if state.running:
        written = task is not None and task.attempt == 1 and not task.speculative
        pending = (task.scheduled_event_id, task.started_event_id) if task is not None and written else (0, 0)
        assert pending == (scheduled, started)
    if task is not None and task.attempt > 1 and task.started_event_id:
        # The ids its worker was told are those its events will get.
        assert (task.scheduled_event_id, task.started_event_id) == (state.next_event_id, state.next_event_id + 1)


def check_timers(events: Sequence[HistoryEvent]) -> None:
    """No timer fires early, or without having been started, or twice."""
    pending: dict[int, int] = {}
    for event in events:
        match event.event_type:
            case _E.EVENT_TYPE_TIMER_STARTED:
                length = length_ns(event.timer_started_event_attributes.start_to_fire_timeout)
                pending[event.event_id] = time_ns(event.event_time) + length
            case _E.EVENT_TYPE_TIMER_FIRED:
                assert time_ns(event.event_time) >= pending.pop(event.timer_fired_event_attributes.started_event_id)
            case _E.EVENT_TYPE_TIMER_CANCELED:
                del pending[event.timer_canceled_event_attributes.started_event_id]


def check_children(state: ExecutionState, events: Sequence[HistoryEvent]) -> None:
    """A child starts once, or cannot; one that has started ends once, after that; what has not ended is pending."""
    pending: dict[int, int] = {}
    for event in events:
        field = str(event.WhichOneof("attributes"))
        match event.event_type:
            case _E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
                pending[event.event_id] = 0
            case _E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
                assert not pending.pop(getattr(event, field).initiated_event_id)
            case _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
                assert not pending[getattr(event, field).initiated_event_id]
                pending[getattr(event, field).initiated_event_id] = event.event_id
            case kind if kind in CHILD_CLOSED:
                started = pending.pop(getattr(event, field).initiated_event_id)
                assert started == getattr(event, field).started_event_id > 0
    if state.running and not state.buffered:
        assert {key: child.started_event_id for key, child in state.children.items()} == pending


def check_rebuild(state: ExecutionState, events: Sequence[HistoryEvent], identity: Identity) -> None:
    """The history tells of the state what it should."""
    buffered = [HistoryEvent.FromString(data) for data in state.buffered]
    assert durable(rebuild(identity, events, buffered)) == durable(state)


def check_blob(state: ExecutionState) -> None:
    """Nothing is lost on the way through the database."""
    assert states.decode(states.encode(state)) == state


def check_tasks(state: ExecutionState, tasks: Tasks) -> None:
    """The stored tasks are those that a worker may take, and no others."""
    expected = {}
    task = state.workflow_task
    if task is not None and not task.started_event_id:
        expected[WORKFLOW, task.scheduled_event_id] = (task.task_queue, task.stamp)
    for pending in state.activities.values():
        if not pending.started_time and not pending.backing_off and not pending.paused:
            expected[ACTIVITY, pending.scheduled_event_id] = (pending.task_queue, pending.stamp)
    assert {key: (each.task_queue, each.stamp) for key, each in tasks.items()} == expected


def check_owed(state: ExecutionState, owed: Owed) -> None:
    """Whatever an open run has asked of others and not heard of is on its way; a child that began tells of its end.

    A run that is closed owes the news of it as long as nobody was told.
    """
    asked = {(int(TransferKind.SIGNAL_EXTERNAL), event_id) for event_id in state.external_signals}
    asked |= {(int(TransferKind.CANCEL_EXTERNAL), event_id) for event_id in state.external_cancels}
    asked |= {(int(TransferKind.START_CHILD), key) for key, child in state.children.items() if not child.run_id}
    if state.running:
        assert {each for each in owed if each[0] in OF_EVENTS} == asked
        assert (TransferKind.CLOSE, 0) not in owed


def check_wake(state: ExecutionState, now: int) -> None:
    """The stored wake-up is never later than the next deadline; a closed run has none."""
    if not state.running:
        assert state.wake_time == 0
        return
    deadline = next_deadline(state)
    assert (0 < state.wake_time <= deadline) if deadline else True
    earliest = min((each for each in deadlines(state) if 0 < each <= LONGEST), default=0)
    assert (0 < deadline <= earliest) if earliest else True


def deadlines(state: ExecutionState) -> Iterator[int]:
    """Times by which something must happen, found in another way than the core finds them; 0 for none."""
    yield from (state.backoff_until, state.run_expiration, state.execution_expiration)
    yield from (timer.fire_time for timer in state.timers.values())
    task = state.workflow_task
    if task is not None and task.started_event_id:
        yield task.started_time + task.timeout
    elif task is not None and task.sticky:
        yield task.scheduled_time + task.schedule_to_start
    for each in state.activities.values():
        if each.paused:
            continue
        if each.schedule_to_close:
            yield each.first_scheduled_time + each.schedule_to_close
        if each.backing_off:
            yield each.scheduled_time
        if each.started_time:
            yield each.started_time + (each.start_to_close or LONGEST)
            yield max(each.started_time, each.heartbeat_time) + (each.heartbeat_timeout or LONGEST)
        elif each.schedule_to_start:
            yield each.scheduled_time + each.schedule_to_start


def check_awake(state: ExecutionState, events: Sequence[HistoryEvent], owed: Owed) -> None:
    """An open run without a workflow task has a first one to come, or a worker that knows all that has happened.

    What can happen next, an activity's end, a timer, a timeout, a signal, then schedules one.
    """
    if not state.running or state.workflow_task is not None:
        return
    assert not state.buffered
    assert not waiting(state)
    if not state.completed_workflow_tasks:
        assert state.backoff_until or (TransferKind.RELEASE_CHILD, 0) in owed
        return
    for event in reversed(events):
        if event.event_type == _E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED:
            return
        assert event.event_type not in BUFFERED - {_E.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED}


def check_closed(state: ExecutionState) -> None:
    """Nothing is pending in a closed run."""
    if state.running:
        assert not state.close_time
        return
    assert state.close_time
    assert state.workflow_task is None
    assert not state.activities
    assert not state.timers
    assert not state.buffered
    assert not state.backoff_until
    assert all(update.accepted_event_id for update in state.updates.values())
