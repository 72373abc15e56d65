"""Proves that every open run has a reason to be awake, and mends what is damaged.

Whatever wakes a run is a row written with its state, so nothing is ever found here unless rows were lost or changed by
hand, by a restored backup, or by a mistake in the server. The tables are read a page at a time, without locks. A run
that looks damaged is looked at again under lock, and mended by a transition of its own, from nothing but its state.
"""

import asyncio
import logging
import random
from collections import Counter
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from django.db.models import Model

from orchestrator.core import state as states
from orchestrator.core.liveness import Damage, inspect
from orchestrator.core.state import ExecutionState
from orchestrator.errors import WorkflowNotFound
from orchestrator.models import DispatchTask, TimerTask, TransferTask
from orchestrator.services.loops import Loops
from orchestrator.services.untold_ends import tell, untold_ends
from orchestrator.store import inspection
from orchestrator.store.fencing import current_fence, fenced
from orchestrator.store.inspection import Inspected
from orchestrator.store.ports import Fence, LeaseLost
from orchestrator.store.transition import Unit

if TYPE_CHECKING:
    from orchestrator.services.engine import Engine

logger = logging.getLogger(__name__)

PAGE = 250
"""Runs that are read at once."""
PAUSE = 0.2
"""Seconds between two pages of a shard."""
EXAMPLES = 100
"""Damaged runs that a report names, at most."""
ORPHANS: dict[type[Model], Damage] = {
    DispatchTask: Damage.ORPHAN_TASK,
    TimerTask: Damage.ORPHAN_WAKE,
    TransferTask: Damage.ORPHAN_TRANSFER,
}
BEYOND_REPAIR = frozenset({Damage.ASLEEP, Damage.UNREADABLE})


@dataclass(slots=True)
class Report:
    """What was seen.

    Attributes:
        shards, runs: how many were looked at.
        found: how often each damage was found.
        mended: how often it was mended.
        examples: (shard, workflow id, run id, what is wrong) of some of the damaged runs.
    """

    shards: int = 0
    runs: int = 0
    found: Counter[Damage] = field(default_factory=Counter)
    mended: Counter[Damage] = field(default_factory=Counter)
    examples: list[tuple[int, str, str, list[Damage]]] = field(default_factory=list)

    def note(self, run: Inspected, found: list[Damage], mended: list[Damage]) -> None:
        """Takes in what was wrong with a run, and what no longer is."""
        workflow_id, run_id = run.workflow.workflow_id, run.key.run_id
        logger.warning("%s, run %s, is damaged: %s; mended: %s", workflow_id, run_id, found, mended)
        self.found.update(found)
        self.mended.update(mended)
        if len(self.examples) < EXAMPLES:
            self.examples.append((run.key.shard_id, workflow_id, run_id, found))

    def add(self, other: "Report") -> None:
        """Takes another one in."""
        self.shards += other.shards
        self.runs += other.runs
        self.found.update(other.found)
        self.mended.update(other.mended)
        self.examples.extend(other.examples[: EXAMPLES - len(self.examples)])


class Scavenger:
    """Looks at the runs of the shards of this process, at a slow pace; a hint may begin it before its time.

    Args:
        engine: of this process.

    Attributes:
        report: of all that was seen since the start.
    """

    def __init__(self, engine: "Engine") -> None:
        self.report = Report()
        self._engine = engine
        self._interval = engine.settings.scavenger_interval
        self._seen: dict[int, float] = {}
        self._asked: set[int] = set()
        self._worth = asyncio.Event()
        self._loops = Loops()

    def start(self) -> None:
        """Begins, unless the settings say never."""
        if self._interval:
            self._loops.go("hugo-scavenger", self._watch)

    async def stop(self) -> None:
        """Ends; what it has begun to mend is mended or left alone."""
        await self._loops.stop()

    def look(self, shards: Collection[int]) -> None:
        """Has owned shards looked at, but for those that were lately; to be called on the event loop."""
        self._asked.update(shards)
        self._worth.set()

    async def _watch(self) -> None:
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(self._interval * (0.5 + random.random())):
                    await self._worth.wait()
            self._worth.clear()
            asked, self._asked = self._asked, set()
            try:
                await self._pass(asked or self._engine.shards.owned)
            except Exception as error:
                logger.warning("looking for damage failed: %s", error)

    async def _pass(self, shards: Collection[int]) -> None:
        """Looks at those shards that were not looked at lately, spread over half of the interval."""
        engine, now = self._engine, asyncio.get_running_loop().time()
        due = [shard for shard in shards if now - self._seen.get(shard, -self._interval) > self._interval * 0.4]
        self._seen.update(dict.fromkeys(due, now))
        used = await engine.run_db(inspection.shards_in_use, engine.settings.database, due)
        if not used:
            return
        report = Report()
        for number, shard in enumerate(used):
            if number:
                await asyncio.sleep(self._interval / 2 / len(used))
            try:
                await self._look_at(shard, report)
            except LeaseLost:
                logger.info("shard %d has another owner now", shard)
        self.report.add(report)
        logger.log(
            logging.WARNING if report.found else logging.INFO,
            "%d runs of %d shards were looked at: found %s, mended %s",
            report.runs,
            report.shards,
            dict(report.found),
            dict(report.mended),
        )

    async def _look_at(self, shard: int, report: Report) -> None:
        after: str | None = ""
        report.shards += 1
        while after is not None:
            with self._engine.shards.holding(shard):
                after = await self._engine.run_db(self._page, report, shard, after, current_fence())
            await asyncio.sleep(PAUSE)

    def _page(self, report: Report, shard: int, after: str, fence: Fence | None) -> str | None:
        with fenced(fence):
            return scavenge_page(self._engine, report, shard, after)


