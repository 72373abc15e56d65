"""What operators do to pending activities."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.common.v1 import Priority, RetryPolicy
from temporalio.api.taskqueue.v1 import TaskQueue

from orchestrator.core import activity
from orchestrator.core import activity_control as control
from orchestrator.core.run import Run
from orchestrator.core.state import Activity
from orchestrator.errors import InvalidArgument
from tests.core import builders as build
from tests.core.simulation import Simulation

WHERE = "ActivityId=activity ActivityType=Charge"


def waiting(**fields: Any) -> Run:
    """A run with an activity that waits for a worker."""
    simulation = Simulation()
    simulation.turn(build.schedule_activity(**fields))
    return simulation.open()


def change(run: Run, *paths: str, **wanted: Any) -> ActivityOptions:
    """Changes options of the activity, and returns those in force."""
    control.update_options(run, pending(run), ActivityOptions(**wanted), paths)
    return control.options(pending(run))


def pending(run: Run) -> Activity:
    """The activity."""
    return activity.find_by_id(run, "activity")


def test_what_the_mask_names_is_changed_and_nothing_else() -> None:
    run = waiting(retry_policy=build.retry_policy(2, maximum_attempts=7))
    before = control.options(pending(run))
    after = change(
        run,
        "task_queue.name",
        "retry_policy.backoff_coefficient",
        "priority.fairness_key",
        task_queue=TaskQueue(name="other"),
        retry_policy=RetryPolicy(backoff_coefficient=3, maximum_attempts=1),
        priority=Priority(fairness_key="tenant", priority_key=5),
        heartbeat_timeout=build.seconds(1),
    )
    assert (after.task_queue.name, after.priority) == ("other", Priority(fairness_key="tenant"))
    assert after.retry_policy.backoff_coefficient == 3
    after.retry_policy.backoff_coefficient = before.retry_policy.backoff_coefficient
    assert after.retry_policy == before.retry_policy
    assert (after.start_to_close_timeout, after.heartbeat_timeout) == (
        before.start_to_close_timeout,
        before.heartbeat_timeout,
    )


def test_a_path_nobody_knows_is_passed_over() -> None:
    run = waiting()
    before = control.options(pending(run))
    assert change(run, "task_queue_name", "retry_policy.bogus", task_queue=TaskQueue(name="other")) == before


def test_timeouts_are_fitted_as_when_an_activity_is_scheduled() -> None:
    run = waiting(start_to_close_timeout=build.seconds(1000), schedule_to_close_timeout=None)
    after = change(run, "heartbeat_timeout", heartbeat_timeout=build.seconds(5000))
    assert after.heartbeat_timeout == build.seconds(1000)
    after = change(run, "schedule_to_close_timeout", schedule_to_close_timeout=build.seconds(500))
    assert {
        after.schedule_to_close_timeout.seconds,
        after.schedule_to_start_timeout.seconds,
        after.start_to_close_timeout.seconds,
        after.heartbeat_timeout.seconds,
    } == {500}


@pytest.mark.parametrize(
    ("path", "wanted", "text"),
    [
        ("task_queue.name", {}, "TaskQueue is not provided"),
        ("retry_policy.maximum_attempts", {}, "RetryPolicy is not provided"),
        ("task_queue.name", {"task_queue": TaskQueue()}, "missing task queue name"),
        ("task_queue.name", {"task_queue": TaskQueue(name="x" * 1001)}, "taskQueue length exceeds limit"),
        (
            "heartbeat_timeout",
            {"heartbeat_timeout": Duration(seconds=-1)},
            f"Invalid HeartbeatTimeout: negative duration {WHERE}",
        ),
        (
            "start_to_close_timeout",
            {},
            f"A valid StartToClose or ScheduleToCloseTimeout is not set on ScheduleActivityTaskCommand. {WHERE}",
        ),
        ("priority", {"priority": Priority(priority_key=-5)}, "priority key can't be negative"),
        (
            "retry_policy.backoff_coefficient",
            {"retry_policy": RetryPolicy(backoff_coefficient=0.5)},
            "BackoffCoefficient cannot be less than 1 on retry policy.",
        ),
    ],
)
def test_options_no_activity_could_have_are_refused(path: str, wanted: dict[str, Any], text: str) -> None:
    run = waiting(start_to_close_timeout=build.seconds(10), schedule_to_close_timeout=None)
    with pytest.raises(InvalidArgument) as raised:
        change(run, path, **wanted)
    assert raised.value.message == text
