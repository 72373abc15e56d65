"""User timers: started, fired, cancelled."""

from temporalio.api.command.v1 import StartTimerCommandAttributes
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    HistoryEvent,
    TimerCanceledEventAttributes,
    TimerFiredEventAttributes,
    TimerStartedEventAttributes,
)
from temporalio.api.sdk.v1 import UserMetadata

from orchestrator.core.run import Run
from orchestrator.core.state import Timer
from orchestrator.core.wire import after, duration, length_ns


def start(
    run: Run,
    command: StartTimerCommandAttributes,
    completed_event_id: int,
    user_metadata: UserMetadata | None = None,
) -> None:
    """Starts a timer; raises KeyError when one of the same id is pending, as far as the worker knows."""
    if command.timer_id in run.state.timers or (run.has_buffered and _fired(run, command.timer_id) is not None):
        raise KeyError(command.timer_id)
    length = length_ns(command.start_to_fire_timeout)
    event = run.add(
        EventType.EVENT_TYPE_TIMER_STARTED,
        "timer_started_event_attributes",
        TimerStartedEventAttributes(
            timer_id=command.timer_id,
            start_to_fire_timeout=duration(length),
            workflow_task_completed_event_id=completed_event_id,
        ),
        user_metadata=user_metadata,
    )
    timer = Timer(command.timer_id, event.event_id, after(run.now, length))
    run.state.timers[timer.timer_id] = timer
    run.wake_at(timer.fire_time)


def cancel(run: Run, timer_id: str, completed_event_id: int, identity: str) -> None:
    """Cancels a timer, also one whose firing the workflow has not seen yet; raises KeyError for an unknown one."""
    timer = run.state.timers.pop(timer_id, None)
    started_event_id = timer.started_event_id if timer is not None else _unfire(run, timer_id)
    run.add(
        EventType.EVENT_TYPE_TIMER_CANCELED,
        "timer_canceled_event_attributes",
        TimerCanceledEventAttributes(
            timer_id=timer_id,
            started_event_id=started_event_id,
            workflow_task_completed_event_id=completed_event_id,
            identity=identity,
        ),
    )


def fire_due(run: Run) -> bool:
    """Fires every timer that is due, in order of (time, start); returns whether one fired."""
    due = [timer for timer in run.state.timers.values() if timer.fire_time <= run.now]
    for timer in sorted(due, key=lambda timer: (timer.fire_time, timer.started_event_id)):
        del run.state.timers[timer.timer_id]
        run.add(
            EventType.EVENT_TYPE_TIMER_FIRED,
            "timer_fired_event_attributes",
            TimerFiredEventAttributes(timer_id=timer.timer_id, started_event_id=timer.started_event_id),
        )
    return bool(due)


def _unfire(run: Run, timer_id: str) -> int:
    """Takes the TIMER_FIRED event of a timer out of the buffer and returns the id of its start."""
    event = _fired(run, timer_id)
    if event is None:
        raise KeyError(timer_id)
    run.buffer.remove(event)
    return event.timer_fired_event_attributes.started_event_id


def _fired(run: Run, timer_id: str) -> HistoryEvent | None:
    """The TIMER_FIRED event of a timer, if it is in the buffer."""
    for event in run.buffer:
        if event.event_type == EventType.EVENT_TYPE_TIMER_FIRED:
            if event.timer_fired_event_attributes.timer_id == timer_id:
                return event
    return None
