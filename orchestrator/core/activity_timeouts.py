"""The four timeouts of an activity: when the next one is due, and the failure it gives."""

from temporalio.api.enums.v1 import TimeoutType
from temporalio.api.failure.v1 import Failure, TimeoutFailureInfo

from orchestrator.core.state import Activity
from orchestrator.core.wire import after

_T = TimeoutType
_NAMES = {
    TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE: "StartToClose",
    TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START: "ScheduleToStart",
    TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE: "ScheduleToClose",
    TimeoutType.TIMEOUT_TYPE_HEARTBEAT: "Heartbeat",
}
NO_TIME_FOR_RETRY = "Not enough time to schedule next retry before activity ScheduleToClose timeout, giving up retrying"


def next_timeout(activity: Activity) -> tuple[int, TimeoutType.ValueType]:
    """When the earliest timeout passes, nanoseconds since the epoch (0: never), and which it is."""
    if activity.paused:
        return 0, _T.TIMEOUT_TYPE_UNSPECIFIED
    due: list[tuple[int, TimeoutType.ValueType]] = []
    # In order of precedence, for those that pass together: an attempt no worker took ran out of time to start; one that
    # was handed over in the transition that scheduled it, and given all the activity's time, ends with the activity.
    if not activity.started_time and activity.schedule_to_start:
        due.append((after(activity.scheduled_time, activity.schedule_to_start), _T.TIMEOUT_TYPE_SCHEDULE_TO_START))
    if activity.schedule_to_close:
        due.append(
            (after(activity.first_scheduled_time, activity.schedule_to_close), _T.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)
        )
    if activity.started_time and activity.start_to_close:
        due.append((after(activity.started_time, activity.start_to_close), _T.TIMEOUT_TYPE_START_TO_CLOSE))
    if activity.started_time and activity.heartbeat_timeout:
        alive = max(activity.started_time, activity.heartbeat_time)
        due.append((after(alive, activity.heartbeat_timeout), _T.TIMEOUT_TYPE_HEARTBEAT))
    return min(due, key=lambda each: each[0]) if due else (0, _T.TIMEOUT_TYPE_UNSPECIFIED)


def timeout_failure(timeout_type: TimeoutType.ValueType, *, no_time_for_retry: bool = False) -> Failure:
    """The failure of a timeout."""
    return Failure(
        message=NO_TIME_FOR_RETRY if no_time_for_retry else f"activity {_NAMES[timeout_type]} timeout",
        source="Server",
        timeout_failure_info=TimeoutFailureInfo(timeout_type=timeout_type),
    )
