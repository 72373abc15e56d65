"""A committing thread: it takes what has queued, commits it together, and answers for what became of it.

What can go wrong, and what is done:

- An operation is refused: it leaves no trace and fails alone.
- It works under a lease that is over: it is told so with LeaseLost, and the others of its batch are tried again.
- Somebody else was faster, or holds a row for too long: nothing was written. The workflows of the batch are tried
  apart, from the database instead of the cache. The one it is about waits for a moment while others go on.
- The database does not answer, or answers that it cannot now: the same again, after a while in parts, until patience
  ends with UNAVAILABLE.
- The answer to a commit is lost: the database is asked whether it took place. Repeating without knowing could apply it
  twice, so where nobody can tell the callers are told just that, as UNAVAILABLE.

A failed attempt takes back all it did in memory: its states leave the cache, its polls wait again.
"""

import asyncio
import logging
import random
import threading
import time
from collections import deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orchestrator.errors import Internal, ServiceError, Unavailable
from orchestrator.store.cache import Cache
from orchestrator.store.gathering import gather, verify
from orchestrator.store.ports import (
    Changes,
    Fence,
    LeaseLost,
    Store,
    VersionConflict,
    WorkflowKey,
)
from orchestrator.store.transition import Batch, Operation

if TYPE_CHECKING:
    from orchestrator.store.unit_of_work import UnitOfWork

logger = logging.getLogger(__name__)

FIRST_PAUSE = 0.02
LONGEST_PAUSE = 1.0
"""Seconds before a failed commit is repeated; doubled each time up to the longest, with jitter."""
PATIENCE = 10.0
"""Seconds after which operations that cannot be committed are answered UNAVAILABLE."""


WHOLE = 5
"""How often a batch is tried before its workflows are tried apart."""
CAUTION = 100
"""For how many batches a lane looks first, after it took a workflow id for new that was not."""
SUSPICION = 3
"""The same, after it took a run as it remembered it when another process had changed it. To look costs every batch a
statement, not to look costs a batch once more."""


LONGEST_REST = 0.008
"""Seconds in which requests come together after a batch, at most: see `Lane._await_more`."""


class UnknownOutcome(Exception):
    """A commit raised, and the database does not say whether it took place; repeating could apply it twice."""


@dataclass(slots=True)
class Request:
    """An operation on its way through a lane.

    Attributes:
        needs_current: whether it looks at the current run.
        expects_new: whether its workflow id has most likely no run yet.
        fresh: whether another process has most likely changed the run since it was cached.
        with_history: whether the end of the run's history is wanted, too, when the run is read.
        fence: the lease under which it is made; None for what needs none.
    """

    key: WorkflowKey
    operation: Operation
    run_id: str
    needs_current: bool
    expects_new: bool = False
    fresh: bool = False
    with_history: bool = False
    fence: Fence | None = None
    future: "asyncio.Future[Any] | None" = None
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class Group:
    """Requests that are committed together.

    Attributes:
        deadline: when their patience ends, in seconds of the monotonic clock.
        due: when it is tried again after a conflict.
        pause: until it is tried again after the next one.
        guessed: whether the last attempt took a workflow id for new without looking.
        looked: whether the last attempt read the versions of all runs before.
    """

    requests: list[Request]
    deadline: float
    due: float = 0.0
    pause: float = field(default_factory=lambda: FIRST_PAUSE)
    guessed: bool = False
    looked: bool = False


def apply_all(batch: Batch, requests: list[Request], owner: "UnitOfWork") -> None:
    """Applies requests in order; each gets its result or its error. An error of the database is that of the batch."""
    for request in requests:
        try:
            request.result = batch.apply(request.key, request.run_id, request.operation, owner.now())
            request.error = None
        except ServiceError as error:
            request.error = error
        except owner.store.retryable:
            raise
        except Exception as error:
            logger.exception("an operation on %s failed", request.key.workflow_id)
            request.error = _internal(error)


def undo(batch: Batch) -> None:
    """Calls back those whose operations came to nothing."""
    for callback in batch.undone:
        try:
            callback()
        except Exception:
            logger.exception("undoing an operation failed")


