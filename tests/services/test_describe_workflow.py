"""What a description of a run says of its activities and of the builds that worked on it."""

from temporalio.api.common.v1 import WorkerVersionStamp
from temporalio.api.workflow.v1 import PendingActivityInfo

from orchestrator.core.reset_points import KEPT
from orchestrator.core.run import Run
from orchestrator.core.wire import length_ns, time_ns
from orchestrator.core.workflow_task import complete
from orchestrator.services.describe_workflow import describe
from tests.core import builders as build
from tests.core.simulation import NOW, Simulation


def pending(simulation: Simulation) -> PendingActivityInfo:
    """The description of the one activity of a run."""
    (found,) = describe(simulation.state, {}).pending_activities
    return found


def test_the_pauses_of_an_activity() -> None:
    simulation = Simulation()
    simulation.turn(build.schedule_activity(retry_policy=build.retry_policy(3)))
    first = pending(simulation)
    assert first.current_retry_interval == build.seconds(3), "what a second attempt would wait"
    assert not first.HasField("next_attempt_schedule_time")
    simulation.poll_activity("activity")
    assert not pending(simulation).HasField("current_retry_interval")
    simulation.fail_activity("activity", build.application_failure("again"))
    waiting = pending(simulation)
    assert waiting.current_retry_interval == build.seconds(3)
    assert time_ns(waiting.next_attempt_schedule_time) == NOW + length_ns(build.seconds(3))
    simulation.advance(3)
    due = pending(simulation)
    assert due.current_retry_interval == build.seconds(3)
    assert not due.HasField("next_attempt_schedule_time")


def test_the_first_task_of_each_build() -> None:
    simulation = Simulation()
    assert describe(simulation.state, {}).workflow_execution_info.HasField("auto_reset_points")
    builds = [f"build {number}" for number in range(KEPT + 1)]
    for name in (*builds, builds[-1]):
        simulation.poll()

        def finish(run: Run, name: str = name) -> None:
            complete(run, identity="worker", worker_version=WorkerVersionStamp(build_id=name))

        simulation.transact(finish)
        simulation.signal()
    points = describe(simulation.state, {}).workflow_execution_info.auto_reset_points.points
    assert [point.build_id for point in points] == builds[1:], "the oldest is forgotten"
    assert (points[0].run_id, points[0].resettable) == (simulation.state.run_id, True)
    assert points[0].first_workflow_task_completed_id == 8
    assert time_ns(points[0].create_time) == NOW
