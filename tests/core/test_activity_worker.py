"""What the events of an activity say of its timeouts and of the worker that answered it."""

from temporalio.api.common.v1 import WorkerVersionStamp

from tests.core import builders as build
from tests.core.simulation import Simulation

STAMP = WorkerVersionStamp(build_id="build 1")


def started() -> Simulation:
    """A run with an activity that a worker has."""
    simulation = Simulation()
    simulation.turn(build.schedule_activity())
    simulation.poll_activity("activity")
    return simulation


def test_every_timeout_is_written() -> None:
    scheduled = started().last("ActivityTaskScheduled")
    for name in ("schedule_to_close", "schedule_to_start", "start_to_close", "heartbeat"):
        assert scheduled.HasField(f"{name}_timeout")


def test_the_build_that_answered_is_named() -> None:
    simulation = started()
    simulation.activity("activity").worker_version = STAMP.SerializeToString()
    simulation.complete_activity("activity")
    assert simulation.last("ActivityTaskStarted").worker_version == STAMP


def test_the_build_of_an_earlier_attempt_is_not() -> None:
    simulation = started()
    simulation.activity("activity").worker_version = STAMP.SerializeToString()
    simulation.fail_activity("activity", build.application_failure("again"))
    simulation.advance(1)
    simulation.poll_activity("activity")
    simulation.complete_activity("activity")
    assert not simulation.last("ActivityTaskStarted").HasField("worker_version")
