"""Wakes runs whose time has come: one loop waits for the earliest stored wake-up.

The clock of this process is authoritative for what is due; the rows are the truth about what waits. A commit that sets
an earlier wake-up tells the loop; a lost word costs at most IDLE seconds, because the loop looks again by then.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any

from orchestrator.core import deadlines
from orchestrator.core.enforcement import OverLimit
from orchestrator.core.wire import SECOND
from orchestrator.errors import ServiceError
from orchestrator.store.ports import Store, Wake, WorkflowKey
from orchestrator.store.transition import Unit
from orchestrator.store.unit_of_work import UnitOfWork

logger = logging.getLogger(__name__)

IDLE = 10.0
"""Seconds between two looks at the table when nothing is due."""
PAGE = 2000
RETRY = 0.2
"""Seconds before a wake-up that failed is tried again."""
RETRY_READING = 2.0
"""Seconds, at most, before a table that could not be read is looked at again."""


class Timers:
    """Fires the wake-ups of all shards of this process."""

    def __init__(self, store: Store, unit_of_work: UnitOfWork, clock: Callable[[], int]) -> None:
        self._store = store
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._next = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run_db: Callable[..., Awaitable[Any]] | None = None
        self._earlier = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self, loop: asyncio.AbstractEventLoop, run_db: Callable[..., Awaitable[Any]]) -> None:
        """Begins to watch the table."""
        self._loop, self._run_db = loop, run_db
        self._task = loop.create_task(self._watch(), name="hugo-timers")

    async def stop(self) -> None:
        """Stops firing."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def expect(self, fire_time: int) -> None:
        """Told, from any thread, that a wake-up was committed."""
        if (not self._next or fire_time < self._next) and self._loop is not None:
            self._next = fire_time
            self._loop.call_soon_threadsafe(self._earlier.set)

    async def _watch(self) -> None:
        failures = 0
        while True:
            try:
                pause = await self._fire_due()
                failures = 0
            except asyncio.CancelledError:
                raise
            except Exception as error:
                pause = min(RETRY * 2**failures, RETRY_READING)
                failures += 1
                # A database that is away says the same each time; the trace is worth reading once.
                logger.warning("reading due timers failed: %s", error, exc_info=failures == 1)
            if pause <= 0:
                continue
            try:
                await asyncio.wait_for(self._earlier.wait(), pause)
            except TimeoutError:
                continue

    async def _fire_due(self) -> float:
        """Fires what is due and returns the seconds until the next look."""
        assert self._run_db is not None
        self._earlier.clear()
        self._next = 0
        due: list[Wake] = await self._run_db(self._store.due, self._clock(), PAGE)
        if due:
            results = await asyncio.gather(*(self._fire(wake) for wake in due))
            if not all(results):
                return RETRY
            if len(due) == PAGE:
                return 0
        upcoming = await self._run_db(self._store.next_wake)
        if upcoming and (not self._next or upcoming < self._next):
            self._next = upcoming
        if not self._next:
            return IDLE
        return min(IDLE, max(0.0, (self._next - self._clock()) / SECOND))

    async def _fire(self, wake: Wake) -> bool:
        key = WorkflowKey(wake.shard_id, wake.namespace_id, wake.workflow_id)
        try:
            await self._unit_of_work.execute(key, fire, wake.run_id)
        except OverLimit as error:
            logger.info("%s was terminated: %s", wake.workflow_id, error)
        except ServiceError as error:
            logger.warning("waking %s failed: %s", wake.workflow_id, error)
            return False
        return True


def fire(unit: Unit) -> None:
    """Does what is due in a run."""
    deadlines.fire_due(unit.run())
