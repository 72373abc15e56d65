"""Which processes wait for which runs, so that who changes a run tells those, and nobody else.

A process tells the others once what it waits for, all that came up in one turn of its event loop together, and again
while it goes on waiting; what it does not renew is forgotten. A run that changed just before the others heard of the
interest is told at once. All of it are hints: one statement every few seconds looks at the versions of all runs that
are waited for, more often while processes cannot hear each other, and not at all when nobody waits.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Collection, Iterable
from enum import IntEnum
from typing import Any, NamedTuple

from orchestrator.services.loops import Loops
from orchestrator.services.peers import Message, Peers
from orchestrator.services.run_waiters import GONE, RunWaiter, RunWaiters
from orchestrator.store.loaded import Loaded
from orchestrator.store.ports import RunKey, Store

logger = logging.getLogger(__name__)

LIFETIME = 30.0
"""Seconds an interest lasts that is not renewed."""
RENEWAL = 10.0
"""Seconds after which it is renewed."""
RECENT = 1.0
"""Seconds a change is remembered, at least, for those who come too late to be told."""
DEAF_INTERVAL = 1.0
"""Seconds between two looks at the rows while processes cannot hear each other."""


class Interest(Message, frozen=True):
    """Runs a process waits for.

    Attributes:
        changes: ids of runs whose every change it wants to hear of.
        closes: ids of runs whose close alone matters.
        introduces: whether it has just come, and wants to know what the others wait for.
        updates: ids of runs of whose changes only those matter that concern updates.
    """

    changes: list[str]
    closes: list[str]
    introduces: bool = False
    updates: list[str] = []


class RunsChanged(Message, frozen=True):
    """Runs that were changed, by their ids, and the versions they have now."""

    versions: dict[str, int]


class Change(NamedTuple):
    """A run as a commit left it."""

    run_id: str
    version: int
    running: bool


class Level(IntEnum):
    """Which changes of a run matter; each level includes the ones before it."""

    CLOSE = 0
    UPDATES = 1
    CHANGES = 2


class Wish(NamedTuple):
    """What another process wants to hear of a run, until when."""

    level: Level
    until: float


class RunInterest:
    """What this process waits for towards the others, and theirs towards it.

    Args:
        waiters: the callers of this process.
        peers: the other processes.
        store: the database.
        interval: seconds between two looks at the rows.
    """

    def __init__(self, waiters: RunWaiters, peers: Peers, store: Store, interval: float) -> None:
        self._waiters = waiters
        self._peers = peers
        self._store = store
        self._interval = interval
        self._lock = threading.Lock()
        self._announced: dict[tuple[str, Level], float] = {}
        self._pending: list[RunWaiter] = []
        self._wishes: dict[str, dict[str, Wish]] = {}
        self._recent: dict[str, Change] = {}
        self._before: dict[str, Change] = {}
        self._recent_since = 0.0
        self._heard = False
        self._loop: asyncio.AbstractEventLoop | None = None
        self._run_db: Callable[..., Awaitable[Any]] | None = None
        self._loops = Loops()
        waiters.announce = self.announce
        peers.on(Interest, self._interested)
        peers.on(RunsChanged, lambda _, message: waiters.tell(message.versions))

    def start(self, loop: asyncio.AbstractEventLoop, run_db: Callable[..., Awaitable[Any]]) -> None:
        """Begins to look at the rows."""
        self._loop, self._run_db = loop, run_db
        self._introduce()
        self._loops.go("hugo-run-interest", self._look)

    async def stop(self) -> None:
        """Stops."""
        await self._loops.stop()

    def announce(self, waiter: RunWaiter) -> None:
        """Tells the others that a caller waits, unless they know."""
        if not self._peers.connected or self._loop is None:
            return
        run_id, level, now = waiter.run.run_id, _level(waiter), self._loop.time()
        with self._lock:
            known = max(self._announced.get((run_id, each), -RENEWAL) for each in Level if each >= level)
            if known > now - RENEWAL:
                return
            self._announced[run_id, level] = now
            self._pending.append(waiter)
            first = len(self._pending) == 1
        if first:
            self._loop.call_soon_threadsafe(self._flush)

    def changed(self, runs: Collection[Loaded]) -> None:
        """Tells those who wait for runs that this process has committed; callable from any thread."""
        if self._peers.connected and self._loop is not None:
            self._tell([Change(run.key.run_id, run.version, run.state.running) for run in runs])

    def in_updates_of(self, run_id: str) -> list[str]:
        """The members that want to hear what becomes of updates of a run; callable from any thread."""
        if not self._wishes:
            return []
        with self._lock:
            wishes = self._wishes.get(run_id, {})
            return [member for member, wish in wishes.items() if wish.level >= Level.UPDATES]

    def deleted(self, run_id: str) -> None:
        """Tells everybody who waits for a run that it is gone."""
        self._waiters.tell({run_id: GONE})
        if self._peers.connected and self._loop is not None:
            self._tell([Change(run_id, GONE, running=False)])

    def _tell(self, changes: Iterable[Change]) -> None:
        assert self._loop is not None
        now = self._loop.time()
        told: dict[str, dict[str, int]] = {}
        with self._lock:
            if now - self._recent_since > RECENT:
                self._before, self._recent, self._recent_since = self._recent, {}, now
            for change in changes:
                self._recent[change.run_id] = change
                for member, wish in self._wishes.get(change.run_id, {}).items():
                    if wish.level == Level.CHANGES or not change.running:
                        told.setdefault(member, {})[change.run_id] = change.version
        for member, versions in told.items():
            self._peers.tell(member, RunsChanged(versions))

    def _interested(self, member: str, message: Interest) -> None:
        """Another process waits."""
        assert self._loop is not None
        until = self._loop.time() + LIFETIME
        versions: dict[str, int] = {}
        with self._lock:
            wanted = {Level.CLOSE: message.closes, Level.UPDATES: message.updates, Level.CHANGES: message.changes}
            for level, run_ids in wanted.items():
                for run_id in run_ids:
                    wishes = self._wishes.setdefault(run_id, {})
                    known = wishes.get(member)
                    wishes[member] = Wish(level if known is None else max(level, known.level), until)
                    change = self._recent.get(run_id) or self._before.get(run_id)
                    if change is not None and (level > Level.CLOSE or not change.running):
                        versions[run_id] = change.version
        if versions:
            self._peers.tell(member, RunsChanged(versions))
        if message.introduces:
            self._peers.tell(member, _interest(self._waiters.waiting()))

    def _introduce(self) -> None:
        """Tells all there is to those who may not have heard it, and asks for theirs."""
        self._heard = self._peers.connected
        if self._heard:
            self._peers.tell_all(_interest(self._waiters.waiting(), introduces=True))

    def _flush(self) -> None:
        with self._lock:
            pending, self._pending = self._pending, []
        self._peers.tell_all(_interest(pending))

    async def _look(self) -> None:
        while True:
            connected = self._peers.connected
            await asyncio.sleep(self._interval if connected else min(self._interval, DEAF_INTERVAL))
            try:
                if self._heard != self._peers.connected:
                    self._introduce()
                self._forget()
                waiting = self._waiters.waiting()
                if waiting:
                    await self._look_at(waiting)
            except Exception:
                logger.exception("looking at the runs that callers wait for failed")

    async def _look_at(self, waiting: list[RunWaiter]) -> None:
        """Wakes those whose run is not as they saw it last, and renews the interest in the others."""
        assert self._run_db is not None
        for waiter in waiting:
            self.announce(waiter)
        runs: set[RunKey] = {waiter.run for waiter in waiting}
        versions: dict[RunKey, int] = await self._run_db(self._store.versions, sorted(runs))
        self._waiters.tell({run.run_id: versions.get(run, GONE) for run in runs})

    def _forget(self) -> None:
        """Drops what was not renewed."""
        assert self._loop is not None
        now = self._loop.time()
        with self._lock:
            self._announced = {key: at for key, at in self._announced.items() if at > now - LIFETIME}
            for run_id, wishes in list(self._wishes.items()):
                lasting = {member: wish for member, wish in wishes.items() if wish.until > now}
                if lasting:
                    self._wishes[run_id] = lasting
                else:
                    del self._wishes[run_id]


def _interest(waiters: Collection[RunWaiter], *, introduces: bool = False) -> Interest:
    levels: dict[str, Level] = {}
    for waiter in waiters:
        run_id = waiter.run.run_id
        levels[run_id] = max(_level(waiter), levels.get(run_id, Level.CLOSE))

    def of(level: Level) -> list[str]:
        return [run_id for run_id, each in levels.items() if each == level]

    return Interest(of(Level.CHANGES), of(Level.CLOSE), introduces, of(Level.UPDATES))


def _level(waiter: RunWaiter) -> Level:
    if waiter.closing:
        return Level.CLOSE
    return Level.UPDATES if waiter.elsewhere else Level.CHANGES
