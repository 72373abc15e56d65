"""What the unit of work asks of a database, and what it promises to those who hand tasks to workers."""

from collections.abc import Callable, Collection, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, Protocol

if TYPE_CHECKING:
    from orchestrator.core.run import Run
    from orchestrator.core.update_news import News
    from orchestrator.store.loaded import Loaded
    from orchestrator.store.transition import Unit


class WorkflowKey(NamedTuple):
    """Names a workflow: all runs of one id live on one shard."""

    shard_id: int
    namespace_id: str
    workflow_id: str


class RunKey(NamedTuple):
    """Names a run."""

    shard_id: int
    run_id: str


class Fence(NamedTuple):
    """The lease of a shard under which something is written: `range_id` counts the owners the shard has had."""

    shard_id: int
    range_id: int


class Node(NamedTuple):
    """One batch of events: a serialized History."""

    first_event_id: int
    last_event_id: int
    events: bytes


EVERYTHING = 2**62
"""More than the id of any event."""


class Stored(NamedTuple):
    """A locked run; the blob is left out when the caller knows this version. With the end of its history if wanted."""

    version: int
    blob: bytes | None
    nodes: Sequence[Node] = ()


LATEST_NODES = 32
LATEST_SIZE = 256 * 1024
"""So many nodes, and bytes of their events, come with a run at most."""


class Task(NamedTuple):
    """A scheduled task no worker has started; see `orchestrator.core.priority.Share` for its place in the queue."""

    shard_id: int
    namespace_id: str
    task_queue: str
    kind: int
    priority: int
    created_time: int
    workflow_id: str
    run_id: str
    scheduled_event_id: int
    stamp: int
    fairness_pass: int = 0
    fairness_key: str = ""
    fairness_weight: int = 1000


class Transfer(NamedTuple):
    """Something a run owes to another one; `event_id` as in orchestrator.core.run.Transfer."""

    shard_id: int
    namespace_id: str
    workflow_id: str
    run_id: str
    kind: int
    event_id: int
    created_time: int


class Wake(NamedTuple):
    """When a run wants to be woken, nanoseconds since the epoch."""

    shard_id: int
    run_id: str
    namespace_id: str
    workflow_id: str
    fire_time: int


class Failure(NamedTuple):
    """Why an attempt at a transfer or a wake-up failed.

    Attributes:
        summary: the type and the text of the error.
        detail: the same, and where it was raised.
        time: nanoseconds since the epoch.
    """

    summary: str
    detail: str
    time: int


class Record(NamedTuple):
    """What lists and counts know of a run."""

    shard_id: int
    run_id: str
    namespace_id: str
    workflow_id: str
    workflow_type: str
    task_queue: str
    status: int
    start_time: int
    execution_time: int
    close_time: int
    execution_duration: int | None
    history_length: int | None
    history_size_bytes: int | None
    state_transition_count: int | None
    parent_workflow_id: str
    parent_run_id: str
    root_workflow_id: str
    root_run_id: str
    memo: bytes
    payloads: bytes
    search_attributes: str
    namespace_division: str


