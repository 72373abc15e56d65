"""Which timeout of an activity is next."""

from temporalio.api.enums.v1 import TimeoutType

from orchestrator.core.activity_timeouts import next_timeout
from orchestrator.core.state import Activity, RetryPolicy


def started(**fields: int) -> Activity:
    """An activity whose attempt was handed over in the transition that scheduled it, at time 1000."""
    given = {"schedule_to_close": 0, "schedule_to_start": 0, "start_to_close": 0, "heartbeat_timeout": 0} | fields
    return Activity(
        scheduled_event_id=5,
        activity_id="1",
        activity_type="type",
        task_queue="queue",
        retry_policy=RetryPolicy(1, 2.0, 100, 0),
        scheduled_time=1000,
        first_scheduled_time=1000,
        started_time=1000,
        **given,
    )


def test_the_timeout_of_the_whole_activity_wins_over_one_of_an_attempt_that_passes_with_it() -> None:
    activity = started(schedule_to_close=50, start_to_close=50, heartbeat_timeout=50)
    assert next_timeout(activity) == (1050, TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)


def test_an_attempt_no_worker_took_runs_out_of_time_to_start() -> None:
    activity = started(schedule_to_close=50, schedule_to_start=50, start_to_close=50)
    activity.started_time = 0
    assert next_timeout(activity) == (1050, TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START)
    activity.scheduled_time = 1020
    assert next_timeout(activity) == (1050, TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)


def test_the_earliest_timeout_is_next() -> None:
    activity = started(schedule_to_close=50, start_to_close=40, heartbeat_timeout=30)
    assert next_timeout(activity) == (1030, TimeoutType.TIMEOUT_TYPE_HEARTBEAT)
    activity.heartbeat_time = 1020
    assert next_timeout(activity) == (1040, TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE)


def test_without_timeouts_nothing_is_next() -> None:
    assert next_timeout(started()) == (0, TimeoutType.TIMEOUT_TYPE_UNSPECIFIED)
