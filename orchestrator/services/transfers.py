"""Pays what runs owe to other runs: one loop hears of debts after their commit, and finds forgotten ones in the rows.

A debt is paid by the process that owns its shard. The row is the truth: it goes away with the commit that pays it. So a
debt may be paid twice, after a crash, and whoever pays must bear that. What fails is tried again, later and later, as
`dead_letters` says; what a process forgets when it ends is found by the next look at the table.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable, Collection
from typing import Any

from hugo.go import WaitGroup
from orchestrator.core.transfers import TransferKind
from orchestrator.core.wire import SECOND
from orchestrator.errors import ServiceError
from orchestrator.services.dead_letters import DeadLetters, Verdict, pause_after
from orchestrator.services.loops import Loops
from orchestrator.services.shards import Shards
from orchestrator.store.ports import LeaseLost, Store, Transfer

logger = logging.getLogger(__name__)

AT_ONCE = 256
"""Debts being paid at any moment, at most."""
REMEMBERED = 20_000
"""Debts in memory, at most; more are left to the table."""
SWEEP = 8.0
"""Seconds between two looks at the table that nobody asked for, with jitter."""
OLD = 3 * SECOND
"""Age from which a row counts as forgotten by whoever wrote it."""
EVERYTHING = 2**62
"""A time before which all debts were born, whatever the clock of whoever wrote them."""
PAGE = 10_000
FAILURES_TOLD = 5
"""Failures in a row from which a debt is worth a warning."""

Payment = Callable[[Transfer], Awaitable[None]]


class Transfers:
    """The debts this process knows of.

    Args:
        hint: has the owners of other shards look.
        dead_letters: takes what always fails.

    Attributes:
        pay: pays one debt, and ends when its row is gone; called again when it raises, but not for ever.
        paid: debts, since the start.
    """

    def __init__(
        self,
        store: Store,
        clock: Callable[[], int],
        shards: Shards,
        hint: Callable[[Collection[int]], None],
        dead_letters: DeadLetters,
    ) -> None:
        self.pay: Payment = _nobody
        self.paid = 0
        self._store = store
        self._clock = clock
        self._shards = shards
        self._hint = hint
        self._dead_letters = dead_letters
        self._asked: set[int] = set()
        self._gained: set[int] = set()
        self._worth = asyncio.Event()
        self._known: set[tuple[str, int, int]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._loops = Loops()
        self._settling = WaitGroup()
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run_db: Callable[..., Awaitable[Any]] | None = None
        self._stopping = False

    def start(self, loop: asyncio.AbstractEventLoop, run_db: Callable[..., Awaitable[Any]]) -> None:
        """Begins to pay, with what the table holds."""
        self._loop, self._run_db = loop, run_db
        self._gained.update(self._shards.owned)
        self._shards.on_change(self._changed)
        self._loops.go("hugo-transfers", self._watch)

    async def stop(self) -> None:
        """Stops paying; the rows stay."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await self._settling.wait()
        await self._loops.stop()

    def note(self, transfers: list[Transfer]) -> None:
        """Told, from any thread, of debts that were committed."""
        if self._loop is None:
            return
        owned = self._shards.owned
        mine = [transfer for transfer in transfers if transfer.shard_id in owned]
        if mine:
            self._loop.call_soon_threadsafe(self._accept, mine)
        if len(mine) < len(transfers):
            others = [transfer for transfer in transfers if transfer.shard_id not in owned]
            if shards := {each.shard_id for each in others if each.kind != TransferKind.RELEASE_CHILD}:
                self._hint(shards)

    def look(self, shards: Collection[int]) -> None:
        """Looks at the debts of owned shards now; to be called on the event loop."""
        self._asked.update(shards)
        self._worth.set()

    def _changed(self, gained: frozenset[int], lost: frozenset[int]) -> None:
        self._gained = (self._gained | gained) - lost
        self._worth.set()

    def _accept(self, transfers: list[Transfer], *, forgotten: bool = False) -> None:
        for transfer in transfers:
            # A child is released by those who began it, as soon as its parent knows of it.
            if transfer.kind == TransferKind.RELEASE_CHILD and not forgotten:
                continue
            identity = (transfer.run_id, transfer.kind, transfer.event_id)
            if self._stopping or identity in self._known or len(self._known) >= REMEMBERED:
                continue
            self._known.add(identity)
            name = f"hugo-transfer-{transfer.kind}"
            self._tasks.add(task := self._settling.go(self._settle, transfer, identity, name=name))
            task.add_done_callback(self._tasks.discard)

    async def _settle(self, transfer: Transfer, identity: tuple[str, int, int]) -> None:
        failures = 0
        try:
            while not await self._try(transfer, failures):
                failures += 1
                await asyncio.sleep(pause_after(failures) / SECOND * (0.5 + random.random()))
        except LeaseLost:
            logger.info("a debt of %s is left to the next owner of its shard", transfer.workflow_id)
        finally:
            self._known.discard(identity)

    async def _try(self, transfer: Transfer, failures: int) -> bool:
        """Pays a debt that could not be paid so many times; returns whether that is over, well or badly."""
        async with self._slots:
            with self._shards.holding(transfer.shard_id):
                try:
                    await self.pay(transfer)
                except LeaseLost:
                    raise
                except Exception as error:
                    level = logging.WARNING if failures + 1 >= FAILURES_TOLD else logging.INFO
                    logger.log(level, "a debt of %s, kind %d, waits: %r", transfer.workflow_id, transfer.kind, error)
                    return await self._dead_letters.failed(transfer, error) is Verdict.OVER
        self.paid += 1
        return True

    async def _watch(self) -> None:
        """Looks at the table: for all there is in shards that are new here, for what others say is there, and from time
        to time for what nobody paid.
        """
        assert self._loop is not None
        sweep, due = self._loop.time() + _jitter(), False
        while True:
            self._worth.clear()
            try:
                gained, self._gained = self._gained, set()
                await self._read(gained, EVERYTHING, forgotten=True)
                asked, self._asked = self._asked, set()
                await self._read(asked, EVERYTHING, forgotten=False)
                if due:
                    sweep = self._loop.time() + _jitter()
                    await self._read(self._shards.owned, self._clock() - OLD, forgotten=True)
            except ServiceError as error:
                logger.warning("reading debts failed: %s", error)
            try:
                async with asyncio.timeout_at(sweep):
                    await self._worth.wait()
                due = self._loop.time() >= sweep
            except TimeoutError:
                due = True

    async def _read(self, shards: Collection[int], before: int, *, forgotten: bool) -> None:
        """Reads the debts of owned shards that were born before a time, nanoseconds since the epoch."""
        owned = self._shards.owned
        among = sorted(shard for shard in shards if shard in owned)
        if among:
            portion = self._shards.portion if len(among) == len(owned) else among
            assert self._run_db is not None
            rows: list[Transfer] = await self._run_db(self._store.transfers, before, PAGE, portion)
            self._accept(rows, forgotten=forgotten)


def _jitter() -> float:
    return SWEEP * (0.75 + random.random() / 2)


async def _nobody(transfer: Transfer) -> None:
    raise LookupError("nobody pays debts in this process")