@dataclass(slots=True)
class Changes:
    """All that one commit writes.

    Attributes:
        current: the run of each workflow id that is used for the first time.
        moved: the stored and the newer run of a workflow id; it is a conflict when another run is stored by now.
        created: (run, workflow, blob) of new runs, at version 1.
        updated: (run, new version, blob); the stored version is one less.
        nodes: (run, node) of new events.
        requests: (run, number, request ids of signals) of new lots.
        tasks: born, by (run, kind, scheduled event id).
        buried: (run, kind, scheduled event id) of tasks that are over.
        discarded: (run, kind, scheduled event id, stamp) of tasks that no state knows.
        wakes: to be set.
        slept: runs whose wake-up is over.
        transfers: born.
        transferred: (run, kind, event id) of transfers that are done.
        new_records: of new runs.
        records: of runs that lists show already.
        buffering: runs whose new events do not tell all that happened: something waits in their buffers for an id.
        fences: leases that must be in force until the commit; without one of them nothing is written.
    """

    current: dict[WorkflowKey, str] = field(default_factory=dict)
    moved: dict[WorkflowKey, tuple[str, str]] = field(default_factory=dict)
    created: list[tuple[RunKey, WorkflowKey, bytes]] = field(default_factory=list)
    updated: list[tuple[RunKey, int, bytes]] = field(default_factory=list)
    nodes: list[tuple[RunKey, Node]] = field(default_factory=list)
    requests: list[tuple[RunKey, int, bytes]] = field(default_factory=list)
    tasks: dict[tuple[RunKey, int, int], Task] = field(default_factory=dict)
    buried: list[tuple[RunKey, int, int]] = field(default_factory=list)
    discarded: list[tuple[RunKey, int, int, int]] = field(default_factory=list)
    wakes: list[Wake] = field(default_factory=list)
    slept: list[RunKey] = field(default_factory=list)
    transfers: list[Transfer] = field(default_factory=list)
    transferred: list[tuple[RunKey, int, int]] = field(default_factory=list)
    new_records: list[Record] = field(default_factory=list)
    records: list[Record] = field(default_factory=list)
    buffering: set[RunKey] = field(default_factory=set)
    fences: set[Fence] = field(default_factory=set)

    def __bool__(self) -> bool:
        return bool(self.created or self.updated or self.transferred)


class VersionConflict(Exception):
    """A row changed under a lock that should have held it; the transition must be computed again."""


class LeaseLost(Exception):
    """Shards have other owners by now: what was to be written under their former leases is not.

    Attributes:
        fences: the leases that are over.
    """

    def __init__(self, fences: Iterable[Fence]) -> None:
        self.fences = frozenset(fences)
        super().__init__(", ".join(f"shard {shard}, range {range_id}" for shard, range_id in sorted(self.fences)))


class Session(Protocol):
    """One open transaction."""

    def lock_current(self, keys: Iterable[WorkflowKey]) -> dict[WorkflowKey, str]:
        """Locks the current-run rows that exist, in key order, and returns their run ids."""
        ...

    def lock_runs(self, keys: dict[RunKey, int], with_history: Collection[RunKey] = ()) -> dict[RunKey, Stored]:
        """Locks runs, in key order.

        Args:
            keys: the runs, each with the version the caller has, 0 for none.
            with_history: those that come with the end of their history, unless the caller has their version.
        """
        ...

    def read_nodes(self, key: RunKey, first: int, last: int, limit: int = 0, size: int = 0) -> list[Node]:
        """The nodes that hold any event from `first` to `last`, oldest first.

        Args:
            key: the run.
            first, last: event ids.
            limit: nodes, at most; 0 for all.
            size: bytes of their events, at most, but at least one node; 0 for all.
        """
        ...

    def read_requests(self, key: RunKey) -> list[bytes]:
        """The lots of request ids of a run's signals, oldest first."""
        ...

    def write(self, changes: Changes) -> None:
        """Writes everything; raises LeaseLost, VersionConflict, and database errors as they come.

        The leases of `fences` hold until the commit: whoever takes one of their shards waits for it.
        """
        ...


