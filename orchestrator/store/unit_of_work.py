"""Group commit: operations that arrive together share one transaction.

Lanes are threads with a connection each; a workflow always goes to the lane of its shard. A lane takes whatever queued
while it was committing, reads the rows of all of it, applies the operations in memory in their order, writes once and
commits. A call that comes alone waits for nobody; after a batch of several the next one gathers for a moment
(`docs/adr/0011-a-lane-gathers-after-a-batch.md`). An operation that fails, fails alone. What happens when a commit
fails is told in `lane`.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from orchestrator.core.enforcement import OverLimit
from orchestrator.core.limits import Limits
from orchestrator.errors import Unavailable
from orchestrator.store.cache import Cache
from orchestrator.store.fencing import current_fence
from orchestrator.store.gathering import gather
from orchestrator.store.lane import Lane, Request, undo
from orchestrator.store.ports import Dispatcher, Observer, Store, VersionConflict, WorkflowKey
from orchestrator.store.transition import Batch, Operation

logger = logging.getLogger(__name__)

ATTEMPTS = 6
"""How often a call that joins its caller's transaction is tried when others are faster."""


@dataclass(slots=True)
class Counters:
    """What the lanes did since the start: for benchmarks, tests and metrics.

    Attributes:
        transactions: committed.
        operations: in them, refused ones too.
        retried: pauses because of a conflict, or of a database that was away.
    """

    transactions: int = 0
    operations: int = 0
    retried: int = 0


