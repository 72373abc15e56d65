"""Group commit: operations that arrive together share one transaction.

Lanes are threads with a connection each; a workflow always goes to the lane of its shard. A lane takes whatever queued
while it was committing, locks the rows of all of it, applies the operations in memory in their order, writes once and
commits. Nothing waits for a batch to fill. An operation that fails, fails alone. When the commit itself fails, the
operations are repeated one by one, from the database.
"""

import asyncio
import logging
import random
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.limits import Limits
from orchestrator.errors import Internal, ServiceError, Unavailable
from orchestrator.store.ports import Changes, Dispatcher, Observer, RunKey, Session, Store, VersionConflict, WorkflowKey
from orchestrator.store.transition import Batch, Loaded, Operation, load

logger = logging.getLogger(__name__)

ATTEMPTS = 6
FIRST_PAUSE = 0.02
LONGEST_PAUSE = 1.0
"""Seconds before a failed commit is repeated; doubled each time up to the longest, with jitter."""
PATIENCE = 10.0
"""Seconds after which operations that cannot be committed are answered UNAVAILABLE."""


class UnknownOutcome(Exception):
    """A commit raised, and the database does not say whether it took place; repeating could apply it twice."""


@dataclass(slots=True)
class Request:
    """An operation on its way through a lane."""

    key: WorkflowKey
    operation: Operation
    run_id: str
    needs_current: bool
    future: "asyncio.Future[Any] | None" = None
    result: Any = None
    error: BaseException | None = None


@dataclass(slots=True)
class Counters:
    """What the lanes did since the start: for benchmarks, tests and metrics."""

    transactions: int = 0
    operations: int = 0
    retried: int = 0