class Store(Protocol):
    """A database.

    Attributes:
        shard_count: how many shards its rows are placed on.
        retryable: errors after which the same transaction may succeed.
        conflicts: those of them that say that somebody else was faster, or holds what is needed: nothing was written.
    """

    shard_count: int
    retryable: tuple[type[Exception], ...]
    conflicts: tuple[type[Exception], ...]

    def transaction(self) -> AbstractContextManager[Session]:
        """Opens a transaction of its own and commits it at the end of the block."""
        ...

    def joined(self) -> AbstractContextManager[Session]:
        """A savepoint in the transaction that the calling thread has open; without one, a transaction of its own."""
        ...

    def on_commit(self, callback: Callable[[], None]) -> None:
        """Runs a callback once the calling thread's open transaction has committed; what it raises is only logged."""
        ...

    def was_applied(self, changes: Changes) -> bool | None:
        """Whether a commit of unknown outcome took place, found by reading; None when that cannot be known."""
        ...

    def reconnect(self) -> None:
        """Drops the calling thread's connection; the next use opens another."""
        ...

    def read_nodes(self, key: RunKey, first: int, last: int, limit: int = 0, size: int = 0) -> list[Node]:
        """As Session.read_nodes, without a transaction."""
        ...

    def read_nodes_backwards(self, key: RunKey, last: int, limit: int, size: int = 0) -> list[Node]:
        """The nodes that begin at or before `last`, newest first; `limit` and `size` as in Session.read_nodes."""
        ...

    def due(self, until: int, limit: int, shards: Sequence[int] | None = None) -> list[Wake]:
        """Wake-ups due by a time, earliest first, and the one that is due next after that, if there is one.

        Args:
            until: nanoseconds since the epoch.
            limit: of those that are due.
            shards: of which; None for all.
        """
        ...

    def waiting_tasks(self, namespace_id: str, task_queue: str, kind: int, limit: int) -> list[Task]:
        """Stored tasks of a queue by level, fairness pass and age: in the order in which they are to be handed out."""
        ...

    def transfers(self, before: int, limit: int, shards: Sequence[int] | None = None) -> list[Transfer]:
        """Transfers born before a time, nanoseconds since the epoch, oldest first; of some shards, or of all."""
        ...

    def record_failure(
        self, task: Transfer | Wake, failure: Failure, pause: Callable[[int], int | None], fence: Fence | None
    ) -> bool:
        """Counts a failure in the row of a task; the last one that is allowed moves the row to the dead letters.

        Args:
            task: as it was read.
            failure: of its latest attempt.
            pause: nanoseconds between the failure of an attempt, given by its number, and the next one; None after the
                last. The row of a wake-up moves so far, out of the way of others; who pays a transfer waits by itself.
            fence: the lease under which it was tried; None where a process is alone.

        Returns:
            Whether nobody has to try it again: it was given up, or its row is gone or another one by now.

        Raises:
            LeaseLost: the fence is over.
        """
        ...

    def remove_run(self, workflow: WorkflowKey, run: RunKey, but_for: int, fence: Fence | None) -> bool:
        """Removes every row of a closed run; False while it has debts of another kind than `but_for`.

        Raises:
            LeaseLost: the fence is over.
        """
        ...

    def stored_queues(self, queues: Sequence[tuple[str, str, int]]) -> list[bool]:
        """Whether each queue, given as (namespace id, name, kind), has stored tasks.

        One statement asks for many queues, and for all of them when there are no tasks at all.
        """
        ...

    def waiting_by_level(self, namespace_id: str, task_queue: str, kind: int) -> dict[int, tuple[int, int]]:
        """How many stored tasks a queue has at each level, and when the oldest of them was born."""
        ...

    def task_queue_configs(self) -> dict[tuple[str, str, int], bytes]:
        """The configuration of every queue that has one, by (namespace id, name, kind)."""
        ...

    def change_task_queue_config(self, queue: tuple[str, str, int], change: Callable[[bytes], bytes]) -> bytes:
        """Replaces the configuration of a queue by what `change` makes of it, under lock; returns the new one."""
        ...

    def delete_task(self, task: Task) -> None:
        """Removes the row of exactly this dispatch, if it is still there."""
        ...

    def versions(self, runs: Sequence[RunKey]) -> dict[RunKey, int]:
        """The stored versions of those of these runs that exist; one statement asks for many."""
        ...

    def close(self) -> None:
        """Closes the calling thread's connection."""
        ...


class Dispatcher(Protocol):
    """Hands tasks to workers that wait."""

    def assign(self, unit: "Unit", run: "Run") -> None:
        """Starts tasks of `run.dispatches` for workers that wait in this process, within the transition."""
        ...

    def place(self, run: "Run") -> None:
        """Gives the tasks of `run.dispatches` that become rows their places among those of their queues."""
        ...

    def offer(self, tasks: list[Task]) -> None:
        """Tells of stored tasks, after their commit."""
        ...


class Observer(Protocol):
    """Learns what was committed."""

    def committed(self, runs: "Collection[Loaded]", wakes: list[Wake]) -> None:
        """Runs that changed, as they are now, and the wake-ups that were set."""
        ...

    def updated(self, run: "Loaded", news: "dict[str, News]") -> None:
        """What became of updates of a run, by their ids."""
        ...

    def owed(self, transfers: list[Transfer]) -> None:
        """What runs owe to others from now on."""
        ...
