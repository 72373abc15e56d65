"""What every service works with: one object, built once, handed to each function."""

import asyncio
import threading
import time
import zlib
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar
from uuid import UUID

from orchestrator.conf import HugoSettings
from orchestrator.core.limits import Limits
from orchestrator.core.update_news import News
from orchestrator.core.wire import SECOND
from orchestrator.errors import Unavailable
from orchestrator.services.bootstrap import FIRST_SHARD, Cluster
from orchestrator.services.dead_letters import DeadLetters
from orchestrator.services.matching import Matching
from orchestrator.services.namespace_registry import NamespaceChanged, NamespaceEntry, NamespaceRegistry
from orchestrator.services.peers import Peers
from orchestrator.services.queries import Queries
from orchestrator.services.run_interest import RunInterest
from orchestrator.services.run_waiters import RunWaiters
from orchestrator.services.scavenger import Scavenger
from orchestrator.services.shard_controller import Membership, ShardController
from orchestrator.services.shard_hints import HISTORY, SYSTEM, TIMER, TRANSFER, VISIBILITY, Hints, ShardHints
from orchestrator.services.shards import Shards, SoleOwner
from orchestrator.services.tally import answer_tally
from orchestrator.services.task_token import TokenCodec
from orchestrator.services.timers import Timers
from orchestrator.services.transfers import Transfers
from orchestrator.services.update_waiters import UpdateWaiters
from orchestrator.services.workers import Workers
from orchestrator.store.loaded import Loaded
from orchestrator.store.members import Member
from orchestrator.store.notifier import Notifier, Silence
from orchestrator.store.ports import Store, Transfer, Wake, WorkflowKey
from orchestrator.store.transition import Operation
from orchestrator.store.unit_of_work import UnitOfWork

T = TypeVar("T")
DATABASE_THREADS = 4


@dataclass(frozen=True, slots=True)
class Prepared(Generic[T]):
    """A checked call that changes one workflow: run it with `Engine.execute` or `Engine.execute_joined`.

    Attributes:
        key: the workflow.
        operation: see `orchestrator.store.transition`.
        run_id: the run it is about; empty for the current one.
        needs_current: whether it looks at the current run although it names one.
        expects_new: whether the workflow most likely has no run yet.
        fresh: whether another process has most likely changed the run.
    """

    key: WorkflowKey
    operation: Operation
    run_id: str = ""
    needs_current: bool = False
    expects_new: bool = False
    fresh: bool = False


