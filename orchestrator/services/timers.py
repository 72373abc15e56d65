"""Wakes runs whose time has come: one loop waits for the earliest stored wake-up of the shards of this process.

The clock of the cluster is authoritative for what is due; the rows are the truth about what waits. A commit that sets
an earlier wake-up tells the loop, in this process or, when it is due before the owner of the shard looks by itself, in
that of the owner; a lost word costs at most LOOK seconds, because the loop looks again by then.
"""

import asyncio
import logging
import random
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Any

from orchestrator.core import deadlines
from orchestrator.core.enforcement import OverLimit
from orchestrator.core.wire import SECOND
from orchestrator.services.dead_letters import DeadLetters, Verdict
from orchestrator.services.loops import Loops
from orchestrator.services.shards import Shards
from orchestrator.store.ports import LeaseLost, Store, Wake, WorkflowKey
from orchestrator.store.transition import Unit
from orchestrator.store.unit_of_work import UnitOfWork

logger = logging.getLogger(__name__)

LOOK = 5.0
"""Seconds between two looks at the table when nothing is due."""
PAGE = 2000
RETRY = 0.2
"""Seconds before a wake-up that failed is tried again."""
RETRY_READING = 2.0
"""Seconds, at most, before a table that could not be read is looked at again."""


class Timers:
    """Fires the wake-ups of the shards of this process.

    Args:
        hint: has the owners of other shards look.
        dead_letters: takes what always fails.

    Attributes:
        fired: wake-ups, since the start.
    """

    def __init__(
        self,
        store: Store,
        unit_of_work: UnitOfWork,
        clock: Callable[[], int],
        shards: Shards,
        hint: Callable[[Collection[int]], None],
        dead_letters: DeadLetters,
    ) -> None:
        self.fired = 0
        self._store = store
        self._unit_of_work = unit_of_work
        self._clock = clock
        self._shards = shards
        self._hint = hint
        self._dead_letters = dead_letters
        self._next = 0
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run_db: Callable[..., Awaitable[Any]] | None = None
        self._earlier = asyncio.Event()
        self._loops = Loops()

    def start(self, loop: asyncio.AbstractEventLoop, run_db: Callable[..., Awaitable[Any]]) -> None:
        """Begins to watch the table."""
        self._loop, self._run_db = loop, run_db
        self._shards.on_change(lambda gained, lost: self.look())
        self._loops.go("hugo-timers", self._watch)

    async def stop(self) -> None:
        """Stops firing."""
        await self._loops.stop()

    def expect(self, wakes: list[Wake]) -> None:
        """Told, from any thread, of wake-ups that were committed."""
        if self._loop is None:
            return
        owned = self._shards.owned
        mine = [wake.fire_time for wake in wakes if wake.shard_id in owned]
        if mine and (not self._next or min(mine) < self._next):
            self._next = min(mine)
            self._loop.call_soon_threadsafe(self._earlier.set)
        if len(mine) < len(wakes):
            soon = self._clock() + round(LOOK * SECOND)
            others = {wake.shard_id for wake in wakes if wake.shard_id not in owned and wake.fire_time <= soon}
            if others:
                self._hint(others)

    def look(self) -> None:
        """Looks at the table now; to be called on the event loop."""
        self._earlier.set()

    async def _watch(self) -> None:
        failures = 0
        while True:
            try:
                pause = await self._fire_due()
                failures = 0
            except Exception as error:
                failures += 1
                pause = pause_after(failures) * (0.5 + random.random())
                # A database that is away says the same each time; the trace is worth reading once.
                logger.warning("reading due timers failed: %s", error, exc_info=failures == 1)
            if pause <= 0:
                continue
            with suppress(TimeoutError):
                async with asyncio.timeout(pause):
                    await self._earlier.wait()

    async def _fire_due(self) -> float:
        """Fires what is due and returns the seconds until the next look."""
        assert self._run_db is not None
        self._earlier.clear()
        self._next = 0
        if not self._shards.owned:
            return LOOK
        now = self._clock()
        wakes: list[Wake] = await self._run_db(self._store.due, now, PAGE, self._shards.portion)
        due = [wake for wake in wakes if wake.fire_time <= now]
        if due:
            shards: defaultdict[int, list[Wake]] = defaultdict(list)
            for wake in due:
                shards[wake.shard_id].append(wake)
            results = await asyncio.gather(*(self._fire(shard, mine) for shard, mine in shards.items()))
            if not all(results):
                return RETRY
            if len(due) == PAGE:
                return 0
        if len(wakes) > len(due) and (not self._next or wakes[-1].fire_time < self._next):
            self._next = wakes[-1].fire_time
        if not self._next:
            return LOOK
        return min(LOOK, max(0.0, (self._next - self._clock()) / SECOND))

    async def _fire(self, shard: int, wakes: list[Wake]) -> bool:
        """Fires what is due in a shard; returns whether nothing is left to be tried again."""
        over = True
        try:
            with self._shards.holding(shard):
                outcomes = await asyncio.gather(*(self._enqueue(wake) for wake in wakes), return_exceptions=True)
                for wake, outcome in zip(wakes, outcomes, strict=True):
                    over = await self._settle(wake, outcome) and over
                for outcome in outcomes:
                    if isinstance(outcome, LeaseLost):
                        raise outcome
        except LeaseLost:
            logger.info("wake-ups of shard %d are left to its next owner", shard)
        return over

    def _enqueue(self, wake: Wake) -> "asyncio.Future[Any]":
        key = WorkflowKey(wake.shard_id, wake.namespace_id, wake.workflow_id)
        return self._unit_of_work.enqueue(key, partial(fire, row=wake), wake.run_id)

    async def _settle(self, wake: Wake, outcome: Any) -> bool:
        """Notes what became of a wake-up; returns whether nobody here has to try it again."""
        match outcome:
            case LeaseLost():
                return True
            case OverLimit():
                logger.info("%s was terminated: %s", wake.workflow_id, outcome)
            case Exception():
                logger.warning("waking %s failed: %s", wake.workflow_id, outcome)
                return await self._dead_letters.failed(wake, outcome) is Verdict.OVER
            case _:
                self.fired += 1
        return True


def fire(unit: Unit, row: Wake) -> None:
    """Does what is due in a run, and moves its row, whatever its state holds for the time in it."""
    run = unit.run()
    unit.loaded(run).stored_wake = row.fire_time
    deadlines.fire_due(run)


def pause_after(failures: int) -> float:
    """Seconds until the table is read again, after so many readings that failed one after the other."""
    return min(RETRY * 2.0 ** min(failures - 1, 10), RETRY_READING)
