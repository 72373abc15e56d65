"""What becomes of work of a shard that fails: tried again later and later, and given up when it always fails.

An error that will pass says so by its class, and never counts: the database is away, a lease was lost, a run is busy.
Everything else may be for ever: a damaged row, or code that cannot bear what it finds. Such a task must not keep a
processor busy, and must not be lost: it becomes a dead letter, which an operator looks at and puts back.
"""

import logging
import traceback
from collections.abc import Awaitable, Callable
from enum import Enum
from typing import Any

from orchestrator.core.wire import SECOND
from orchestrator.errors import Aborted, DeadlineExceeded, Internal, ResourceExhausted, Unavailable
from orchestrator.store.fencing import current_fence
from orchestrator.store.ports import Failure, LeaseLost, Store, Transfer, Wake

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.05
LONGEST_PAUSE = 30.0
"""Seconds before a task that failed is tried again; doubled each time up to the longest."""
DETAIL = 8000
"""Characters of an error's trace that are kept, at most."""
PASSING = (Unavailable, ResourceExhausted, Aborted, DeadlineExceeded, LeaseLost)


class Verdict(Enum):
    """What becomes of a task that failed.

    Attributes:
        PASSING: it is tried again as if it had not failed; nothing is stored.
        COUNTED: it is tried again after a pause.
        OVER: nobody has to try it again: it is a dead letter now, or somebody else was faster.
    """

    PASSING = 1
    COUNTED = 2
    OVER = 3


class DeadLetters:
    """Counts the failures of this process's tasks.

    Args:
        store: the database.
        clock: nanoseconds since the epoch.
        limit: attempts after which a task is given up.
    """

    def __init__(self, store: Store, clock: Callable[[], int], limit: int) -> None:
        self._store = store
        self._clock = clock
        self._limit = limit
        self._run_db: Callable[..., Awaitable[Any]] | None = None

    def start(self, run_db: Callable[..., Awaitable[Any]]) -> None:
        """Names who runs what uses the database."""
        self._run_db = run_db

    async def failed(self, task: Transfer | Wake, error: Exception) -> Verdict:
        """Notes that an attempt failed, unless that will pass, and says what becomes of the task."""
        if isinstance(error, PASSING):
            return Verdict.PASSING
        assert self._run_db is not None
        failure = describe(error, self._clock())
        try:
            over = await self._run_db(self._store.record_failure, task, failure, self._pause, current_fence())
        except Exception as unnoted:
            logger.warning("a failure of %s could not be noted: %s", task.workflow_id, unnoted)
            return Verdict.PASSING
        if over:
            logger.error("a %s of %s was given up: %s", type(task).__name__, task.workflow_id, failure.summary)
        return Verdict.OVER if over else Verdict.COUNTED

    def _pause(self, attempts: int) -> int | None:
        return pause_after(attempts) if attempts < self._limit else None


def pause_after(attempts: int) -> int:
    """Nanoseconds between the failure of an attempt, given by its number, and the next one."""
    return int(min(FIRST_PAUSE * 2 ** min(attempts - 1, 30), LONGEST_PAUSE) * SECOND)


def describe(error: BaseException, now: int) -> Failure:
    """An error in words: what a caller of ours is told of something unexpected is left out, what caused it is told."""
    if isinstance(error, Internal) and error.__cause__ is not None:
        error = error.__cause__
    summary = f"{type(error).__name__}: {error}"
    trace = "".join(traceback.format_exception(error))
    return Failure(summary, f"{summary}\n\n{trace[-DETAIL:]}", now)