class Engine:
    """The services' surroundings: the database, the clock, matching, queries and timers of one process.

    Args:
        settings: of the library.
        cluster: what the database was made for.
        store: the database.
        token_key: the secret behind task tokens; the same in every process of the cluster.
        clock: nanoseconds since the epoch.
        new_uuid: a fresh UUID, time-ordered.
        lanes: threads that commit.
        notifier: reaches the other processes of the cluster; None when there are none.
        membership: how this process shares the shards with others; None when it has the database to itself.

    Attributes:
        shards: what is this process's to do.
        hints: where hints for the owners of other shards go.
    """

    def __init__(
        self,
        settings: HugoSettings,
        cluster: Cluster,
        store: Store,
        *,
        token_key: bytes,
        clock: Callable[[], int] = time.time_ns,
        new_uuid: Callable[[], str],
        lanes: int = 1,
        notifier: Notifier | None = None,
        membership: Membership | None = None,
    ) -> None:
        self.settings = settings
        self.cluster = cluster
        self.store = store
        self.clock = clock
        self.new_uuid = new_uuid
        self.limits = limits_of(settings)
        self.peers = Peers(notifier or Silence())
        self.namespaces = NamespaceRegistry(tell_all=self.peers.tell_all)
        self.tokens = TokenCodec(token_key)
        self.matching = Matching(settings, store, clock, new_uuid, self.peers)
        self.queries = Queries(self.peers, self.matching, self.limits.blob_size)
        self.workers = Workers(self.peers)
        self.run_waiters = RunWaiters()
        self.run_interest = RunInterest(self.run_waiters, self.peers, store, settings.waiters_interval)
        self.update_waiters = UpdateWaiters(self.peers, self.run_interest)
        self.unit_of_work = UnitOfWork(
            store,
            self.limits,
            clock,
            lambda namespace_id: self.namespaces.by_id(namespace_id).search_attributes,
            lambda namespace_id: self.namespaces.by_id(namespace_id).retention_ns,
            new_uuid,
            lanes=lanes,
            batch_limit=settings.batch_limit,
            cache_size=settings.cached_states,
            cache_weight=settings.cached_states_size,
            dispatcher=self.matching,
            observer=self,
        )
        count = cluster.shard_count
        self.shards: Shards = ShardController(membership, self.peers, count) if membership else SoleOwner(count)
        self.shard_hints = ShardHints(self.shards, self.peers)
        self.hints: Hints = self.shard_hints
        self.dead_letters = DeadLetters(store, clock, settings.dead_letter_attempts)
        self.timers = Timers(
            store,
            self.unit_of_work,
            clock,
            self.shards,
            lambda shards: self.hints.wake(TIMER, shards),
            self.dead_letters,
        )
        self.transfers = Transfers(
            store, clock, self.shards, lambda shards: self.hints.wake(TRANSFER, shards), self.dead_letters
        )
        self.scavenger = Scavenger(self)
        self.shard_hints.on(TIMER, lambda shards: self.timers.look())
        self.shard_hints.on(TRANSFER, self.transfers.look)
        self.shard_hints.on(HISTORY, self.scavenger.look)
        self.shard_hints.on(VISIBILITY, self.scavenger.look)
        self.shard_hints.on(SYSTEM, lambda shards: self.shards.look())
        self._threads = ThreadPoolExecutor(DATABASE_THREADS, thread_name_prefix="hugo-db")
        answer_tally(self)
        self.peers.on(NamespaceChanged, lambda _, told: self._forget_namespace(told.name))
        self._loop: asyncio.AbstractEventLoop | None = None

    async def start(self) -> None:
        """Starts committing, firing timers and handing over tasks, on the running event loop."""
        self._loop = asyncio.get_running_loop()
        await self.shards.start(self.run_db)
        # From here to the end nothing waits: no message may find a service that has not started.
        await self.peers.start()
        self.shard_hints.start(self._loop)
        self.unit_of_work.start(self._loop)
        self.matching.start(self._loop, self.run_db)
        self.workers.start()
        self.dead_letters.start(self.run_db)
        self.timers.start(self._loop, self.run_db)
        self.transfers.start(self._loop, self.run_db)
        self.scavenger.start()
        self.run_interest.start(self._loop, self.run_db)
        self.shards.announce()

    def drain(self) -> None:
        """Ends waiting polls and long polls with their empty replies."""
        self.matching.drain()
        self.run_waiters.drain()
        self.update_waiters.drain()

    async def stop(self) -> None:
        """Commits what is in flight, then stops everything."""
        await self.run_interest.stop()
        await self.scavenger.stop()
        await self.timers.stop()
        await self.transfers.stop()
        await self.matching.stop()
        assert self._loop is not None
        await self._loop.run_in_executor(None, self.unit_of_work.stop)
        await self.shards.stop()
        await self._loop.run_in_executor(None, self.hints.stop)
        await self.peers.stop()
        await self._loop.run_in_executor(None, self._end_threads)

    def _end_threads(self) -> None:
        """Ends the pool; the barrier makes each of its threads close its own connection."""
        barrier = threading.Barrier(DATABASE_THREADS)

        def close() -> None:
            barrier.wait()
            self.store.close()

        for _ in range(DATABASE_THREADS):
            self._threads.submit(close)
        self._threads.shutdown()

    async def namespace(self, name: str) -> NamespaceEntry:
        """The namespace of a call, from memory where possible; raises what NamespaceRegistry.load raises."""
        entry = self.namespaces.cached(name)
        return entry if entry is not None else await self.run_db(self.namespaces.load, name)

    async def namespace_by_id(self, id: str) -> NamespaceEntry:
        """The same, by id; raises NamespaceNotFound."""
        entry = self.namespaces.cached_by_id(id)
        return entry if entry is not None else await self.run_db(self.namespaces.by_id, id)

    def _forget_namespace(self, name: str) -> None:
        self._threads.submit(self.namespaces.forget, name)

    async def execute(self, prepared: "Prepared[T]") -> T:
        """Applies a call in the next commit."""
        result: T = await self.unit_of_work.execute(
            prepared.key,
            prepared.operation,
            prepared.run_id,
            needs_current=prepared.needs_current or not prepared.run_id,
            expects_new=prepared.expects_new,
            fresh=prepared.fresh,
        )
        return result

    def execute_joined(self, prepared: "Prepared[T]") -> T:
        """Applies a call inside the Django transaction the calling thread has open."""
        result: T = self.unit_of_work.execute_joined(
            prepared.key,
            prepared.operation,
            prepared.run_id,
            needs_current=prepared.needs_current or not prepared.run_id,
        )
        return result

    async def run_db(self, function: Callable[..., T], *args: Any) -> T:
        """Runs a function that uses the database on a thread of the pool.

        Raises:
            Unavailable: the database fails. The next call has a new connection.
        """
        assert self._loop is not None
        return await self._loop.run_in_executor(self._threads, self._attempt, function, *args)

    def _attempt(self, function: Callable[..., T], *args: Any) -> T:
        try:
            return function(*args)
        except self.store.conflicts:
            raise
        except self.store.retryable as error:
            self.store.reconnect()
            raise Unavailable("the database does not answer") from error

    def key(self, namespace: NamespaceEntry, workflow_id: str) -> WorkflowKey:
        """Where a workflow lives."""
        return key_of(namespace.id, workflow_id, self.cluster.shard_count)

    @property
    def members(self) -> list[Member]:
        """The live processes of the cluster, as of the last look."""
        return self.shards.members

    def hinted(self, queue: str, shards: Collection[int]) -> None:
        """Told, from any thread, that a queue of some shards is worth a look; of all, if none is named."""
        self.shard_hints.hinted(queue, shards)

    def committed(self, runs: Collection[Loaded], wakes: list[Wake]) -> None:
        """Called by the unit of work, on a committing thread, after each commit."""
        self.run_waiters.notify(runs)
        self.run_interest.changed(runs)
        if wakes:
            self.timers.expect(wakes)

    def updated(self, run: Loaded, news: dict[str, News]) -> None:
        """Called by the unit of work, on a committing thread, after a commit that moved updates of a run."""
        self.update_waiters.tell(run, news)

    def owed(self, transfers: list[Transfer]) -> None:
        """Called by the unit of work, on a committing thread, after a commit in which runs came to owe something."""
        self.transfers.note(transfers)

    async def pay(self, transfer: Transfer) -> None:
        """Removes the row of a debt that needs no other change."""
        key = WorkflowKey(transfer.shard_id, transfer.namespace_id, transfer.workflow_id)
        await self.unit_of_work.execute(
            key, lambda unit: unit.paid(transfer.run_id, transfer.kind, transfer.event_id), needs_current=False
        )


