"""The search attributes that tell what is paused and what keeps failing."""

import json

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import WorkflowTaskFailedCause

from orchestrator.core import activity
from orchestrator.core import activity_control as control
from orchestrator.core.run import Run
from orchestrator.core.server_attributes import PAUSE_INFO, REPORTED_PROBLEMS
from tests.core import builders as build
from tests.core.simulation import Simulation

_F = WorkflowTaskFailedCause


def shown(simulation: Simulation, name: str) -> list[str]:
    """The items of an attribute."""
    data = simulation.state.search_attributes.get(name)
    if data is None:
        return []
    payload = Payload.FromString(data)
    assert dict(payload.metadata) == {"encoding": b"json/plain", "type": b"KeywordList"}
    items: list[str] = json.loads(payload.data)
    return items


def pause(simulation: Simulation, activity_id: str) -> None:
    """An operator pauses an activity."""

    def operation(run: Run) -> None:
        control.pause(run, activity.find_by_id(run, activity_id), identity="operator", reason="")

    simulation.transact(operation)


def unpause(simulation: Simulation, activity_id: str) -> None:
    """An operator lets it go on."""

    def operation(run: Run) -> None:
        control.unpause(run, activity.find_by_id(run, activity_id), reset_attempts=False, reset_heartbeat=False)

    simulation.transact(operation)


def test_the_types_of_paused_activities_are_shown_as_long_as_one_is_paused() -> None:
    simulation = Simulation()
    simulation.turn(build.schedule_activity("a"), build.schedule_activity("b"))
    assert shown(simulation, PAUSE_INFO) == []
    pause(simulation, "a")
    pause(simulation, "b")
    assert shown(simulation, PAUSE_INFO) == ["property:activityType=Charge"]
    unpause(simulation, "a")
    assert shown(simulation, PAUSE_INFO) == ["property:activityType=Charge"]
    unpause(simulation, "b")
    assert shown(simulation, PAUSE_INFO) == []


def test_a_paused_activity_that_its_worker_completes_is_shown_no_longer() -> None:
    simulation = Simulation()
    simulation.turn(build.schedule_activity())
    simulation.poll_activity("activity")
    pause(simulation, "activity")
    simulation.complete_activity("activity")
    assert shown(simulation, PAUSE_INFO) == []


def test_a_workflow_task_that_keeps_failing_is_shown_until_one_completes() -> None:
    simulation = Simulation()
    for cause in (1, 1, 1, _F.WORKFLOW_TASK_FAILED_CAUSE_NON_DETERMINISTIC_ERROR):
        assert shown(simulation, REPORTED_PROBLEMS) == []
        simulation.poll()
        simulation.fail_task(cause)
    problem = ["category=WorkflowTaskFailed", "cause=WorkflowTaskFailedCauseNonDeterministicError"]
    assert shown(simulation, REPORTED_PROBLEMS) == problem
    simulation.poll()
    simulation.fail_task(_F.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE)
    assert shown(simulation, REPORTED_PROBLEMS) == problem
    simulation.turn()
    assert shown(simulation, REPORTED_PROBLEMS) == []


def test_a_cause_nobody_knows_is_shown_by_its_number() -> None:
    simulation = Simulation()
    for _ in range(4):
        simulation.poll()
        simulation.fail_task(77)
    assert shown(simulation, REPORTED_PROBLEMS) == ["category=WorkflowTaskFailed", "cause=WorkflowTaskFailedCause77"]


def test_workers_that_take_too_long_are_a_problem_too() -> None:
    simulation = Simulation()
    for _ in range(4):
        simulation.poll()
        simulation.advance(60)
    assert shown(simulation, REPORTED_PROBLEMS) == [
        "category=WorkflowTaskTimedOut",
        "cause=WorkflowTaskTimedOutCauseStartToClose",
    ]
