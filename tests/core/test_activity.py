"""How an activity is handed out, answered for and cancelled, and which events that leaves."""

import pytest
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import RetryState

from orchestrator.core import activity
from orchestrator.core.run import ACTIVITY
from orchestrator.core.wire import SECOND, json_payloads, time_ns
from orchestrator.errors import InvalidArgument, NotFound
from tests.core import builders as build
from tests.core.simulation import NOW, Simulation


def scheduled(**fields: object) -> Simulation:
    """A run that waits for an activity, scheduled by event 5."""
    simulation = Simulation()
    simulation.turn(build.schedule_activity(**fields))  # type: ignore[arg-type]
    return simulation


def started(**fields: object) -> Simulation:
    """The same, with a worker that has it."""
    simulation = scheduled(**fields)
    simulation.poll_activity("activity", identity="activity worker")
    return simulation


def test_a_start_leaves_no_event() -> None:
    simulation = started()
    assert len(simulation.events) == 5
    assert not simulation.tasks
    pending = simulation.activity("activity")
    assert (pending.started_time, pending.started_identity, pending.request_id) == (NOW, "activity worker", "poll-2")


def test_a_completion_writes_start_and_result() -> None:
    simulation = started()
    simulation.sleep(2)
    simulation.complete_activity("activity", build.payloads("1"))
    assert simulation.story(5) == ["ActivityTaskStarted ActivityTaskCompleted WorkflowTaskScheduled"]
    event = simulation.last_event("ActivityTaskStarted")
    assert time_ns(event.event_time) == NOW, "when it was started"
    start = event.activity_task_started_event_attributes
    assert (start.scheduled_event_id, start.identity, start.request_id) == (5, "activity worker", "poll-2")
    assert start.attempt == 1
    assert not start.HasField("last_failure")
    completed = simulation.last("ActivityTaskCompleted")
    assert (completed.scheduled_event_id, completed.started_event_id) == (5, 6)
    assert (completed.result, completed.identity) == (build.payloads("1"), "worker")
    assert time_ns(simulation.last_event("ActivityTaskCompleted").event_time) == NOW + 2 * SECOND


def test_a_final_failure() -> None:
    simulation = started(retry_policy=build.retry_policy(maximum_attempts=1))
    simulation.fail_activity("activity", build.application_failure("no"))
    assert simulation.story(5) == ["ActivityTaskStarted ActivityTaskFailed WorkflowTaskScheduled"]
    failed = simulation.last("ActivityTaskFailed")
    assert (failed.scheduled_event_id, failed.started_event_id, failed.identity) == (5, 6, "worker")
    assert failed.failure.message == "no"
    assert failed.retry_state == RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED


@pytest.mark.parametrize("how", ["unstarted", "in backoff"])
def test_completed_by_id_without_a_worker_that_has_it(how: str) -> None:
    simulation = scheduled()
    if how == "in backoff":
        simulation.poll_activity("activity")
        simulation.fail_activity("activity", build.application_failure())
    simulation.complete_activity("activity", build.payloads("1"))
    assert simulation.story(5) == ["ActivityTaskStarted ActivityTaskCompleted WorkflowTaskScheduled"]
    start = simulation.last("ActivityTaskStarted")
    assert (start.identity, start.request_id) == ("worker", "")
    assert not any(kind == ACTIVITY for kind, _ in simulation.tasks), "nobody gets it any more"


def test_an_activity_that_is_over_is_not_found() -> None:
    simulation = started()
    simulation.complete_activity("activity")
    run = simulation.open()
    with pytest.raises(NotFound) as raised:
        activity.find(run, 5)
    assert raised.value.message == activity.GONE
    with pytest.raises(NotFound) as raised:
        activity.find_by_id(run, "activity")
    assert raised.value.message == (
        "cannot find pending activity with ActivityID activity, check workflow execution history for more details"
    )