def key_of(namespace_id: str, workflow_id: str, shard_count: int) -> WorkflowKey:
    """Places a workflow: CRC-32 of its namespace and id, modulo the shards of the database."""
    digest = zlib.crc32(f"{namespace_id}/{workflow_id}".encode())
    return WorkflowKey(FIRST_SHARD + digest % shard_count, namespace_id, workflow_id)


def limits_of(settings: HugoSettings) -> Limits:
    """The limits of the core by the settings."""
    return Limits(
        blob_size=settings.limit_blob_size,
        memo_size=settings.limit_memo_size,
        id_length=settings.limit_id_length,
        history_size=settings.limit_history_size,
        history_count=settings.limit_history_count,
        state_size=settings.limit_state_size,
        transaction_size=settings.limit_transaction_size,
        activity_failure_size=settings.limit_activity_failure_size,
        pending_activities=settings.limit_pending_activities_count,
        pending_children=settings.limit_pending_children_count,
        pending_external_signals=settings.limit_pending_external_signals_count,
        pending_external_cancels=settings.limit_pending_external_cancels_count,
        signals=settings.limit_signals_count,
        updates_in_flight=settings.limit_updates_in_flight_count,
        updates_in_flight_size=settings.limit_updates_in_flight_size,
        updates=settings.limit_updates_count,
        buffered_events=settings.limit_buffered_events_count,
        buffered_events_size=settings.limit_buffered_events_size,
        search_attributes=settings.limit_search_attributes_count,
        search_attribute_size=settings.limit_search_attribute_size,
        search_attributes_size=settings.limit_search_attributes_size,
        links=settings.limit_links_count,
        link_size=settings.limit_link_size,
        suggest_continue_as_new_count=settings.suggest_continue_as_new_count,
        suggest_continue_as_new_size=settings.suggest_continue_as_new_size,
        default_workflow_task_timeout=settings.default_workflow_task_timeout * SECOND,
        maximum_workflow_task_timeout=settings.maximum_workflow_task_timeout * SECOND,
        workflow_task_heartbeat_timeout=settings.workflow_task_heartbeat_timeout * SECOND,
    )


def uuid7(now_ns: int, random_bytes: bytes) -> str:
    """A version 7 UUID (RFC 9562): milliseconds since the epoch, then 74 random bits of ten random bytes."""
    milliseconds = (now_ns // 1_000_000) & ((1 << 48) - 1)
    tail = int.from_bytes(random_bytes[:10], "big")
    value = milliseconds << 80 | 0x7 << 76 | ((tail >> 62) & 0xFFF) << 64 | 0b10 << 62 | (tail & ((1 << 62) - 1))
    return str(UUID(int=value))
