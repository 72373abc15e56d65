"""The store's port in memory: optimistic as on PostgreSQL, and the truth that outlives every simulated process."""

from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from orchestrator.store.members import Member
from orchestrator.store.outcome import was_applied
from orchestrator.store.ports import (
    LATEST_NODES,
    Changes,
    Failure,
    Fence,
    LeaseLost,
    Node,
    Record,
    RunKey,
    Session,
    Stored,
    Task,
    Transfer,
    VersionConflict,
    Wake,
    WorkflowKey,
)


@dataclass
class Tables:
    """The rows."""

    current: dict[WorkflowKey, str] = field(default_factory=dict)
    runs: dict[RunKey, Stored] = field(default_factory=dict)
    workflows: dict[RunKey, WorkflowKey] = field(default_factory=dict)
    nodes: dict[RunKey, list[Node]] = field(default_factory=dict)
    requests: dict[tuple[RunKey, int], bytes] = field(default_factory=dict)
    tasks: dict[tuple[RunKey, int, int, int], Task] = field(default_factory=dict)
    wakes: dict[RunKey, Wake] = field(default_factory=dict)
    transfers: dict[tuple[RunKey, int, int], Transfer] = field(default_factory=dict)
    records: dict[RunKey, Record] = field(default_factory=dict)
    configs: dict[tuple[str, str, int], bytes] = field(default_factory=dict)
    ranges: dict[int, int] = field(default_factory=dict)
    owners: dict[int, str] = field(default_factory=dict)
    members: dict[str, Member] = field(default_factory=dict)
    trespasses: list[Fence] = field(default_factory=list)
    attempts: dict[Transfer | Wake, int] = field(default_factory=dict)
    dead_letters: dict[Transfer | Wake, Failure] = field(default_factory=dict)


def hold(tables: Tables, fences: Iterable[Fence]) -> None:
    """Raises LeaseLost when one of the leases is over."""
    if lost := {fence for fence in fences if tables.ranges.get(fence.shard_id, 0) != fence.range_id}:
        raise LeaseLost(lost)


class MemorySession:
    """Reads that lock nothing, and a write that applies all or nothing."""

    def __init__(self, tables: Tables) -> None:
        self._tables = tables

    def lock_current(self, keys: Iterable[WorkflowKey]) -> dict[WorkflowKey, str]:
        """See Session."""
        return {key: self._tables.current[key] for key in keys if key in self._tables.current}

    def lock_runs(self, keys: dict[RunKey, int], with_history: Collection[RunKey] = ()) -> dict[RunKey, Stored]:
        """See Session."""
        found = {key: row for key in keys if (row := self._tables.runs.get(key)) is not None}
        for key, row in found.items():
            if row.version == keys[key]:
                found[key] = row._replace(blob=None)
            elif key in with_history:
                found[key] = row._replace(nodes=self._tables.nodes.get(key, [])[-LATEST_NODES:])
        return found

    def read_nodes(self, key: RunKey, first: int, last: int, limit: int = 0, size: int = 0) -> list[Node]:
        """See Session."""
        nodes = self._tables.nodes.get(key, [])
        return _page(
            [each for each in nodes if each.last_event_id >= first and each.first_event_id <= last], limit, size
        )

    def read_requests(self, key: RunKey) -> list[bytes]:
        """See Session."""
        return [lot for (run, _), lot in sorted(self._tables.requests.items()) if run == key]

    def write(self, changes: Changes) -> None:
        """See Session."""
        tables = self._tables
        hold(tables, changes.fences)
        conflict = (
            any(key in tables.current for key in changes.current)
            or any(tables.current.get(key) != stored for key, (stored, _) in changes.moved.items())
            or any(key in tables.runs for key, _, _ in changes.created)
            or any(key not in tables.runs or tables.runs[key].version != v - 1 for key, v, _ in changes.updated)
        )
        if conflict:
            raise VersionConflict("somebody else was faster")
        tables.current.update(changes.current)
        tables.current.update({key: run_id for key, (_, run_id) in changes.moved.items()})
        for key, workflow, blob in changes.created:
            tables.runs[key] = Stored(1, blob)
            tables.workflows[key] = workflow
        for key, version, blob in changes.updated:
            tables.runs[key] = Stored(version, blob)
        for key, node in changes.nodes:
            tables.nodes.setdefault(key, []).append(node)
        tables.requests.update({(key, number): lot for key, number, lot in changes.requests})
        for key, kind, event_id in changes.buried:
            for each in [each for each in tables.tasks if each[:3] == (key, kind, event_id)]:
                del tables.tasks[each]
        for discarded in changes.discarded:
            tables.tasks.pop(discarded, None)
        for (key, kind, event_id), task in changes.tasks.items():
            tables.tasks[key, kind, event_id, task.stamp] = task
        for done in changes.transferred:
            tables.transfers.pop(done, None)
        for each_transfer in changes.transfers:
            run = RunKey(each_transfer.shard_id, each_transfer.run_id)
            tables.transfers[run, each_transfer.kind, each_transfer.event_id] = each_transfer
        for key in changes.slept:
            tables.wakes.pop(key, None)
        for wake in changes.wakes:
            tables.wakes[RunKey(wake.shard_id, wake.run_id)] = wake
        for record in (*changes.new_records, *changes.records):
            tables.records[RunKey(record.shard_id, record.run_id)] = record


