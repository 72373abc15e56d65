"""A history gives the state back; one that makes no sense is refused.

That it gives the state back is checked after every transition of every other test here.
"""

from msgspec import structs
from temporalio.api.common.v1 import WorkerVersionStamp
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from orchestrator.core.durable import durable
from orchestrator.core.rebuilder import EVENTS, HistoryError, rebuild
from orchestrator.core.run import ACTIVITY_CLOSED, BUFFERED
from orchestrator.core.state import ExecutionState
from tests.core import builders as build
from tests.core.simulation import IDENTITY, Simulation

_E = EventType


def full() -> Simulation:
    """A run that knows, and waits for, all sorts of things."""
    simulation = Simulation(
        build.start_request(
            workflow_run_timeout=build.seconds(600),
            memo=build.memo(a="1"),
            search_attributes=build.attributes(Kind='"x"'),
            retry_policy=build.retry_policy(2),
        )
    )
    simulation.turn(
        build.schedule_activity("a", heartbeat_timeout=build.seconds(5)),
        build.schedule_activity("b"),
        build.start_timer("t", 60),
        build.modify(build.memo(b="2")),
        build.upsert(build.attributes(Count="3")),
        force=True,
        sticky="sticky",
        worker_version=WorkerVersionStamp(build_id="build"),
    )
    simulation.poll_activity("a")
    simulation.heartbeat("a", build.payloads("1"))
    simulation.poll()
    simulation.signal("go", "request")
    simulation.cancel("because", "request")
    return simulation


def test_what_a_history_tells_and_what_it_does_not() -> None:
    state = full().state
    known = durable(state)
    told = {
        "memo": {"a", "b"},
        "search_attributes": {"Kind", "Count"},
        "timers": {"t"},
        "activities": {5, 6},
        "request_ids": {IDENTITY.request_id},
    }
    assert {name: set(getattr(known, name)) for name in told} == told
    assert (known.cancel_requested, known.signals, known.run_expiration) == (True, 1, state.run_expiration)
    assert known.workflow_task is not None
    assert known.workflow_task.started_event_id == 11
    # Payloads of search attributes may be written in another order.
    left_out = {
        name: (getattr(state, name), getattr(known, name))
        for name in ExecutionState.__struct_fields__
        if getattr(state, name) != getattr(known, name) and name != "search_attributes"
    }
    assert set(left_out) == {
        "transitions",
        "workflow_task",
        "sticky_queue",
        "sticky_timeout",
        "cancel_request_id",
        "signal_request_ids",
        "activities",
        "buffered",
        "wake_time",
        "next_stamp",
        "original_start_time",
    }


def test_the_original_is_left_alone() -> None:
    state = full().state
    durable(state)
    assert state.buffered
    assert state.workflow_task is not None
    assert state.workflow_task.stamp


def test_a_rebuilt_run_waits_for_first_attempts() -> None:
    simulation = full()
    state = rebuild(IDENTITY, simulation.events)
    assert all(each.attempt == 1 and not each.started_time for each in state.activities.values())
    stamps = [each.stamp for each in state.activities.values()]
    assert state.workflow_task is not None
    assert len({*stamps, state.workflow_task.stamp}) == 3
    assert max(*stamps, state.workflow_task.stamp) < state.next_stamp
    assert not state.signals, "the buffer was not given"


def test_each_beginning_of_a_history_is_one() -> None:
    simulation = full()
    simulation.complete(build.cancel_timer("t"))
    simulation.terminate()
    for length in range(1, len(simulation.events) + 1):
        state = rebuild(IDENTITY, simulation.events[:length])
        assert state.next_event_id == length + 1
        assert state.running == (length < len(simulation.events))


def test_a_history_weighs_what_its_batches_weigh() -> None:
    simulation = full()
    assert len(simulation.batches) > 3
    assert rebuild(IDENTITY, simulation.events).history_size == simulation.state.history_size


def altered(events: list[HistoryEvent], index: int, **fields: object) -> list[HistoryEvent]:
    """The events, one of them replaced."""
    event = HistoryEvent()
    event.CopyFrom(events[index])
    for name, value in fields.items():
        setattr(event, name, value)
    return [*events[:index], event, *events[index + 1 :]]


def test_a_history_that_makes_no_sense() -> None:
    simulation = full()
    simulation.complete(build.cancel_timer("t"))
    simulation.terminate()
    events = simulation.events
    nonsense = {
        "an empty one": [],
        "without its beginning": events[1:],
        "with a gap": [*events[:3], *events[4:]],
        "with an id twice": [*events[:3], events[2], *events[3:]],
        "with an unknown event": altered(events, 3, event_type=9999),
        "with an event of another kind of run": altered(
            events, 3, event_type=_E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED
        ),
        "with a second start": altered(events, 3, event_type=_E.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED),
        "going on after the end": [*events, *altered(events[-1:], 0, event_id=len(events) + 1)],
        "about a timer nobody started": [
            *events[:3],
            HistoryEvent(event_id=4, event_type=_E.EVENT_TYPE_TIMER_FIRED),
        ],
        "about an activity nobody scheduled": [
            *events[:3],
            HistoryEvent(event_id=4, event_type=_E.EVENT_TYPE_ACTIVITY_TASK_COMPLETED),
        ],
        "about a workflow task nobody scheduled": [
            *events[:3],
            HistoryEvent(event_id=4, event_type=_E.EVENT_TYPE_WORKFLOW_TASK_COMPLETED),
        ],
    }
    accepted = [what for what, history in nonsense.items() if not refused(history)]
    assert accepted == []


def refused(history: list[HistoryEvent]) -> bool:
    """Whether a history cannot be replayed."""
    try:
        rebuild(IDENTITY, history)
    except HistoryError:
        return True
    return False


def test_every_event_that_can_wait_can_be_replayed() -> None:
    assert set(EVENTS) >= BUFFERED
    assert set(EVENTS) >= set(ACTIVITY_CLOSED)


def test_a_field_that_is_new_is_compared_unless_somebody_says_otherwise() -> None:
    state = full().state
    assert durable(structs.replace(state, run_expiration=1)) != durable(state)
    assert durable(structs.replace(state, wake_time=1)) == durable(state)