def scavenge(engine: "Engine", shards: Iterable[int], *, repair: bool = True) -> Report:
    """Looks at all runs of some shards, at once; blocks.

    Args:
        engine: need not be started.
        shards: their ids.
        repair: whether to mend what is damaged.
    """
    report = Report()
    for shard_id in inspection.shards_in_use(engine.settings.database, shards):
        report.shards += 1
        after: str | None = ""
        while after is not None:
            after = scavenge_page(engine, report, shard_id, after, repair=repair)
    return report


def scavenge_page(engine: "Engine", report: Report, shard_id: int, after: str, *, repair: bool = True) -> str | None:
    """Looks at the runs of a shard that come after one, as many as make a page; blocks.

    Returns:
        The run after which the next page begins; None after the last page.
    """
    alias = engine.settings.database
    page = inspection.read_page(alias, shard_id, after, PAGE)
    report.runs += len(page.runs)
    known = {run.key: _state(run) for run in page.runs}
    suspects = [run for run in page.runs if _damages(known[run.key], run)]
    for run in inspection.unchanged(alias, suspects):
        try:
            found, mended = _look(engine, run, known[run.key], repair)
        except LeaseLost:
            raise
        except Exception as error:
            logger.warning("%s, run %s, could not be mended: %s", run.workflow.workflow_id, run.key.run_id, error)
            found, mended = _damages(known[run.key], run), []
        if found:
            report.note(run, found, mended)
    for end in untold_ends(engine, [(run, state) for run in page.runs if (state := known[run.key]) is not None]):
        told = repair and tell(engine, end)
        report.note(end.parent, [Damage.UNTOLD_END], [Damage.UNTOLD_END] if told else [])
    for model, id in page.orphans:
        report.found[ORPHANS[model]] += 1
        if repair and inspection.remove_orphan(alias, model, id, current_fence()):
            report.mended[ORPHANS[model]] += 1
    return page.last or None


def _state(run: Inspected) -> ExecutionState | None:
    """The state of a run; None when it cannot be read."""
    try:
        return states.decode(run.blob)
    except states.StateFormatError:
        return None


def _damages(state: ExecutionState | None, run: Inspected) -> list[Damage]:
    return [Damage.UNREADABLE] if state is None else inspect(state, run.rows)


def _look(
    engine: "Engine", suspect: Inspected, state: ExecutionState | None, repair: bool
) -> tuple[list[Damage], list[Damage]]:
    """Looks at a run again, while nobody changes it, and has it mended; returns what was wrong, and what is no more."""
    alias = engine.settings.database

    def operation(unit: Unit) -> list[Damage]:
        try:
            run = unit.run()
        except WorkflowNotFound:
            return []
        stored = inspection.read_run(alias, suspect.key)
        if stored is None or stored.version != unit.loaded(run).version:
            return []
        found = inspect(run.state, stored.rows)
        if repair and not BEYOND_REPAIR.issuperset(found):
            unit.mend(run, stored.rows)
        return found

    if state is None:
        return [Damage.UNREADABLE], []
    found: list[Damage] = engine.unit_of_work.execute_joined(
        suspect.workflow, operation, suspect.key.run_id, needs_current=False
    )
    return found, [each for each in found if repair and each not in BEYOND_REPAIR]