class MemoryStore:
    """The tables behind the port."""

    retryable: tuple[type[Exception], ...] = (ConnectionError,)
    conflicts: tuple[type[Exception], ...] = ()

    def __init__(self, tables: Tables, shard_count: int) -> None:
        self.tables = tables
        self.shard_count = shard_count

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See Store."""
        yield MemorySession(self.tables)

    joined = transaction

    def on_commit(self, callback: Callable[[], None]) -> None:
        """See Store; there is no outer transaction."""
        callback()

    def was_applied(self, changes: Changes) -> bool | None:
        """See Store."""
        return was_applied(MemorySession(self.tables), changes)

    def reconnect(self) -> None:
        """See Store."""

    def close(self) -> None:
        """See Store."""

    def read_nodes(self, key: RunKey, first: int, last: int, limit: int = 0, size: int = 0) -> list[Node]:
        """See Store."""
        return MemorySession(self.tables).read_nodes(key, first, last, limit, size)

    def read_nodes_backwards(self, key: RunKey, last: int, limit: int, size: int = 0) -> list[Node]:
        """See Store."""
        nodes = [each for each in self.tables.nodes.get(key, []) if each.first_event_id <= last]
        return _page(nodes[::-1], limit, size)

    def due(self, until: int, limit: int, shards: Sequence[int] | None = None) -> list[Wake]:
        """See Store."""
        wakes = [wake for wake in self.tables.wakes.values() if shards is None or wake.shard_id in shards]
        wakes.sort(key=_fire_time)
        due = [wake for wake in wakes if wake.fire_time <= until]
        return due[:limit] + wakes[len(due) : len(due) + 1]

    def waiting_tasks(self, namespace_id: str, task_queue: str, kind: int, limit: int) -> list[Task]:
        """See Store."""
        tasks = self._queue(namespace_id, task_queue, kind)
        return sorted(tasks, key=lambda task: (task.priority, task.fairness_pass, task.created_time))[:limit]

    def stored_queues(self, queues: Sequence[tuple[str, str, int]]) -> list[bool]:
        """See Store."""
        return [bool(self._queue(*queue)) for queue in queues]

    def waiting_by_level(self, namespace_id: str, task_queue: str, kind: int) -> dict[int, tuple[int, int]]:
        """See Store."""
        levels: dict[int, list[int]] = {}
        for task in self._queue(namespace_id, task_queue, kind):
            levels.setdefault(task.priority, []).append(task.created_time)
        return {level: (len(times), min(times)) for level, times in levels.items()}

    def _queue(self, namespace_id: str, task_queue: str, kind: int) -> list[Task]:
        queue = (namespace_id, task_queue, kind)
        return [each for each in self.tables.tasks.values() if (each.namespace_id, each.task_queue, each.kind) == queue]

    def versions(self, runs: Sequence[RunKey]) -> dict[RunKey, int]:
        """See Store."""
        return {key: row.version for key in runs if (row := self.tables.runs.get(key)) is not None}

    def delete_task(self, task: Task) -> None:
        """See Store."""
        key = RunKey(task.shard_id, task.run_id)
        self.tables.tasks.pop((key, task.kind, task.scheduled_event_id, task.stamp), None)

    def transfers(self, before: int, limit: int, shards: Sequence[int] | None = None) -> list[Transfer]:
        """See Store."""
        rows = [each for each in self.tables.transfers.values() if shards is None or each.shard_id in shards]
        return [each for each in rows if each.created_time < before][:limit]

    def record_failure(
        self, task: Transfer | Wake, failure: Failure, pause: Callable[[int], int | None], fence: Fence | None
    ) -> bool:
        """See Store."""
        tables, run = self.tables, RunKey(task.shard_id, task.run_id)
        if fence is not None:
            hold(tables, [fence])
        if task not in (*tables.transfers.values(), *tables.wakes.values()):
            return True
        attempts = tables.attempts.pop(task, 0) + 1
        wait = pause(attempts)
        if wait is not None:
            later = task._replace(fire_time=failure.time + wait) if isinstance(task, Wake) else task
            tables.attempts[later] = attempts
            if isinstance(later, Wake):
                tables.wakes[run] = later
            return False
        tables.dead_letters[task] = failure
        if isinstance(task, Wake):
            del tables.wakes[run]
        else:
            del tables.transfers[run, task.kind, task.event_id]
        return True

    def remove_run(self, workflow: WorkflowKey, run: RunKey, but_for: int, fence: Fence | None) -> bool:
        """See Store."""
        tables = self.tables
        if fence is not None:
            hold(tables, [fence])
        if any(key == run and kind != but_for for key, kind, _ in tables.transfers):
            return False
        for rows in (tables.runs, tables.workflows, tables.nodes, tables.wakes, tables.records):
            rows.pop(run, None)
        if tables.current.get(workflow) == run.run_id:
            del tables.current[workflow]
        return True

    def task_queue_configs(self) -> dict[tuple[str, str, int], bytes]:
        """See Store."""
        return dict(self.tables.configs)

    def change_task_queue_config(self, queue: tuple[str, str, int], change: Callable[[bytes], bytes]) -> bytes:
        """See Store."""
        self.tables.configs[queue] = config = change(self.tables.configs.get(queue, b""))
        return config


def _fire_time(wake: Wake) -> int:
    return wake.fire_time


def _page(nodes: list[Node], limit: int, size: int) -> list[Node]:
    """The first nodes, within a number and a size."""
    found = nodes[:limit] if limit else nodes
    if not size:
        return found
    total = 0
    for index, node in enumerate(found):
        total += len(node.events)
        if total > size and index:
            return found[:index]
    return found