class Lane(threading.Thread):
    """One committing thread."""

    def __init__(self, name: str, owner: "UnitOfWork", cache: Cache) -> None:
        super().__init__(name=name, daemon=True)
        self.cache = cache
        self._owner = owner
        self._queue: deque[Request] = deque()
        self._held: dict[WorkflowKey, Group] = {}
        self._ready = threading.Condition()
        self._stopping = False
        self._enough = 1
        self._caution = 0
        self._suspicion = 0

    def put(self, request: Request) -> None:
        """Queues a request; raises Unavailable once the lane is stopping."""
        with self._ready:
            if self._stopping:
                raise Unavailable("the server is shutting down")
            self._queue.append(request)
            if len(self._queue) == self._enough:
                self._ready.notify()

    def stop(self) -> None:
        """Lets the thread end once its queue is empty."""
        with self._ready:
            self._stopping = True
            self._ready.notify()

    def run(self) -> None:
        """Commits batch after batch until stopped."""
        try:
            while (groups := self._next()) is not None:
                begun = time.monotonic()
                try:
                    self._commit(list(groups))
                except Exception as error:
                    logger.exception("%d batches were given up", len(groups))
                    for group in groups:
                        self._refuse(group, _internal(error))
                self._await_more(sum(len(group.requests) for group in groups), time.monotonic() - begun)
        finally:
            self._owner.store.close()

    def _next(self) -> list[Group] | None:
        """What has queued, as one group, and the groups whose pause is over; None at the end."""
        with self._ready:
            while not self._queue:
                if self._held:
                    pause = min(group.due for group in self._held.values()) - time.monotonic()
                    if pause <= 0:
                        break
                    self._ready.wait(pause)
                elif self._stopping:
                    return None
                else:
                    self._ready.wait()
            requests = [self._queue.popleft() for _ in range(min(len(self._queue), self._owner.batch_limit))]
        now = time.monotonic()
        fresh = Group([], now + PATIENCE)
        for request in requests:
            self._held.get(request.key, fresh).requests.append(request)
        groups = [group for group in self._held.values() if group.due <= now]
        self._held = {key: group for key, group in self._held.items() if group.due > now}
        return [*groups, fresh] if fresh.requests else groups

    def _await_more(self, answered: int, seconds: float) -> None:
        """Lets requests come together after a batch of several; a call that comes alone never waits.

        The answers bring the next requests, and what is committed together costs less; without a rest the first of them
        would go alone. It ends when twice as many have come as were answered, and lasts no longer than the batch took.
        """
        if answered > 1:
            with self._ready:
                self._enough = 2 * answered
                self._ready.wait_for(self._has_more, min(seconds, LONGEST_REST))
                self._enough = 1

    def _has_more(self) -> bool:
        return self._stopping or len(self._queue) >= self._enough

    def _commit(self, groups: list[Group]) -> None:
        """Commits groups, again and again while the database is away, until their patience ends."""
        pause = FIRST_PAUSE
        rounds = 0
        while groups := self._round(groups):
            rounds += 1
            now = time.monotonic()
            for group in groups:
                if now > group.deadline:
                    self._refuse(group, _late())
            groups = [group for group in groups if now <= group.deadline]
            if rounds == WHOLE:
                # Perhaps the database is well, and one of the requests is what it cannot bear.
                groups = [part for group in groups for part in by_workflow(group)]
            if groups:
                self._owner.counters.retried += 1
                time.sleep(pause * (0.5 + random.random()))
                pause = min(2 * pause, LONGEST_PAUSE)

    def _round(self, groups: list[Group]) -> list[Group]:
        """Tries each group once; returns those for which the database did not answer."""
        store = self._owner.store
        conflicts: tuple[type[Exception], ...] = (*store.conflicts, VersionConflict)
        again: list[Group] = []
        waiting = deque(groups)
        while waiting:
            group = waiting.popleft()
            if again and time.monotonic() > group.deadline:
                again.append(group)
                continue
            try:
                self._try(group)
            except UnknownOutcome:
                logger.error("a commit of %d operations has an unknown outcome", len(group.requests))
                self._refuse(group, Unavailable("the outcome of the call is unknown, the database does not answer"))
            except LeaseLost as error:
                waiting.extendleft(self._without(group, error))
            except conflicts as error:
                logger.info("a commit of %d operations met a conflict: %s", len(group.requests), error)
                parts = by_workflow(group)
                if isinstance(error, VersionConflict) and not group.looked:
                    self._suspicion = SUSPICION
                    waiting.appendleft(group)
                elif group.guessed:
                    self._caution = CAUTION
                    waiting.appendleft(group)
                elif len(parts) > 1:
                    waiting.extendleft(reversed(parts))
                else:
                    self._hold(group)
            except store.retryable as error:
                logger.warning("a commit of %d operations failed and is repeated: %s", len(group.requests), error)
                again.append(group)
            except Exception as error:
                logger.exception("a commit of %d operations failed", len(group.requests))
                if len(group.requests) > 1:
                    waiting.extendleft(Group([request], group.deadline) for request in reversed(group.requests))
                else:
                    self._refuse(group, _internal(error))
            else:
                self._owner.deliver(group.requests)
        return again

    def _hold(self, group: Group) -> None:
        """Puts a workflow aside for a moment, while others go on; what arrives for it waits behind."""
        now = time.monotonic()
        if now > group.deadline:
            self._refuse(group, _late())
            return
        self._owner.counters.retried += 1
        group.due = now + group.pause * (0.5 + random.random())
        group.pause = min(2 * group.pause, LONGEST_PAUSE)
        earlier = self._held.setdefault(group.requests[0].key, group)
        if earlier is not group:
            earlier.requests.extend(group.requests)

    def _without(self, group: Group, error: LeaseLost) -> list[Group]:
        """Refuses what a group wanted to do under leases that are over; returns the rest of it, if there is any."""
        logger.info("a commit of %d operations met the end of leases: %s", len(group.requests), error)
        lost = [request for request in group.requests if request.fence in error.fences]
        kept = [request for request in group.requests if request.fence not in error.fences]
        self._refuse(Group(lost, group.deadline), error)
        return [Group(kept, group.deadline)] if kept else []

    def _refuse(self, group: Group, error: ServiceError | LeaseLost) -> None:
        for request in group.requests:
            request.error = error
        self._owner.deliver(group.requests)

    def _try(self, group: Group) -> None:
        """One transaction. Raises what the database raises, after undoing all that is in memory."""
        owner, requests = self._owner, group.requests
        guess, group.looked = not self._caution, self._suspicion > 0
        self._caution = max(0, self._caution - 1)
        self._suspicion = max(0, self._suspicion - 1)
        group.guessed = False
        batch: Batch | None = None
        changes = Changes()
        committing = False
        try:
            with owner.store.transaction() as session:
                batch = gather(owner, session, requests, owner.dispatcher, self.cache, guess=guess, look=group.looked)
                group.guessed = bool(batch.guessed)
                if batch.overtaken:
                    self._suspicion = SUSPICION
                apply_all(batch, requests, owner)
                verify(batch)
                changes = batch.seal()
                if changes:
                    changes.fences.update(each.fence for each in requests if each.fence is not None)
                    committing = True
                    session.write(changes)
        except BaseException as error:
            applied = settle(owner, error, changes, group.deadline) if committing else False
            if applied is not True:
                if batch is not None:
                    self.cache.drop(batch.runs)
                    undo(batch)
                if applied is None:
                    raise UnknownOutcome from error
                if _lost(owner.store, error):
                    owner.store.reconnect()
                raise
        assert batch is not None
        owner.counters.transactions += 1
        owner.counters.operations += len(requests)
        batch.commit_succeeded()
        self.cache.keep(batch.runs.values())
        owner.after_commit(batch)