class Cache:
    """The states of runs a lane has seen lately; only its lane touches it."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._runs: OrderedDict[RunKey, Loaded] = OrderedDict()

    def get(self, key: RunKey) -> Loaded | None:
        """The run as last seen; its version must be compared with the stored one."""
        return self._runs.get(key)

    def keep(self, runs: Iterable[Loaded]) -> None:
        """Remembers runs, and forgets the ones not used for longest."""
        for run in runs:
            if run.state.running:
                self._runs[run.key] = run
                self._runs.move_to_end(run.key)
            else:
                self._runs.pop(run.key, None)
        while len(self._runs) > self._size:
            self._runs.popitem(last=False)

    def drop(self, keys: Iterable[RunKey]) -> None:
        """Forgets runs."""
        for key in keys:
            self._runs.pop(key, None)


def gather(
    owner: "UnitOfWork", session: Session, requests: list[Request], dispatcher: Dispatcher | None, cache: Cache | None
) -> Batch:
    """Loads every run the requests name. One in the cache is taken as it is; the commit checks that it was right to."""
    current = session.lock_current(sorted({each.key for each in requests if each.needs_current}))
    wanted = {RunKey(key.shard_id, run_id) for key, run_id in current.items()}
    wanted.update(RunKey(each.key.shard_id, each.run_id) for each in requests if each.run_id)
    runs: dict[RunKey, Loaded] = {}
    if cache is not None:
        runs = {key: found for key in wanted if (found := cache.get(key)) is not None}
    unverified = set(runs)
    missing = {key: 0 for key in sorted(wanted - unverified)}
    if missing:
        runs.update((key, load(row, key)) for key, row in session.lock_runs(missing).items())
    return Batch(
        session,
        owner.limits,
        dispatcher,
        owner.types,
        owner.new_id,
        current,
        runs,
        stored=set(current),
        unverified=unverified,
    )


def verify(batch: Batch) -> None:
    """Makes sure that runs which were only looked at are as the cache had them; raises VersionConflict.

    A run that is written needs no look: the write itself fails when its version has moved on. But a refusal, or a
    reading, must not rest on a state that another process has changed.
    """
    suspects = {key: batch.runs[key].version for key in sorted(batch.unverified - batch.dirty.keys())}
    if not suspects:
        return
    rows = batch.session.lock_runs(suspects)
    for key, version in suspects.items():
        if key not in rows or rows[key].version != version:
            raise VersionConflict("a run was changed by another process")


def apply_all(batch: Batch, requests: list[Request], now: Callable[[], int]) -> None:
    """Applies requests in order; each gets its result or its error."""
    for request in requests:
        try:
            request.result = batch.apply(request.key, request.run_id, request.operation, now())
            request.error = None
        except ServiceError as error:
            request.error = error
        except Exception:
            logger.exception("an operation on %s failed", request.key.workflow_id)
            request.error = Internal("something went wrong, please retry")


def _refuse(requests: list[Request], error: ServiceError) -> None:
    for request in requests:
        request.error = error


class Lane(threading.Thread):
    """One committing thread."""

    def __init__(self, name: str, owner: "UnitOfWork", cache_size: int) -> None:
        super().__init__(name=name, daemon=True)
        self._owner = owner
        self._cache = Cache(cache_size)
        self._queue: deque[Request] = deque()
        self._ready = threading.Condition()
        self._stopping = False

    def put(self, request: Request) -> None:
        """Queues a request; raises Unavailable once the lane is stopping."""
        with self._ready:
            if self._stopping:
                raise Unavailable("the server is shutting down")
            self._queue.append(request)
            if len(self._queue) == 1:
                self._ready.notify()

    def stop(self) -> None:
        """Lets the thread end once its queue is empty."""
        with self._ready:
            self._stopping = True
            self._ready.notify()

    def run(self) -> None:
        """Commits batch after batch until stopped."""
        try:
            while requests := self._take():
                self._commit(requests)
                self._owner.deliver(requests)
        finally:
            self._owner.store.close()

    def _take(self) -> list[Request]:
        with self._ready:
            while not self._queue and not self._stopping:
                self._ready.wait()
            return [self._queue.popleft() for _ in range(min(len(self._queue), self._owner.batch_limit))]

    def _commit(self, requests: list[Request]) -> None:
        """Commits requests together, again and again while the database is away, one by one when they disturb it."""
        store = self._owner.store
        conflicts: tuple[type[Exception], ...] = (*store.conflicts, VersionConflict)
        patience = time.monotonic() + PATIENCE
        pause = FIRST_PAUSE
        while True:
            try:
                self._try(requests)
                return
            except UnknownOutcome:
                logger.error("a commit of %d operations has an unknown outcome", len(requests))
                _refuse(requests, Unavailable("the outcome of the call is unknown, the database does not answer"))
                return
            except conflicts as error:
                logger.info("a commit of %d operations met a conflict: %s", len(requests), error)
                if len(requests) > 1:
                    self._commit_singly(requests)
                    return
            except store.retryable as error:
                logger.warning("a commit of %d operations failed and is repeated: %s", len(requests), error)
            except Exception:
                logger.exception("a commit of %d operations failed", len(requests))
                if len(requests) > 1:
                    self._commit_singly(requests)
                else:
                    _refuse(requests, Internal("something went wrong, please retry"))
                return
            if time.monotonic() > patience:
                _refuse(requests, Unavailable("the database does not answer"))
                return
            self._owner.counters.retried += 1
            time.sleep(pause * (0.5 + random.random()))
            pause = min(2 * pause, LONGEST_PAUSE)

    def _commit_singly(self, requests: list[Request]) -> None:
        for request in requests:
            self._commit([request])

    def _try(self, requests: list[Request]) -> None:
        """One transaction. Raises what the database raises, after undoing all that is in memory."""
        owner = self._owner
        batch: Batch | None = None
        changes = Changes()
        committing = False
        try:
            with owner.store.transaction() as session:
                batch = gather(owner, session, requests, owner.dispatcher, self._cache)
                apply_all(batch, requests, owner.now)
                verify(batch)
                changes = batch.seal()
                if changes:
                    committing = True
                    session.write(changes)
        except BaseException as error:
            applied = committing and self._settle(error, changes)
            if applied is not True:
                self._abandon(batch)
                if isinstance(error, owner.store.retryable):
                    owner.store.reconnect()
                if applied is None:
                    raise UnknownOutcome from error
                raise
        assert batch is not None
        owner.counters.transactions += 1
        owner.counters.operations += len(requests)
        batch.commit_succeeded()
        self._cache.keep(batch.runs.values())
        owner.after_commit(batch)

    def _settle(self, error: BaseException, changes: Changes) -> bool | None:
        """Finds out whether a commit that raised took place; None when nobody can tell."""
        store = self._owner.store
        if not isinstance(error, store.retryable):
            return False
        for attempt in range(ATTEMPTS):
            store.reconnect()
            try:
                applied = store.was_applied(changes)
            except store.retryable:
                time.sleep(FIRST_PAUSE * 2**attempt)
                continue
            logger.warning("a commit raised %r; it was applied: %s", error, applied)
            return applied
        return None

    def _abandon(self, batch: Batch | None) -> None:
        if batch is None:
            return
        self._cache.drop(batch.runs)
        for callback in batch.undone:
            callback()


@dataclass(slots=True)
class UnitOfWork:
    """The two ways in: `execute` through the lanes, `execute_joined` inside the caller's own transaction.

    Attributes:
        store: the database.
        limits: passed to the core.
        clock: nanoseconds since the epoch.
        types: the custom search attributes of a namespace, by its id.
        new_id: names a new run.
        lanes: how many threads commit.
        batch_limit: operations in one commit, at most.
        cache_size: states kept, at most.
        dispatcher: hands tasks to workers.
        observer: learns what was committed.
    """

    store: Store
    limits: Limits
    clock: Callable[[], int]
    types: Callable[[str], Mapping[str, int]]
    new_id: Callable[[], str]
    lanes: int = 1
    batch_limit: int = 256
    cache_size: int = 10_000
    dispatcher: Dispatcher | None = None
    observer: Observer | None = None
    counters: Counters = field(default_factory=Counters)
    _threads: list[Lane] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop | None = None
    _last_now: int = 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Starts the lanes; results are delivered on this loop."""
        self._loop = loop
        self._threads = [Lane(f"hugo-lane-{i}", self, self.cache_size // self.lanes) for i in range(self.lanes)]
        for lane in self._threads:
            lane.start()

    def stop(self) -> None:
        """Commits what is queued and ends the lanes; blocks until they have ended."""
        for lane in self._threads:
            lane.stop()
        for lane in self._threads:
            lane.join()

    def now(self) -> int:
        """The time of a transition: the clock's, but never earlier than the one before."""
        self._last_now = max(self._last_now, self.clock())
        return self._last_now

    async def execute(
        self, key: WorkflowKey, operation: Operation, run_id: str = "", *, needs_current: bool | None = None
    ) -> Any:
        """As `enqueue`, and waits for the result."""
        return await self.enqueue(key, operation, run_id, needs_current=needs_current)

    def enqueue(
        self, key: WorkflowKey, operation: Operation, run_id: str = "", *, needs_current: bool | None = None
    ) -> "asyncio.Future[Any]":
        """Applies an operation in the next commit of its lane; to be called on the event loop.

        Args:
            key: the workflow.
            operation: see `transition`; called again when a commit fails.
            run_id: the run it is about; empty for the current one.
            needs_current: whether it looks at the current run too; by default when it names none.

        Returns:
            a future with its result, or the ServiceError it raised, or Unavailable when the database stays away.
            Cancelling the future does not stop the operation.
        """
        assert self._loop is not None
        future: asyncio.Future[Any] = self._loop.create_future()
        wants = not run_id if needs_current is None else needs_current
        self._threads[key.shard_id % self.lanes].put(Request(key, operation, run_id, wants, future))
        return future

    def execute_joined(
        self, key: WorkflowKey, operation: Operation, run_id: str = "", *, needs_current: bool | None = None
    ) -> Any:
        """Applies an operation inside the transaction the calling thread has open, to be committed or rolled back with it.

        It has a savepoint of its own, so that one that fails leaves no trace and the caller's transaction stays usable.
        Without an open transaction it has one of its own. Tasks go to workers, and waiters are told, once the outermost
        transaction has committed.

        Raises:
            ServiceError: what the operation raised, or Unavailable when the database fails or others are always faster.
        """
        wants = not run_id if needs_current is None else needs_current
        request = Request(key, operation, run_id, wants)
        conflicts: tuple[type[Exception], ...] = (*self.store.conflicts, VersionConflict)
        for _ in range(ATTEMPTS):
            try:
                return self._join(request)
            except conflicts as error:
                last: Exception = error
            except self.store.retryable as error:
                raise Unavailable("the database does not answer") from error
        raise Unavailable("others keep changing the same workflow, please retry") from last

    def _join(self, request: Request) -> Any:
        with self.store.joined() as session:
            batch = gather(self, session, [request], None, None)
            try:
                result = batch.apply(request.key, request.run_id, request.operation, self.now())
                changes = batch.seal()
                if changes:
                    session.write(changes)
            except BaseException:
                for callback in batch.undone:
                    callback()
                raise
            batch.commit_succeeded()
            self.store.on_commit(lambda: self.after_commit(batch))
        return result

    def deliver(self, requests: list[Request]) -> None:
        """Resolves finished requests on the event loop."""
        assert self._loop is not None

        def resolve_all() -> None:
            for request in requests:
                future = request.future
                if future is None or future.done():
                    continue
                if request.error is not None:
                    future.set_exception(request.error)
                else:
                    future.set_result(request.result)

        try:
            self._loop.call_soon_threadsafe(resolve_all)
        except RuntimeError:
            logger.info("%d results came after the event loop had closed", len(requests))

    def after_commit(self, batch: Batch) -> None:
        """Hands over tasks, tells waiters, and runs what operations left to be done."""
        for callback in batch.done:
            callback()
        changes = batch.changes
        if changes.tasks and self.dispatcher is not None:
            self.dispatcher.offer(list(changes.tasks.values()))
        if self.observer is not None and batch.dirty:
            earliest = min((wake.fire_time for wake in changes.wakes), default=0)
            self.observer.committed([key.run_id for key in batch.dirty], earliest)
