"""The deadlines of a run: which is next, and what happens when some are due.

The stored wake-up of a run may be earlier than its next deadline, never later; waking too early is harmless.
"""

from orchestrator.core import activity, chain, timer, workflow_task
from orchestrator.core.activity_timeouts import next_timeout
from orchestrator.core.run import Run
from orchestrator.core.state import ExecutionState


def next_deadline(state: ExecutionState) -> int:
    """The earliest deadline of an open run, nanoseconds since the epoch; 0 without one."""
    found: list[int] = [
        each for each in (state.backoff_until, state.run_expiration, state.execution_expiration) if each
    ]
    if state.workflow_task is not None:
        due, _ = workflow_task.deadline(state.workflow_task)
        if due:
            found.append(due)
    found.extend(each.fire_time for each in state.timers.values())
    for pending in state.activities.values():
        due, _ = next_timeout(pending)
        if due:
            found.append(due)
        if pending.backing_off and not pending.paused:
            found.append(pending.scheduled_time)
    return min(found, default=0)


def set_wake(run: Run) -> None:
    """Moves the run's stored wake-up only when it must be earlier, or when it was used up by this transition."""
    state = run.state
    if not state.running:
        state.wake_time = 0
    elif run.woken:
        state.wake_time = next_deadline(state)
    elif run.earliest_deadline and (not state.wake_time or run.earliest_deadline < state.wake_time):
        state.wake_time = run.earliest_deadline


def fire_due(run: Run) -> None:
    """Does all that is due at the time of the transition."""
    state = run.state
    run.woken = run.changed = True
    if not state.running:
        return
    if any(each and each <= run.now for each in (state.run_expiration, state.execution_expiration)):
        chain.time_out(run)
        return
    wake = timer.fire_due(run)
    wake = _time_out_activities(run) or wake
    _retry_activities(run)
    if state.backoff_until and state.backoff_until <= run.now:
        wake = True
    if wake:
        workflow_task.schedule(run)
    _time_out_workflow_task(run)


def _time_out_activities(run: Run) -> bool:
    """Times out every attempt that is due; returns whether an activity closed."""
    due = []
    for pending in run.state.activities.values():
        at, kind = next_timeout(pending)
        if at and at <= run.now:
            due.append((at, pending.scheduled_event_id, kind))
    closed = False
    for _, scheduled_event_id, kind in sorted(due):
        pending = run.state.activities[scheduled_event_id]
        activity.time_out(run, pending, kind)
        closed = closed or scheduled_event_id not in run.state.activities
    return closed


def _retry_activities(run: Run) -> None:
    """Dispatches the attempts whose backoff is over."""
    for pending in run.state.activities.values():
        if pending.backing_off and not pending.paused and pending.scheduled_time <= run.now:
            activity.dispatch_due(run, pending)


def _time_out_workflow_task(run: Run) -> None:
    task = run.state.workflow_task
    if task is None:
        return
    at, kind = workflow_task.deadline(task)
    if not at or at > run.now:
        return
    workflow_task.time_out(run, kind)
    workflow_task.schedule(run)
