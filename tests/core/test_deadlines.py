"""Which deadline of a run is next, and when it is woken for it."""

from collections.abc import Callable

import pytest

from orchestrator.core.deadlines import fire_due, next_deadline, set_wake
from orchestrator.core.wire import SECOND
from tests.core import builders as build
from tests.core.simulation import NOW, Simulation


def waiting(**fields: float) -> Simulation:
    """A run whose workflow task is done."""
    simulation = Simulation(build.start_request(**{name: build.seconds(value) for name, value in fields.items()}))
    simulation.turn()
    return simulation


def task_started() -> Simulation:
    simulation = Simulation()
    simulation.poll()
    return simulation


def sticky_task() -> Simulation:
    simulation = Simulation()
    simulation.turn(sticky="sticky", force=True)
    return simulation


def timers() -> Simulation:
    simulation = Simulation()
    simulation.turn(build.start_timer("a", 70), build.start_timer("b", 40))
    return simulation


def activity_scheduled() -> Simulation:
    simulation = Simulation()
    simulation.turn(
        build.schedule_activity(
            schedule_to_close_timeout=build.seconds(70), schedule_to_start_timeout=build.seconds(20)
        )
    )
    return simulation


def activity_started() -> Simulation:
    simulation = activity_scheduled()
    simulation.poll_activity("activity")
    return simulation


def heartbeating() -> Simulation:
    simulation = Simulation()
    simulation.turn(build.schedule_activity(heartbeat_timeout=build.seconds(3)))
    simulation.poll_activity("activity")
    simulation.sleep(2)
    simulation.heartbeat("activity")
    return simulation


def backing_off() -> Simulation:
    simulation = Simulation()
    simulation.turn(build.schedule_activity())
    simulation.poll_activity("activity")
    simulation.fail_activity("activity", build.application_failure())
    return simulation


@pytest.mark.parametrize(
    ("make", "seconds"),
    [
        (Simulation, None),
        (waiting, None),
        (lambda: waiting(workflow_run_timeout=60), 60),
        (lambda: waiting(workflow_run_timeout=60, workflow_execution_timeout=90), 60),
        (lambda: Simulation(build.start_request(workflow_start_delay=build.seconds(30))), 30),
        (task_started, 10),
        (sticky_task, 10),
        (timers, 40),
        (activity_scheduled, 20),
        (activity_started, 70),
        (heartbeating, 5),
        (backing_off, 1),
    ],
)
def test_the_next_deadline(make: Callable[[], Simulation], seconds: float | None) -> None:
    expected = 0 if seconds is None else NOW + int(seconds * SECOND)
    assert next_deadline(make().state) == expected


def test_a_wake_up_is_written_when_it_is_earlier_and_moved_when_it_was_used() -> None:
    simulation = Simulation()
    simulation.turn(build.start_timer("a", 60))
    first = simulation.state.wake_time
    assert first == NOW + 10 * SECOND, "of the workflow task, though that is done"
    simulation.signal()
    simulation.turn(build.start_timer("b", 30))
    assert simulation.state.wake_time == first
    simulation.signal()
    simulation.turn(build.start_timer("c", 5))
    assert simulation.state.wake_time == NOW + 5 * SECOND
    simulation.signal()
    simulation.turn(build.cancel_timer("c"))
    assert simulation.state.wake_time == NOW + 5 * SECOND, "too early does no harm"
    simulation.advance(5)
    assert simulation.state.wake_time == NOW + 30 * SECOND


def test_a_run_without_deadlines_sleeps_once_its_wake_up_is_used() -> None:
    simulation = Simulation()
    simulation.turn()
    simulation.advance(10)
    assert simulation.state.wake_time == 0
    assert len(simulation.events) == 4


def test_waking_in_vain_changes_nothing_but_the_wake_up() -> None:
    simulation = timers()
    run = simulation.open()
    fire_due(run)
    assert run.woken
    assert not run.batches
    assert not run.dispatches
    set_wake(run)
    assert run.state.wake_time == NOW + 40 * SECOND


def test_a_closed_run_needs_no_wake_up() -> None:
    simulation = waiting(workflow_run_timeout=60)
    simulation.terminate()
    assert simulation.state.wake_time == 0


def test_everything_that_is_overdue_is_done_at_once() -> None:
    simulation = Simulation()
    simulation.turn(
        build.start_timer("t", 5),
        build.schedule_activity("a", schedule_to_start_timeout=build.seconds(3)),
        build.schedule_activity("b"),
    )
    simulation.poll_activity("b")
    simulation.fail_activity("b", build.application_failure())
    simulation.signal()
    simulation.poll()
    simulation.sleep(60)
    simulation.fire()
    assert simulation.story(10) == ["WorkflowTaskTimedOut TimerFired ActivityTaskTimedOut WorkflowTaskScheduled"]
    assert len(simulation.tasks) == 2