def test_cancelling_an_activity_no_worker_has_ends_it() -> None:
    simulation = scheduled()
    simulation.signal()
    simulation.turn(build.cancel_activity(5))
    assert simulation.story(8) == [
        "WorkflowTaskCompleted ActivityTaskCancelRequested ActivityTaskCanceled WorkflowTaskScheduled"
    ]
    request = simulation.last("ActivityTaskCancelRequested")
    assert (request.scheduled_event_id, request.workflow_task_completed_event_id) == (5, 9)
    canceled = simulation.last("ActivityTaskCanceled")
    assert (canceled.scheduled_event_id, canceled.started_event_id) == (5, 0)
    assert canceled.latest_cancel_requested_event_id == 10
    assert canceled.details == json_payloads("ACTIVITY_ID_NOT_STARTED")
    assert canceled.identity == "worker"
    assert not any(kind == ACTIVITY for kind, _ in simulation.tasks)


def test_cancelling_an_activity_in_backoff_ends_it() -> None:
    simulation = started()
    simulation.fail_activity("activity", build.application_failure())
    simulation.signal()
    simulation.turn(build.cancel_activity(5))
    assert simulation.story(8) == [
        "WorkflowTaskCompleted ActivityTaskCancelRequested ActivityTaskCanceled WorkflowTaskScheduled"
    ]
    simulation.advance(100)
    assert not any(kind == ACTIVITY for kind, _ in simulation.tasks)


def test_cancelling_an_activity_in_the_task_that_schedules_it() -> None:
    simulation = Simulation()
    simulation.turn(build.schedule_activity(request_eager_execution=True), build.cancel_activity(5))
    assert simulation.story(4) == [
        "ActivityTaskScheduled ActivityTaskCancelRequested ActivityTaskCanceled WorkflowTaskScheduled"
    ]
    assert not simulation.eager


def test_a_worker_obeys_a_cancel_request() -> None:
    simulation = started()
    with pytest.raises(InvalidArgument) as raised:
        simulation.cancel_activity("activity")
    assert raised.value.message == "unable to mark activity as canceled without activity being request canceled first"
    simulation.signal()
    simulation.turn(build.cancel_activity(5))
    assert simulation.story(8) == ["WorkflowTaskCompleted ActivityTaskCancelRequested"]
    assert simulation.activity("activity").cancel_requested
    simulation.cancel_activity("activity", build.payloads('"bye"'))
    assert simulation.story(10) == ["ActivityTaskStarted ActivityTaskCanceled WorkflowTaskScheduled"]
    canceled = simulation.last("ActivityTaskCanceled")
    assert (canceled.scheduled_event_id, canceled.started_event_id) == (5, 11)
    assert canceled.latest_cancel_requested_event_id == 10
    assert canceled.details == build.payloads('"bye"')


@pytest.mark.parametrize("how", ["complete", "fail"])
def test_a_cancelled_activity_may_end_otherwise_but_is_not_tried_again(how: str) -> None:
    simulation = started()
    simulation.signal()
    simulation.turn(build.cancel_activity(5))
    if how == "complete":
        simulation.complete_activity("activity")
        assert simulation.story(10) == ["ActivityTaskStarted ActivityTaskCompleted WorkflowTaskScheduled"]
        return
    simulation.fail_activity("activity", build.application_failure())
    assert simulation.story(10) == ["ActivityTaskStarted ActivityTaskFailed WorkflowTaskScheduled"]
    assert simulation.last("ActivityTaskFailed").retry_state == RetryState.RETRY_STATE_CANCEL_REQUESTED


def test_heartbeats_leave_no_event_and_keep_the_last_details() -> None:
    simulation = started()
    simulation.sleep(1)
    simulation.heartbeat("activity", build.payloads("1"))
    pending = simulation.activity("activity")
    assert pending.heartbeat_time == NOW + SECOND
    assert Payloads.FromString(pending.heartbeat_details) == build.payloads("1")
    simulation.heartbeat("activity")
    assert simulation.activity("activity").heartbeat_details == b""
    assert len(simulation.events) == 5


def test_each_dispatch_has_a_stamp_of_its_own() -> None:
    simulation = started()
    first = simulation.activity("activity").stamp
    simulation.fail_activity("activity", build.application_failure())
    simulation.advance(1)
    assert simulation.tasks[ACTIVITY, 5].stamp == simulation.activity("activity").stamp != first
