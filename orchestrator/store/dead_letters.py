"""Tasks of a shard that fail: counted in their rows, put aside when they always fail, and put back.

Each step is one transaction: a task is never in both places, nor in none.
"""

from collections.abc import Callable
from typing import Any

from django.db import connections, transaction
from django.db.models import Model

from orchestrator.models import DeadLetter, TimerTask, TransferTask
from orchestrator.store.fencing_sql import hold
from orchestrator.store.ports import Failure, Fence, Transfer, Wake

LAST_ERROR_BYTES = 1000
IDENTITY = ("shard_id", "namespace_id", "workflow_id", "run_id", "kind", "event_id")
"""What a dead letter says of its task in columns; the rest of the row is its payload."""


def record_failure(
    alias: str, task: Transfer | Wake, failure: Failure, pause: Callable[[int], int | None], fence: Fence | None
) -> bool:
    """See Store."""
    with transaction.atomic(using=alias):
        if fence is not None:
            hold(connections[alias], [fence])
        row: Any = _rows(alias, task).select_for_update().first()
        if row is None:
            return True
        row.attempts += 1
        row.failing_since = row.failing_since or failure.time
        row.last_error = failure.summary.encode()[:LAST_ERROR_BYTES].decode(errors="ignore")
        wait = pause(row.attempts)
        if wait is None:
            _put_aside(alias, task, row, failure)
            row.delete(using=alias)
            return True
        if isinstance(task, Wake):
            row.fire_time = failure.time + wait
        row.save(using=alias)
        return False


def redrive(alias: str, letter_id: int) -> DeadLetter | None:
    """Puts the task of a dead letter back; one that is waiting again stays as it is.

    Returns:
        The letter, which is gone; None when it was gone before.
    """
    with transaction.atomic(using=alias):
        letter = DeadLetter.objects.using(alias).select_for_update().filter(id=letter_id).first()
        if letter is None:
            return None
        model: type[Model] = TimerTask if letter.queue == DeadLetter.Queue.TIMER else TransferTask
        identity = {name: getattr(letter, name) for name in IDENTITY if _has(model, name)}
        model._default_manager.using(alias).bulk_create([model(**identity, **letter.payload)], ignore_conflicts=True)
        DeadLetter.objects.using(alias).filter(id=letter_id).delete()
        return letter


def _rows(alias: str, task: Transfer | Wake) -> Any:
    """The row of a task, if it is still as it was read."""
    model = TimerTask if isinstance(task, Wake) else TransferTask
    return model._default_manager.using(alias).filter(**task._asdict())


def _put_aside(alias: str, task: Transfer | Wake, row: Any, failure: Failure) -> None:
    columns = task._asdict()
    identity = {name: columns.pop(name) for name in IDENTITY if name in columns}
    about = {"payload": columns, "error": failure.detail, "last_failure": failure.time}
    queue = DeadLetter.Queue.TIMER if isinstance(task, Wake) else DeadLetter.Queue.TRANSFER
    DeadLetter.objects.using(alias).update_or_create(
        **identity,
        queue=queue,
        defaults={**about, "attempts": row.attempts, "first_failure": row.failing_since},
    )


def _has(model: type[Model], column: str) -> bool:
    return any(field.name == column for field in model._meta.local_fields)
