"""When a failed attempt is followed by another one, and what the next one knows."""

import pytest
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import RetryState
from temporalio.api.failure.v1 import Failure

from orchestrator.core import activity
from orchestrator.core.limits import Limits
from orchestrator.core.run import ACTIVITY
from orchestrator.core.wire import SECOND
from tests.core import builders as build
from tests.core.simulation import Simulation

MAXIMUM = RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED
NON_RETRYABLE = RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
TIMEOUT = RetryState.RETRY_STATE_TIMEOUT


def started(limits: Limits | None = None, **fields: object) -> Simulation:
    """A run whose activity, scheduled by event 5, a worker has."""
    simulation = Simulation(limits=limits)
    simulation.turn(build.schedule_activity(**fields))  # type: ignore[arg-type]
    simulation.poll_activity("activity")
    return simulation


def test_an_attempt_that_fails_is_followed_by_another_after_a_pause() -> None:
    simulation = started()
    simulation.heartbeat("activity", build.payloads("7"))
    simulation.sleep(3)
    simulation.fail_activity("activity", build.application_failure("first"))
    assert len(simulation.events) == 5
    assert not simulation.tasks
    pending = simulation.activity("activity")
    assert pending.attempt == 2
    assert pending.backing_off
    assert pending.scheduled_time == simulation.now + SECOND
    assert pending.last_attempt_complete_time == simulation.now
    assert (pending.started_time, pending.started_identity, pending.last_identity) == (0, "", "worker")
    assert Failure.FromString(pending.last_failure).message == "first"
    simulation.advance(1)
    assert (ACTIVITY, 5) in simulation.tasks
    simulation.poll_activity("activity")
    assert Payloads.FromString(simulation.activity("activity").heartbeat_details) == build.payloads("7")
    simulation.complete_activity("activity")
    assert simulation.story(5) == ["ActivityTaskStarted ActivityTaskCompleted WorkflowTaskScheduled"]
    start = simulation.last("ActivityTaskStarted")
    assert (start.attempt, start.last_failure.message) == (2, "first")


def test_the_pauses_grow_up_to_the_maximum() -> None:
    policy = build.retry_policy(1, backoff_coefficient=3.0, maximum_interval=build.seconds(20))
    simulation = started(retry_policy=policy)
    pauses = []
    for _ in range(5):
        simulation.fail_activity("activity", build.application_failure())
        pauses.append((simulation.activity("activity").scheduled_time - simulation.now) / SECOND)
        simulation.advance(pauses[-1])
        simulation.poll_activity("activity")
    assert pauses == [1, 3, 9, 20, 20]


@pytest.mark.parametrize(
    ("fields", "failure", "expected"),
    [
        ({"retry_policy": build.retry_policy(maximum_attempts=1)}, {}, MAXIMUM),
        ({"retry_policy": build.retry_policy(non_retryable_error_types=["Fatal"])}, {"type": "Fatal"}, NON_RETRYABLE),
        ({}, {"non_retryable": True}, NON_RETRYABLE),
        ({"schedule_to_close_timeout": build.seconds(0.5)}, {}, TIMEOUT),
        (
            {"schedule_to_close_timeout": build.seconds(5)},
            {"next_retry_delay": build.seconds(6)},
            TIMEOUT,
        ),
    ],
)
def test_a_failure_that_is_the_last(
    fields: dict[str, object], failure: dict[str, object], expected: RetryState.ValueType
) -> None:
    simulation = started(**fields)
    simulation.fail_activity("activity", build.application_failure(**failure))
    assert simulation.story(5) == ["ActivityTaskStarted ActivityTaskFailed WorkflowTaskScheduled"]
    assert simulation.last("ActivityTaskFailed").retry_state == expected


def test_attempts_are_counted() -> None:
    simulation = started(retry_policy=build.retry_policy(maximum_attempts=3))
    for attempt in (1, 2):
        assert simulation.activity("activity").attempt == attempt
        simulation.fail_activity("activity", build.application_failure(f"attempt {attempt}"))
        simulation.advance(10)
        simulation.poll_activity("activity")
    simulation.fail_activity("activity", build.application_failure("attempt 3"))
    assert simulation.last("ActivityTaskFailed").failure.message == "attempt 3"
    start = simulation.last("ActivityTaskStarted")
    assert (start.attempt, start.last_failure.message) == (3, "attempt 2")


@pytest.mark.parametrize(("delay", "waits"), [(0, 0), (50, 50), (-5, 0)])
def test_a_failure_may_say_when_to_try_again(delay: float, waits: float) -> None:
    simulation = started(retry_policy=build.retry_policy(1, maximum_interval=build.seconds(2)))
    failure = build.application_failure()
    failure.application_failure_info.next_retry_delay.CopyFrom(build.seconds(delay))
    simulation.fail_activity("activity", failure)
    pending = simulation.activity("activity")
    assert pending.scheduled_time == simulation.now + waits * SECOND
    assert ((ACTIVITY, 5) in simulation.tasks) == (waits == 0)


def test_a_large_failure_is_kept_in_part() -> None:
    simulation = started(limits=Limits(activity_failure_size=1000))
    failure = build.application_failure("m" * 600, type="Big", non_retryable=False)
    failure.stack_trace = "s" * 5000
    failure.source = "PythonSDK"
    simulation.fail_activity("activity", failure)
    kept = Failure.FromString(simulation.activity("activity").last_failure)
    assert kept.message == activity.FAILURE_TOO_LARGE
    assert kept.HasField("server_failure_info")
    cause = kept.cause
    assert (cause.message, cause.source, cause.application_failure_info.type) == ("m" * 600, "PythonSDK", "Big")
    assert 0 < len(cause.stack_trace) < 400
    assert cause.ByteSize() <= 1000


def test_the_last_failure_itself_is_written_in_full() -> None:
    simulation = started(limits=Limits(activity_failure_size=100), retry_policy=build.retry_policy(maximum_attempts=1))
    simulation.fail_activity("activity", build.application_failure("m" * 600))
    assert simulation.last("ActivityTaskFailed").failure.message == "m" * 600


def test_half_a_character_is_not_kept() -> None:
    cut = activity.truncated(Failure(message="é" * 100), 60)
    assert set(cut.cause.message) == {"é"}
    assert cut.cause.ByteSize() <= 60
