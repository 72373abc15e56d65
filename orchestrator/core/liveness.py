"""What wakes a run: the rows its state needs beside it, what is wrong with those there are, and how it is mended.

Nothing is invented: what is missing is written again from the state, as the transition that led to it wrote it.
"""

from dataclasses import dataclass, field
from enum import StrEnum

from orchestrator.core.deadlines import next_deadline
from orchestrator.core.priority import share
from orchestrator.core.run import ACTIVITY, WORKFLOW, Dispatch, Run, Transfer
from orchestrator.core.state import ExecutionState
from orchestrator.core.transfers import TransferKind, debts


class Damage(StrEnum):
    """What can be wrong with the rows of a run.

    Attributes:
        LOST_TASK: a task is scheduled, and no row has it for workers.
        STALE_TASK: a row has a task that is not scheduled any more.
        LOST_WAKE: a deadline has no wake-up before it.
        STALE_WAKE: there is a wake-up that the state knows nothing of.
        LOST_TRANSFER: the run owes something, and no row tells.
        WRONG_RECORD: lists show something else than the state, or nothing.
        WRONG_CURRENT: it is the latest run of its workflow id, and not the current one.
        UNTOLD_END: a child it waits for has ended, and nothing will tell it.
        ASLEEP: nothing will ever wake the run, and its state does not tell what should.
        UNREADABLE: the state cannot be read.
        ORPHAN_TASK, ORPHAN_WAKE, ORPHAN_TRANSFER: a row of a run that does not exist.
    """

    LOST_TASK = "lost task"
    STALE_TASK = "stale task"
    LOST_WAKE = "lost wake-up"
    STALE_WAKE = "stale wake-up"
    LOST_TRANSFER = "lost transfer"
    WRONG_RECORD = "wrong record"
    WRONG_CURRENT = "wrong current run"
    UNTOLD_END = "untold end of a child"
    ASLEEP = "asleep"
    UNREADABLE = "unreadable state"
    ORPHAN_TASK = "orphan task"
    ORPHAN_WAKE = "orphan wake-up"
    ORPHAN_TRANSFER = "orphan transfer"


@dataclass(frozen=True, slots=True)
class Rows:
    """What the tables hold of a run, but for its state and its history.

    Attributes:
        tasks: (kind, scheduled event id, stamp) of its tasks for workers.
        wake: when it is woken, nanoseconds since the epoch; 0 for never.
        failing: whether that wake-up has failed, and waits for its next attempt or as a dead letter.
        transfers: (kind, event id) of what it owes, dead letters too.
        shown: (status, close time) of its record, the time 0 for an open run; None without a record.
        current: the current run of its workflow id, empty for none.
        latest: whether that one was closed and is older, or does not exist.
    """

    tasks: frozenset[tuple[int, int, int]] = frozenset()
    wake: int = 0
    failing: bool = False
    transfers: frozenset[tuple[int, int]] = frozenset()
    shown: tuple[int, int] | None = None
    current: str = ""
    latest: bool = False


@dataclass(slots=True)
class Mending:
    """What a run's rows need that its next transition does not write by itself.

    Attributes:
        stale: (kind, scheduled event id, stamp) of tasks to be removed.
        shown: whether it has a record.
        current: whether it becomes the current run.
    """

    stale: list[tuple[int, int, int]] = field(default_factory=list)
    shown: bool = True
    current: bool = False


def scheduled(state: ExecutionState) -> list[Dispatch]:
    """The tasks that wait for a worker."""
    found = []
    task = state.workflow_task
    if task is not None and not task.started_event_id:
        queue, event_id = task.task_queue, task.scheduled_event_id
        found.append(Dispatch(WORKFLOW, queue, event_id, task.stamp, share(state.priority)))
    for each in state.activities.values():
        if not (each.started_time or each.backing_off or each.paused):
            found.append(Dispatch(ACTIVITY, each.task_queue, each.scheduled_event_id, each.stamp, share(each.priority)))
    return found


def inspect(state: ExecutionState, rows: Rows) -> list[Damage]:
    """What is wrong with the rows of a run."""
    found = []
    wanted = {(each.kind, each.scheduled_event_id, each.stamp) for each in scheduled(state)}
    if wanted - rows.tasks:
        found.append(Damage.LOST_TASK)
    if rows.tasks - wanted:
        found.append(Damage.STALE_TASK)
    deadline = next_deadline(state) if state.running else 0
    if not rows.failing:
        if deadline and not 0 < rows.wake <= deadline:
            found.append(Damage.LOST_WAKE)
        elif rows.wake != state.wake_time:
            found.append(Damage.STALE_WAKE)
    if _missing(state, rows):
        found.append(Damage.LOST_TRANSFER)
    if rows.shown != (state.status, state.close_time):
        found.append(Damage.WRONG_RECORD)
    if rows.current != state.run_id and (state.running or rows.latest or not rows.current):
        found.append(Damage.WRONG_CURRENT)
    if _unborn(state) and state.parent is None:
        found.append(Damage.ASLEEP)
    return found


def mend(run: Run, rows: Rows) -> Mending:
    """Has the transition write what is missing; what is wrong beside that is the caller's to do."""
    state = run.state
    found = inspect(state, rows)
    wanted = scheduled(state)
    run.changed = True
    run.dispatches.extend(each for each in wanted if (each.kind, each.scheduled_event_id, each.stamp) not in rows.tasks)
    run.transfers.extend(_missing(state, rows))
    run.woken = Damage.LOST_WAKE in found or Damage.STALE_WAKE in found
    run.visible = Damage.WRONG_RECORD in found
    known = {(each.kind, each.scheduled_event_id, each.stamp) for each in wanted}
    return Mending(sorted(rows.tasks - known), rows.shown is not None, Damage.WRONG_CURRENT in found)


def _missing(state: ExecutionState, rows: Rows) -> list[Transfer]:
    """What the run owes by its state, and no row tells. What a closed run owes its family, its state does not tell."""
    owed = []
    if state.running:
        owed = debts(state)
        if _unborn(state) and state.parent is not None:
            owed.append(Transfer(TransferKind.RELEASE_CHILD))
    elif state.deleting:
        owed.append(Transfer(TransferKind.DELETE))
    return [each for each in owed if (each.kind, each.event_id) not in rows.transfers]


def _unborn(state: ExecutionState) -> bool:
    """Whether an open run has never had a workflow task, and waits for no time at which it gets one."""
    return (
        state.running and state.workflow_task is None and not state.completed_workflow_tasks and not state.backoff_until
    )
