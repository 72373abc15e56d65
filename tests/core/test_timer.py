"""User timers: when they fire, and in which order."""

from orchestrator.core.deadlines import next_deadline
from orchestrator.core.wire import LONGEST, SECOND, time_ns
from tests.core import builders as build
from tests.core.simulation import NOW, Simulation


def test_a_timer_fires_when_its_time_has_come() -> None:
    simulation = Simulation()
    simulation.turn(build.start_timer("t", 30))
    assert next_deadline(simulation.state) == NOW + 30 * SECOND
    simulation.advance(29.9)
    assert len(simulation.events) == 5
    simulation.advance(0.1)
    assert simulation.story(5) == ["TimerFired WorkflowTaskScheduled"]
    event = simulation.last("TimerFired")
    assert (event.timer_id, event.started_event_id) == ("t", 5)
    assert time_ns(simulation.last_event("TimerFired").event_time) == NOW + 30 * SECOND


def test_a_timer_of_no_length_fires_at_once() -> None:
    simulation = Simulation()
    simulation.turn(build.start_timer("t", 0))
    simulation.advance(0)
    assert simulation.story(5) == ["TimerFired WorkflowTaskScheduled"]


def test_timers_that_are_due_together_fire_in_order_of_time_and_start() -> None:
    simulation = Simulation()
    simulation.turn(build.start_timer("late", 9), build.start_timer("second", 5), build.start_timer("first", 3))
    simulation.signal()
    simulation.turn(build.start_timer("also second", 5))
    simulation.sleep(60)
    simulation.fire()
    fired = [
        event.timer_fired_event_attributes.timer_id
        for event in simulation.events
        if event.HasField("timer_fired_event_attributes")
    ]
    assert fired == ["first", "second", "also second", "late"]
    assert len(simulation.story(12)) == 1, "in one transition"


def test_each_timer_fires_at_its_own_time() -> None:
    simulation = Simulation()
    simulation.turn(build.start_timer("a", 1), build.start_timer("b", 2))
    simulation.advance(1)
    assert simulation.story(6) == ["TimerFired WorkflowTaskScheduled"]
    simulation.advance(1)
    assert simulation.story(8) == ["TimerFired"]


def test_a_timer_for_ever() -> None:
    simulation = Simulation()
    simulation.turn(build.start_timer("t", 400 * 365 * 86400))
    assert simulation.state.timers["t"].fire_time == next_deadline(simulation.state) == LONGEST
