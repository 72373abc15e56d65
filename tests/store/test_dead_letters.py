"""Tasks that fail: counted in their rows, moved to the dead letters in one transaction, and put back."""

from contextlib import nullcontext
from typing import Any

import pytest

from orchestrator.models import DeadLetter, TimerTask, TransferTask
from orchestrator.store.dead_letters import redrive
from orchestrator.store.ports import Changes, Failure, Fence, LeaseLost, Transfer, Wake
from tests.store.conftest import Opened
from tests.store.rows import run_key, transfer, wake

LIMIT = 3


def failure(time: int, summary: str = "ValueError: no") -> Failure:
    """An error at a time."""
    return Failure(summary, f"{summary}\n\nTraceback", time)


def pause(attempts: int) -> int | None:
    """Grows, and comes to an end."""
    return 100 * attempts if attempts < LIMIT else None


def never(attempts: int) -> None:
    """Nothing is tried twice."""


def stored(opened: Opened) -> Transfer:
    """A debt that waits."""
    owed = transfer(run_key(), 5)
    opened.write(Changes(transferred=[(run_key(), 1, 1)], transfers=[owed]))
    return owed


def set_up(opened: Opened, fire_time: int = 7) -> Wake:
    """A wake-up that waits."""
    due = wake(run_key(), fire_time)
    opened.write(Changes(transferred=[(run_key(), 1, 1)], wakes=[due]))
    return due


def fail(opened: Opened, task: Transfer | Wake, time: int = 1000) -> bool:
    """One more failure."""
    return opened.store.record_failure(task, failure(time), pause, None)


def row_of(opened: Opened, model: Any, task: Transfer | Wake) -> Any:
    """The row of a run in a table; None without one."""
    return model.objects.using(opened.alias).filter(run_id=task.run_id).first()


def test_failures_are_counted_where_a_debt_waits(opened: Opened) -> None:
    owed = stored(opened)
    assert not fail(opened, owed, 1000)
    assert not fail(opened, owed, 2000)
    row = row_of(opened, TransferTask, owed)
    assert (row.attempts, row.failing_since, row.last_error) == (2, 1000, "ValueError: no")
    assert row_of(opened, DeadLetter, owed) is None


def test_the_last_failure_makes_a_debt_a_dead_letter(opened: Opened) -> None:
    owed = stored(opened)
    assert [fail(opened, owed, time) for time in (1000, 2000, 3000)] == [False, False, True]
    assert row_of(opened, TransferTask, owed) is None
    letter = row_of(opened, DeadLetter, owed)
    assert (letter.queue, letter.kind, letter.event_id, letter.payload) == ("transfer", 1, 5, {"created_time": 1000})
    assert (letter.attempts, letter.first_failure, letter.last_failure) == (LIMIT, 1000, 3000)
    assert letter.error == "ValueError: no\n\nTraceback"


def test_a_debt_that_somebody_paid_is_over(opened: Opened) -> None:
    assert fail(opened, transfer(run_key(), 5))
    assert not DeadLetter.objects.using(opened.alias).filter(payload={}).exists()


def test_a_wake_up_that_failed_gets_out_of_the_way(opened: Opened) -> None:
    due = set_up(opened, 7)
    assert not fail(opened, due, 1000)
    later = due._replace(fire_time=1100)
    assert later in opened.store.due(1100, 100)
    assert due not in opened.store.due(1099, 100)
    assert not fail(opened, later, 2000)
    assert fail(opened, later._replace(fire_time=2200), 3000)
    assert row_of(opened, TimerTask, due) is None
    assert row_of(opened, DeadLetter, due).payload == {"fire_time": 2200}


def test_a_wake_up_that_was_moved_since_is_left_alone(opened: Opened) -> None:
    due = set_up(opened, 7)
    assert fail(opened, due._replace(fire_time=6))
    assert row_of(opened, TimerTask, due).attempts == 0


def test_a_wake_up_that_is_set_anew_has_not_failed(opened: Opened) -> None:
    due = set_up(opened, 7)
    fail(opened, due)
    opened.write(Changes(transferred=[(run_key(), 1, 1)], wakes=[due]))
    assert row_of(opened, TimerTask, due).attempts == 0


def test_a_long_error_is_cut_between_characters(opened: Opened) -> None:
    owed = stored(opened)
    opened.store.record_failure(owed, failure(1, "é" * 2000), pause, None)
    assert row_of(opened, TransferTask, owed).last_error == "é" * 500


@pytest.mark.parametrize("queue", ["transfer", "timer"])
def test_a_redriven_task_waits_as_it_did(opened: Opened, queue: str) -> None:
    task: Transfer | Wake = stored(opened) if queue == "transfer" else set_up(opened, 7)
    model: Any = TransferTask if queue == "transfer" else TimerTask
    opened.store.record_failure(task, failure(9), never, None)
    letter = row_of(opened, DeadLetter, task)
    assert redrive(opened.alias, letter.id) is not None
    row = row_of(opened, model, task)
    assert type(task)(*(_plain(getattr(row, name)) for name in task._fields)) == task
    assert row.attempts == 0
    assert row_of(opened, DeadLetter, task) is None


def test_a_task_that_waits_again_stays_as_it_is(opened: Opened) -> None:
    due = set_up(opened, 7)
    opened.store.record_failure(due, failure(9), never, None)
    opened.write(Changes(transferred=[(run_key(), 1, 1)], wakes=[due._replace(fire_time=5)]))
    redrive(opened.alias, row_of(opened, DeadLetter, due).id)
    assert row_of(opened, TimerTask, due).fire_time == 5


def test_a_task_that_dies_again_has_one_letter(opened: Opened) -> None:
    due = set_up(opened, 7)
    opened.store.record_failure(due, failure(9), never, None)
    opened.write(Changes(transferred=[(run_key(), 1, 1)], wakes=[due]))
    opened.store.record_failure(due, failure(10, "TypeError: yes"), never, None)
    letter = DeadLetter.objects.using(opened.alias).get(run_id=due.run_id)
    assert (letter.last_failure, letter.error.partition("\n")[0]) == (10, "TypeError: yes")


@pytest.mark.parametrize("range_id", [0, 1])
def test_a_failure_under_a_lease_that_is_over_is_not_counted(opened: Opened, range_id: int) -> None:
    owed = stored(opened)
    fence = Fence(owed.shard_id, range_id)
    with pytest.raises(LeaseLost) if range_id else nullcontext():
        opened.store.record_failure(owed, failure(9), pause, fence)
    assert row_of(opened, TransferTask, owed).attempts == 1 - range_id


def test_a_letter_is_redriven_once(opened: Opened) -> None:
    owed = stored(opened)
    opened.store.record_failure(owed, failure(9), never, None)
    letter = row_of(opened, DeadLetter, owed)
    assert redrive(opened.alias, letter.id) is not None
    assert redrive(opened.alias, letter.id) is None


def _plain(value: Any) -> Any:
    return value if isinstance(value, int) else str(value)