@dataclass(slots=True)
class UnitOfWork:
    """The two ways in: `execute` through the lanes, `execute_joined` inside the caller's own transaction.

    Attributes:
        store: the database.
        limits: passed to the core.
        clock: nanoseconds since the epoch.
        types: the custom search attributes of a namespace, by its id.
        retention: how long a namespace keeps closed runs, in nanoseconds, by its id.
        new_id: names a new run.
        lanes: how many threads commit.
        batch_limit: operations in one commit, at most.
        cache_size: states kept, at most.
        cache_weight: bytes of states and histories kept, at most.
        dispatcher: hands tasks to workers.
        observer: learns what was committed.
    """

    store: Store
    limits: Limits
    clock: Callable[[], int]
    types: Callable[[str], Mapping[str, int]]
    retention: Callable[[str], int]
    new_id: Callable[[], str]
    lanes: int = 1
    batch_limit: int = 256
    cache_size: int = 10_000
    cache_weight: int = 64 << 20
    dispatcher: Dispatcher | None = None
    observer: Observer | None = None
    counters: Counters = field(default_factory=Counters)
    _threads: list[Lane] = field(default_factory=list)
    _loop: asyncio.AbstractEventLoop | None = None
    _last_now: int = 0

    def start(self, loop: asyncio.AbstractEventLoop) -> None:
        """Starts the lanes; results are delivered on this loop."""
        self._loop = loop
        self._threads = [
            Lane(f"hugo-lane-{i}", self, Cache(self.cache_size // self.lanes, self.cache_weight // self.lanes))
            for i in range(self.lanes)
        ]
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
        self,
        key: WorkflowKey,
        operation: Operation,
        run_id: str = "",
        *,
        needs_current: bool | None = None,
        expects_new: bool = False,
        fresh: bool = False,
    ) -> Any:
        """As `enqueue`, and waits for the result."""
        return await self.enqueue(
            key, operation, run_id, needs_current=needs_current, expects_new=expects_new, fresh=fresh
        )

    def enqueue(
        self,
        key: WorkflowKey,
        operation: Operation,
        run_id: str = "",
        *,
        needs_current: bool | None = None,
        expects_new: bool = False,
        fresh: bool = False,
        with_history: bool = False,
    ) -> "asyncio.Future[Any]":
        """Applies an operation in the next commit of its lane; to be called on the event loop.

        Args:
            key: the workflow.
            operation: see `transition`; called again when a commit fails.
            run_id: the run it is about; empty for the current one.
            needs_current: whether it looks at the current run too; by default when it names none.
            expects_new: whether the workflow most likely has no run yet, so that looking for one is left to the commit.
            fresh: whether another process has most likely changed the run: then it is not taken from the cache, where
                the commit would find it stale.
            with_history: whether the end of the run's history is wanted, too, when the run is read.

        Returns:
            a future with its result, or the ServiceError it raised, or Unavailable when the database stays away or the
            lanes have stopped, or LeaseLost when the calling task works under a fence (see `fencing`) that is over.
            Cancelling the future does not stop the operation.
        """
        assert self._loop is not None
        future: asyncio.Future[Any] = self._loop.create_future()
        wants = not run_id if needs_current is None else needs_current
        request = Request(key, operation, run_id, wants, expects_new, fresh, with_history, current_fence(), future)
        try:
            self._threads[key.shard_id % self.lanes].put(request)
        except Unavailable as error:
            future.set_exception(error)
        return future

    def execute_joined(
        self, key: WorkflowKey, operation: Operation, run_id: str = "", *, needs_current: bool | None = None
    ) -> Any:
        """Applies an operation inside the transaction the calling thread has open: committed or rolled back with it.

        It has a savepoint of its own, so that one that fails leaves no trace and the caller's transaction stays usable.
        Without an open transaction it has one of its own. Tasks go to workers, and waiters are told, once the outermost
        transaction has committed.

        Raises:
            ServiceError: what the operation raised, or Unavailable when the database fails or others are always faster.
            LeaseLost: the calling thread works under a fence that is over.
        """
        wants = not run_id if needs_current is None else needs_current
        request = Request(key, operation, run_id, wants, fence=current_fence())
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
        refusal: OverLimit | None = None
        with self.store.joined() as session:
            batch = gather(self, session, [request], None, None)
            try:
                try:
                    result = batch.apply(request.key, request.run_id, request.operation, self.now())
                except OverLimit as error:
                    refusal = error
                changes = batch.seal()
                if changes:
                    if request.fence is not None:
                        changes.fences.add(request.fence)
                    session.write(changes)
            except BaseException:
                undo(batch)
                raise
            batch.commit_succeeded()
            self.store.on_commit(lambda: self.after_commit(batch))
        if refusal is not None:
            raise refusal
        return result

    def deliver(self, requests: list[Request]) -> None:
        """Resolves finished requests on the event loop; what is resolved stays as it is."""
        assert self._loop is not None
        outcomes = [(each.future, each.result, each.error) for each in requests if each.future is not None]

        def resolve_all() -> None:
            for future, result, error in outcomes:
                if future.done():
                    continue
                if error is not None:
                    future.set_exception(error)
                else:
                    future.set_result(result)

        try:
            self._loop.call_soon_threadsafe(resolve_all)
        except RuntimeError:
            logger.info("%d results came after the event loop had closed", len(requests))

    def after_commit(self, batch: Batch) -> None:
        """Hands over tasks, tells waiters, and runs what operations left to be done.

        The commit stands, whatever is raised here. A lost hand-over is found again by its timeout, a lost hint by a
        sweep.
        """
        changes = batch.changes
        for callback in batch.done:
            _attempt(callback)
        if changes.tasks and self.dispatcher is not None:
            _attempt(self.dispatcher.offer, list(changes.tasks.values()))
        if self.observer is not None and batch.news:
            for run, news in batch.news:
                _attempt(self.observer.updated, run, news)
        if self.observer is not None and batch.dirty:
            _attempt(self.observer.committed, batch.dirty.values(), changes.wakes)
            if changes.transfers:
                _attempt(self.observer.owed, list(changes.transfers))


def _attempt(function: Callable[..., object], *args: object) -> None:
    try:
        function(*args)
    except Exception:
        logger.exception("what follows a commit failed")
