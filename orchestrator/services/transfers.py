"""Pays what runs owe to other runs: one loop hears of debts after their commit, and finds forgotten ones in the rows.

The row is the truth: it goes away with the commit that pays it. So a debt may be paid twice, by two processes or after
a crash, and whoever pays must bear that. What fails is tried again, later and later; what a process forgets when it
ends is found by the next look at the table.
"""

import asyncio
import logging
import random
from collections.abc import Awaitable, Callable
from typing import Any

from orchestrator.core.transfers import TransferKind
from orchestrator.core.wire import SECOND
from orchestrator.errors import ServiceError
from orchestrator.store.ports import Store, Transfer

logger = logging.getLogger(__name__)

AT_ONCE = 256
"""Debts being paid at any moment, at most."""
REMEMBERED = 20_000
"""Debts in memory, at most; more are left to the table."""
SWEEP = 5.0
"""Seconds between two looks at the table, with jitter."""
OLD = 3 * SECOND
"""Age from which a row counts as forgotten by whoever wrote it."""
PAGE = 10_000
FIRST_PAUSE = 0.05
LONGEST_PAUSE = 30.0
"""Seconds before a failed payment is tried again; doubled each time up to the longest, with jitter."""
FAILURES_TOLD = 5
"""Failures in a row from which a debt is worth a warning."""

Payment = Callable[[Transfer], Awaitable[None]]


class Transfers:
    """The debts this process knows of.

    Attributes:
        pay: pays one debt, and ends when its row is gone; raises ServiceError to be called again.
    """

    def __init__(self, store: Store, clock: Callable[[], int]) -> None:
        self.pay: Payment = _nobody
        self._store = store
        self._clock = clock
        self._known: set[tuple[str, int, int]] = set()
        self._slots = asyncio.Semaphore(AT_ONCE)
        self._tasks: set[asyncio.Task[None]] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run_db: Callable[..., Awaitable[Any]] | None = None
        self._stopping = False

    def start(self, loop: asyncio.AbstractEventLoop, run_db: Callable[..., Awaitable[Any]]) -> None:
        """Begins to pay, with what the table holds."""
        self._loop, self._run_db = loop, run_db
        self._begin(self._sweep(), "hugo-transfers")

    async def stop(self) -> None:
        """Stops paying; the rows stay."""
        self._stopping = True
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def note(self, transfers: list[Transfer]) -> None:
        """Told, from any thread, of debts that were committed."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._accept, transfers)

    def _accept(self, transfers: list[Transfer], *, forgotten: bool = False) -> None:
        for transfer in transfers:
            # A child is released by those who began it, as soon as its parent knows of it.
            if transfer.kind == TransferKind.RELEASE_CHILD and not forgotten:
                continue
            identity = (transfer.run_id, transfer.kind, transfer.event_id)
            if self._stopping or identity in self._known or len(self._known) >= REMEMBERED:
                continue
            self._known.add(identity)
            self._begin(self._settle(transfer, identity), f"hugo-transfer-{transfer.kind}")

    def _begin(self, coroutine: Any, name: str) -> None:
        assert self._loop is not None
        task = self._loop.create_task(coroutine, name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _settle(self, transfer: Transfer, identity: tuple[str, int, int]) -> None:
        pause, failures = FIRST_PAUSE, 0
        try:
            while True:
                async with self._slots:
                    problem = await self._try(transfer)
                if not problem:
                    return
                failures += 1
                level = logging.WARNING if failures >= FAILURES_TOLD else logging.INFO
                logger.log(level, "a debt of %s, kind %d, waits: %s", transfer.workflow_id, transfer.kind, problem)
                await asyncio.sleep(pause * (0.5 + random.random()))
                pause = min(2 * pause, LONGEST_PAUSE)
        finally:
            self._known.discard(identity)

    async def _try(self, transfer: Transfer) -> str:
        """Why the debt could not be paid; empty when it is paid."""
        try:
            await self.pay(transfer)
        except ServiceError as error:
            return str(error) or type(error).__name__
        except Exception as error:
            logger.exception("paying a debt of %s failed", transfer.workflow_id)
            return type(error).__name__
        return ""

    async def _sweep(self) -> None:
        """Looks at the table: at the start for everything, then for what nobody paid in time."""
        age = -1
        while True:
            try:
                assert self._run_db is not None
                rows: list[Transfer] = await self._run_db(self._store.transfers, self._clock() - age, PAGE)
                self._accept(rows, forgotten=True)
                age = OLD
            except ServiceError as error:
                logger.warning("reading debts failed: %s", error)
            except Exception:
                logger.exception("reading debts failed")
            await asyncio.sleep(SWEEP * (0.75 + random.random() / 2))


async def _nobody(transfer: Transfer) -> None:
    raise LookupError("nobody pays debts in this process")
