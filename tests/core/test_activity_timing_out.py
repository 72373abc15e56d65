"""The four timeouts of an activity, alone and after failed attempts."""

import pytest
from temporalio.api.enums.v1 import RetryState, TimeoutType

from orchestrator.core.activity_timeouts import NO_TIME_FOR_RETRY
from orchestrator.core.run import ACTIVITY
from tests.core import builders as build
from tests.core.simulation import Simulation

ONCE = build.retry_policy(maximum_attempts=1)


def scheduled(**fields: object) -> Simulation:
    """A run that waits for an activity, scheduled by event 5."""
    simulation = Simulation()
    simulation.turn(build.schedule_activity(**fields))  # type: ignore[arg-type]
    return simulation


def test_schedule_to_start() -> None:
    simulation = scheduled(schedule_to_start_timeout=build.seconds(3))
    simulation.advance(2.9)
    assert len(simulation.events) == 5
    simulation.advance(0.1)
    assert simulation.story(5) == ["ActivityTaskTimedOut WorkflowTaskScheduled"]
    event = simulation.last("ActivityTaskTimedOut")
    assert (event.scheduled_event_id, event.started_event_id) == (5, 0)
    assert event.retry_state == RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
    assert event.failure.message == "activity ScheduleToStart timeout"
    assert event.failure.source == "Server"
    assert event.failure.timeout_failure_info.timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START
    assert not any(kind == ACTIVITY for kind, _ in simulation.tasks)


def test_schedule_to_start_is_over_with_the_start() -> None:
    simulation = scheduled(schedule_to_start_timeout=build.seconds(3), retry_policy=ONCE)
    simulation.poll_activity("activity")
    simulation.advance(9)
    assert len(simulation.events) == 5


def test_schedule_to_close() -> None:
    simulation = scheduled(schedule_to_close_timeout=build.seconds(5), schedule_to_start_timeout=build.seconds(9))
    simulation.poll_activity("activity")
    simulation.advance(5)
    assert simulation.story(5) == ["ActivityTaskStarted ActivityTaskTimedOut WorkflowTaskScheduled"]
    event = simulation.last("ActivityTaskTimedOut")
    assert event.retry_state == RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
    assert event.failure.message == "activity ScheduleToClose timeout"
    assert event.failure.timeout_failure_info.timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE


def test_schedule_to_close_of_an_activity_in_backoff_tells_the_last_failure() -> None:
    simulation = scheduled(schedule_to_close_timeout=build.seconds(5), retry_policy=build.retry_policy(4))
    simulation.poll_activity("activity")
    simulation.heartbeat("activity", build.payloads("7"))
    simulation.fail_activity("activity", build.application_failure("first"))
    simulation.advance(4)
    simulation.advance(1)
    assert simulation.story(5) == ["ActivityTaskTimedOut WorkflowTaskScheduled"]
    failure = simulation.last("ActivityTaskTimedOut").failure
    assert failure.cause.message == "first"
    assert failure.timeout_failure_info.last_heartbeat_details == build.payloads("7")


