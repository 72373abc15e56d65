"""Options of an open run: what the mask may name, which event follows, and what later tasks have of it."""

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio.api.common.v1 import Priority
from temporalio.api.workflow.v1 import VersioningOverride, WorkflowExecutionOptions

from orchestrator.core import execution_options
from orchestrator.core.run import ACTIVITY, WORKFLOW
from orchestrator.errors import FailedPrecondition, InvalidArgument, Unimplemented
from tests.core.builders import schedule_activity, start_request
from tests.core.simulation import Simulation


def update(simulation: Simulation, *paths: str, **wanted: object) -> WorkflowExecutionOptions:
    """Changes options."""
    options = WorkflowExecutionOptions(**wanted)  # type: ignore[arg-type]
    return simulation.transact(lambda run: execution_options.update(run, options, paths, "operator"))


def test_a_priority_is_that_of_later_tasks() -> None:
    simulation = Simulation(start_request(priority=Priority(priority_key=4, fairness_key="a")))
    assert simulation.tasks[WORKFLOW, 2].share.level == 4
    found = update(simulation, "priority.priority_key", priority=Priority(priority_key=1))
    assert found.priority == Priority(priority_key=1, fairness_key="a")
    simulation.turn(schedule_activity())
    assert simulation.story(2) == [
        "WorkflowExecutionOptionsUpdated",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted ActivityTaskScheduled",
    ]
    event = simulation.last("WorkflowExecutionOptionsUpdated")
    assert (event.identity, event.priority) == ("operator", found.priority)
    (dispatch,) = [each for key, each in simulation.tasks.items() if key[0] == ACTIVITY]
    assert (dispatch.share.level, dispatch.share.key) == (1, "a")


def test_the_same_options_leave_no_event() -> None:
    simulation = Simulation(start_request(priority=Priority(priority_key=4)))
    update(simulation, "priority", priority=Priority(priority_key=4))
    update(simulation, "versioning_override")
    assert simulation.story(2) == []


def test_a_priority_is_taken_away() -> None:
    simulation = Simulation(start_request(priority=Priority(priority_key=4)))
    assert not update(simulation, "priority").HasField("priority")
    assert not simulation.state.priority
    simulation.turn(schedule_activity())
    assert {each.share.level for each in simulation.tasks.values()} == {3}


def test_an_override_is_kept_and_removed() -> None:
    simulation = Simulation()
    override = VersioningOverride(auto_upgrade=True)
    assert update(simulation, "versioning_override", versioning_override=override).versioning_override == override
    assert simulation.last("WorkflowExecutionOptionsUpdated").versioning_override == override
    assert execution_options.options(simulation.state).versioning_override == override
    update(simulation, "versioning_override")
    assert simulation.last("WorkflowExecutionOptionsUpdated").unset_versioning_override
    assert not simulation.state.versioning_override


def test_options_wait_behind_a_started_workflow_task() -> None:
    simulation = Simulation()
    simulation.poll()
    update(simulation, "priority", priority=Priority(priority_key=2))
    assert simulation.story(3) == []
    simulation.complete()
    assert simulation.story(3)[0].startswith("WorkflowTaskCompleted WorkflowExecutionOptionsUpdated")


PINNED = VersioningOverride.PinnedOverride(behavior="PINNED_OVERRIDE_BEHAVIOR_PINNED")


@pytest.mark.parametrize(
    ("path", "override", "error"),
    [
        ("no_such_field", None, InvalidArgument),
        ("", None, InvalidArgument),
        ("priority.priority_key.more", None, InvalidArgument),
        ("versioning_override.behavior", None, InvalidArgument),
        ("versioning_override", VersioningOverride(), InvalidArgument),
        ("versioning_override", VersioningOverride(behavior="VERSIONING_BEHAVIOR_PINNED"), InvalidArgument),
        ("versioning_override", VersioningOverride(pinned=PINNED), InvalidArgument),
        ("time_skipping_config", None, Unimplemented),
    ],
)
def test_what_is_refused(path: str, override: VersioningOverride | None, error: type[Exception]) -> None:
    with pytest.raises(error):
        execution_options.check(WorkflowExecutionOptions(versioning_override=override), FieldMask(paths=[path]))


def test_no_worker_has_a_version_to_be_pinned() -> None:
    pinned = VersioningOverride(behavior="VERSIONING_BEHAVIOR_PINNED", pinned_version="d.b")
    with pytest.raises(FailedPrecondition, match=r"'d\.b' is not present in task queue 'queue'"):
        execution_options.check_version(
            WorkflowExecutionOptions(versioning_override=pinned), FieldMask(paths=["versioning_override"]), "queue"
        )