def settle(owner: "UnitOfWork", error: BaseException, changes: Changes, deadline: float) -> bool | None:
    """Finds out whether a commit that raised took place; None when nobody can tell."""
    store = owner.store
    if not _lost(store, error):
        return False
    pause = FIRST_PAUSE
    while True:
        try:
            store.reconnect()
            applied = store.was_applied(changes)
        except store.retryable:
            if time.monotonic() > deadline:
                return None
        except Exception:
            logger.exception("asking for the outcome of a commit failed")
            return None
        else:
            logger.warning("a commit raised %r; it was applied: %s", error, applied)
            return applied
        owner.counters.retried += 1
        time.sleep(pause * (0.5 + random.random()))
        pause = min(2 * pause, LONGEST_PAUSE)


def by_workflow(group: Group) -> list[Group]:
    """The requests of each workflow, in their order; the group itself when they are all of one."""
    parts: dict[WorkflowKey, Group] = {}
    for request in group.requests:
        parts.setdefault(request.key, Group([], group.deadline)).requests.append(request)
    return list(parts.values()) if len(parts) > 1 else [group]


def _lost(store: Store, error: BaseException) -> bool:
    """Whether an error leaves open what the database did; a conflict is a clear answer on a sound connection."""
    return isinstance(error, store.retryable) and not isinstance(error, store.conflicts)


def _internal(cause: BaseException) -> Internal:
    """What a caller is told; what really happened is for the log and for dead letters."""
    error = Internal("something went wrong, please retry")
    error.__cause__ = cause
    return error


def _late() -> Unavailable:
    return Unavailable("the database did not take the change in time, please retry")