@pytest.mark.parametrize(
    ("fields", "name", "kind"),
    [
        ({"start_to_close_timeout": build.seconds(4)}, "StartToClose", TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE),
        (
            {"start_to_close_timeout": build.seconds(60), "heartbeat_timeout": build.seconds(4)},
            "Heartbeat",
            TimeoutType.TIMEOUT_TYPE_HEARTBEAT,
        ),
    ],
)
class TestOfAttempts:
    """Start-to-close and heartbeat timeouts are of one attempt, and another may follow."""

    def test_without_another_attempt(self, fields: dict[str, object], name: str, kind: TimeoutType.ValueType) -> None:
        simulation = scheduled(retry_policy=ONCE, **fields)
        simulation.advance(60)
        assert len(simulation.events) == 5, "it counts from the start"
        simulation.poll_activity("activity")
        simulation.advance(3.9)
        assert len(simulation.events) == 5
        simulation.advance(0.1)
        assert simulation.story(5) == ["ActivityTaskStarted ActivityTaskTimedOut WorkflowTaskScheduled"]
        event = simulation.last("ActivityTaskTimedOut")
        assert (event.scheduled_event_id, event.started_event_id) == (5, 6)
        assert event.retry_state == RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED
        assert event.failure.message == f"activity {name} timeout"
        assert event.failure.timeout_failure_info.timeout_type == kind

    def test_with_another_attempt(self, fields: dict[str, object], name: str, kind: TimeoutType.ValueType) -> None:
        simulation = scheduled(**fields)
        simulation.poll_activity("activity")
        simulation.advance(4)
        assert len(simulation.events) == 5
        assert simulation.activity("activity").attempt == 2
        simulation.advance(1)
        simulation.poll_activity("activity")
        simulation.complete_activity("activity")
        assert simulation.last("ActivityTaskStarted").last_failure.message == f"activity {name} timeout"

    def test_when_the_policy_does_not_retry_it(
        self, fields: dict[str, object], name: str, kind: TimeoutType.ValueType
    ) -> None:
        policy = build.retry_policy(non_retryable_error_types=[f"TemporalTimeout:{name}"])
        simulation = scheduled(retry_policy=policy, **fields)
        simulation.poll_activity("activity")
        simulation.advance(4)
        event = simulation.last("ActivityTaskTimedOut")
        assert event.retry_state == RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE

    def test_when_no_time_is_left_for_another_attempt(
        self, fields: dict[str, object], name: str, kind: TimeoutType.ValueType
    ) -> None:
        simulation = scheduled(schedule_to_close_timeout=build.seconds(7), retry_policy=build.retry_policy(4), **fields)
        simulation.poll_activity("activity")
        simulation.heartbeat("activity", build.payloads("7"))
        simulation.advance(4)
        event = simulation.last("ActivityTaskTimedOut")
        assert event.retry_state == RetryState.RETRY_STATE_TIMEOUT
        assert event.failure.message == NO_TIME_FOR_RETRY
        info = event.failure.timeout_failure_info
        assert info.timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE
        assert info.last_heartbeat_details == build.payloads("7")

    def test_after_a_cancel_request(self, fields: dict[str, object], name: str, kind: TimeoutType.ValueType) -> None:
        simulation = scheduled(**fields)
        simulation.poll_activity("activity")
        simulation.signal()
        simulation.turn(build.cancel_activity(5))
        simulation.advance(4)
        assert simulation.last("ActivityTaskTimedOut").retry_state == RetryState.RETRY_STATE_CANCEL_REQUESTED


def test_heartbeats_keep_an_attempt_alive() -> None:
    simulation = scheduled(
        start_to_close_timeout=build.seconds(60), heartbeat_timeout=build.seconds(4), retry_policy=ONCE
    )
    simulation.poll_activity("activity")
    for _ in range(5):
        simulation.advance(3)
        simulation.heartbeat("activity", build.payloads("7"))
    assert len(simulation.events) == 5
    simulation.advance(4)
    failure = simulation.last("ActivityTaskTimedOut").failure
    assert failure.timeout_failure_info.last_heartbeat_details == build.payloads("7")


def test_heartbeats_of_an_earlier_attempt_do_not_count() -> None:
    simulation = scheduled(start_to_close_timeout=build.seconds(60), heartbeat_timeout=build.seconds(4))
    simulation.poll_activity("activity")
    simulation.advance(3)
    simulation.heartbeat("activity")
    simulation.fail_activity("activity", build.application_failure())
    simulation.advance(10)
    simulation.poll_activity("activity")
    simulation.advance(3)
    assert simulation.activity("activity").attempt == 2


def test_several_at_once_end_in_order_of_their_deadlines() -> None:
    simulation = Simulation()
    simulation.turn(
        build.schedule_activity("a", schedule_to_start_timeout=build.seconds(3)),
        build.schedule_activity("b", schedule_to_start_timeout=build.seconds(2)),
    )
    simulation.sleep(10)
    simulation.fire()
    assert simulation.story(6) == ["ActivityTaskTimedOut ActivityTaskTimedOut WorkflowTaskScheduled"]
    assert [event.activity_task_timed_out_event_attributes.scheduled_event_id for event in simulation.events[6:8]] == [
        6,
        5,
    ]
