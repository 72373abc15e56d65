"""The PostgreSQL store: a batch is read with two statements and written and committed with one.

Rows are read without locks. The one writing statement names the version each run was computed from and fails as a whole
when any of them has moved on, so a commit is as exclusive as under locks, without the round trips of BEGIN, a locking
read and COMMIT. A conflict costs a repetition, workflow by workflow (`docs/adr/0002-optimistic-commit.md`).
"""

import threading
import time
from collections.abc import Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from django.db import DatabaseError, OperationalError
from psycopg import errors

from orchestrator.store import node_queries
from orchestrator.store.pg_arrays import DUMPERS, ByteaArray, Int4Array, Int8Array, TextArray, UuidArray
from orchestrator.store.pg_statements import CURRENT, FENCES, PARTS, REQUESTS, RUNS, RUNS_WITH_HISTORY
from orchestrator.store.ports import (
    Changes,
    Fence,
    LeaseLost,
    Node,
    RunKey,
    Session,
    Stored,
    VersionConflict,
    WorkflowKey,
)
from orchestrator.store.sql import SqlStore
from orchestrator.store.sql_tasks import reading

LOCK_TIMEOUT = "200ms"
"""Only a caller's open transaction locks a row for longer than a commit takes; others must not wait for it."""
PLANNING = {"enable_seqscan": "off", "enable_hashjoin": "off", "enable_mergejoin": "off", "jit": "off"}
"""Every statement of a batch looks rows up by key; see `pg_statements` for plans made while a table was small."""
SESSION = PLANNING | {"lock_timeout": LOCK_TIMEOUT, "plan_cache_mode": "force_generic_plan"}


class PostgresSession:
    """Reads that lock nothing, and a write that commits."""

    def __init__(self, connection: "psycopg.Connection[Any]") -> None:
        self._connection = connection

    def lock_current(self, keys: Iterable[WorkflowKey]) -> dict[WorkflowKey, str]:
        """See Session; the write finds out whether a row was added or moved since."""
        wanted = list(keys)
        if not wanted:
            return {}
        rows = self._fetch(
            CURRENT,
            (
                Int4Array.of(range(len(wanted))),
                Int4Array.of([key.shard_id for key in wanted]),
                UuidArray.of(key.namespace_id for key in wanted),
                TextArray.of(key.workflow_id for key in wanted),
            ),
        )
        return {wanted[index]: run_id for index, run_id in rows}

    def lock_runs(self, keys: dict[RunKey, int], with_history: Collection[RunKey] = ()) -> dict[RunKey, Stored]:
        """See Session; the write finds out whether a version has moved on."""
        wanted = list(keys)
        if not wanted:
            return {}
        asked = (
            Int4Array.of(range(len(wanted))),
            Int4Array.of([key.shard_id for key in wanted]),
            UuidArray.of(key.run_id for key in wanted),
            Int8Array.of(list(keys.values())),
        )
        if not with_history:
            return {wanted[index]: Stored(version, blob) for index, version, blob in self._fetch(RUNS, asked)}
        chosen = Int4Array.of([int(key in with_history) for key in wanted])
        rows = self._fetch(RUNS_WITH_HISTORY, (*asked, chosen))
        return {
            wanted[index]: Stored(version, blob, [Node(*node) for node in zip(*nodes, strict=True)] if nodes[0] else ())
            for index, version, blob, *nodes in rows
        }

    def read_nodes(self, key: RunKey, first: int, last: int, limit: int = 0, size: int = 0) -> list[Node]:
        """See Session."""
        query = node_queries.forwards("history_node", key.shard_id, key.run_id, first, last, limit=limit, size=size)
        rows = self._fetch(*query)
        return [Node(*row) for row in rows]

    def read_requests(self, key: RunKey) -> list[bytes]:
        """See Session."""
        return [lot for (lot,) in self._fetch(REQUESTS, (key.shard_id, key.run_id))]

    def write(self, changes: Changes) -> None:
        """See Session. Writes and commits, or raises and leaves everything as it was."""
        parts, values = _parts(changes)
        checks = []
        counts = {"fences": len(changes.fences), "updated": len(changes.updated), "moved": len(changes.moved)}
        for name, count in counts.items():
            if count:
                checks.append(f"(SELECT count(*) FROM {name}) = %s")
                values.append(count)
        names = ", ".join(f"{name} AS ({PARTS[name]})" for name in parts)
        condition = " AND ".join(checks) or "true"
        statement = f"WITH {names} SELECT 1 / CASE WHEN {condition} THEN 1 ELSE 0 END"
        try:
            self._commit(statement, values)
        except errors.DivisionByZero:
            self._check_fences(changes.fences)
            raise VersionConflict("a run was changed by another process") from None

    def _check_fences(self, fences: Collection[Fence]) -> None:
        """Raises LeaseLost if that is why nothing was written; a lease that is over stays so."""
        if not fences:
            return
        rows = self._fetch(FENCES, (Int4Array.of([fence.shard_id for fence in fences]),))
        if lost := set(fences) - {Fence(*row) for row in rows}:
            raise LeaseLost(lost)

    def _commit(self, statement: str, values: Sequence[Any]) -> None:
        self._fetch(statement, values)

    def _fetch(self, statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
        # Django's own cursors bind on the client, which has neither binary values nor prepared statements.
        with psycopg.Cursor(self._connection) as cursor:
            cursor.execute(statement, values, prepare=True, binary=True)
            return cursor.fetchall()


class Backend(NamedTuple):
    """The server's side of a connection; the time tells it from a later process of the same number."""

    pid: int
    started: datetime


OPEN_BACKEND = f"""
SELECT {", ".join(f"set_config('{name}', '{value}', false)" for name, value in SESSION.items())}, pid, backend_start
FROM pg_stat_activity WHERE pid = pg_backend_pid()
"""
END_BACKEND = """
SELECT pg_terminate_backend(pid) FROM pg_stat_activity
WHERE pid = %s AND backend_start = %s AND pid <> pg_backend_pid()
"""
END_PATIENCE = 50
END_PAUSE = 0.02


class PostgresStore(SqlStore):
    """PostgreSQL behind a Django alias; transactions that a caller has open are joined with portable SQL and locks."""

    retryable = (
        *SqlStore.retryable,
        psycopg.OperationalError,
        psycopg.InterfaceError,
        psycopg.IntegrityError,
        errors.ReadOnlySqlTransaction,  # a standby, until a failover is over
    )
    conflicts = (
        *SqlStore.conflicts,
        psycopg.IntegrityError,
        errors.DeadlockDetected,
        errors.LockNotAvailable,
        errors.QueryCanceled,
        errors.SerializationFailure,
    )

    prepare_threshold: int | None = 0

    def __init__(self, alias: str, shard_count: int) -> None:
        super().__init__(alias, shard_count)
        self._thread = threading.local()

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See Store; the write of the session is the commit."""
        raw = self._raw()
        if not getattr(raw, "_hugo_session", False):
            row = raw.execute(OPEN_BACKEND).fetchone()
            assert row is not None
            self._thread.backend = Backend(*row[-2:])
            raw._hugo_session = True  # type: ignore[attr-defined]
        yield PostgresSession(raw)

    def was_applied(self, changes: Changes) -> bool | None:
        """See Store. The session the commit was sent to is ended first, if it is still there.

        A server may not have noticed that its client is gone, and may commit after we have looked. What an ended
        session has not committed, it never will.
        """
        former: Backend | None = getattr(self._thread, "backend", None)
        raw = self._raw()
        if former is not None:
            for _ in range(END_PATIENCE):
                if raw.execute(END_BACKEND, former).fetchone() is None:
                    break
                time.sleep(END_PAUSE)
            else:
                raise OperationalError("the session that a commit was sent to does not end")
        return self.read_outcome(changes)

    @reading
    def read_nodes(self, key: RunKey, first: int, last: int, limit: int = 0, size: int = 0) -> list[Node]:
        """See Store."""
        return PostgresSession(self._raw()).read_nodes(key, first, last, limit, size)

    def _raw(self) -> "psycopg.Connection[Any]":
        """The calling thread's psycopg connection, in autocommit mode."""
        wrapper = self.connection
        wrapper.ensure_connection()
        raw: psycopg.Connection[Any] = wrapper.connection
        if raw.closed:
            wrapper.close()
            wrapper.ensure_connection()
            raw = wrapper.connection
        if not getattr(raw, "_hugo_arrays", False):
            for array, dumper in DUMPERS.items():
                raw.adapters.register_dumper(array, dumper)
            raw.prepare_threshold = self.prepare_threshold
            raw._hugo_arrays = True  # type: ignore[attr-defined]
        if not raw.autocommit:
            raise DatabaseError("the calling thread has a transaction open")
        return raw


def _parts(changes: Changes) -> tuple[list[str], list[Any]]:
    """The parts of the statement that have rows, and their parameters in order."""
    parts: list[str] = []
    values: list[Any] = []

    def add(name: str, *columns: Any) -> None:
        parts.append(name)
        values.extend(columns)

    if changes.fences:
        add(
            "fences",
            Int4Array.of([fence.shard_id for fence in changes.fences]),
            Int8Array.of([fence.range_id for fence in changes.fences]),
        )
    if changes.current:
        add("current", *_workflows(list(changes.current)), UuidArray.of(changes.current.values()))
    if changes.moved:
        moves = changes.moved.values()
        add(
            "moved",
            *_workflows(list(changes.moved)),
            UuidArray.of(stored for stored, _ in moves),
            UuidArray.of(run_id for _, run_id in moves),
        )
    if changes.created:
        workflows = [key for _, key, _ in changes.created]
        add(
            "created",
            *_runs([key for key, _, _ in changes.created]),
            UuidArray.of(key.namespace_id for key in workflows),
            TextArray.of(key.workflow_id for key in workflows),
            ByteaArray.of(blob for _, _, blob in changes.created),
        )
    if changes.updated:
        add(
            "updated",
            *_runs([key for key, _, _ in changes.updated]),
            Int8Array.of([version for _, version, _ in changes.updated]),
            ByteaArray.of(blob for _, _, blob in changes.updated),
        )
    if changes.nodes:
        nodes = [node for _, node in changes.nodes]
        add(
            "nodes",
            *_runs([key for key, _ in changes.nodes]),
            Int8Array.of([node.first_event_id for node in nodes]),
            Int8Array.of([node.last_event_id for node in nodes]),
            ByteaArray.of(node.events for node in nodes),
        )
    if changes.requests:
        add(
            "requests",
            *_runs([key for key, _, _ in changes.requests]),
            Int4Array.of([number for _, number, _ in changes.requests]),
            ByteaArray.of(lot for _, _, lot in changes.requests),
        )
    if changes.buried:
        add(
            "buried",
            *_runs([key for key, _, _ in changes.buried]),
            Int4Array.of([kind for _, kind, _ in changes.buried]),
            Int8Array.of([event_id for _, _, event_id in changes.buried]),
        )
    if changes.discarded:
        add(
            "discarded",
            *_runs([key for key, _, _, _ in changes.discarded]),
            Int4Array.of([kind for _, kind, _, _ in changes.discarded]),
            Int8Array.of([event_id for _, _, event_id, _ in changes.discarded]),
            Int4Array.of([stamp for _, _, _, stamp in changes.discarded]),
        )
    if changes.tasks:
        tasks = list(changes.tasks.values())
        add(
            "tasks",
            Int4Array.of([task.shard_id for task in tasks]),
            UuidArray.of(task.namespace_id for task in tasks),
            TextArray.of(task.task_queue for task in tasks),
            Int4Array.of([task.kind for task in tasks]),
            Int4Array.of([task.priority for task in tasks]),
            Int8Array.of([task.created_time for task in tasks]),
            TextArray.of(task.workflow_id for task in tasks),
            UuidArray.of(task.run_id for task in tasks),
            Int8Array.of([task.scheduled_event_id for task in tasks]),
            Int4Array.of([task.stamp for task in tasks]),
            Int8Array.of([task.fairness_pass for task in tasks]),
            TextArray.of(task.fairness_key for task in tasks),
            Int4Array.of([task.fairness_weight for task in tasks]),
        )
    if changes.transferred:
        add(
            "transferred",
            *_runs([key for key, _, _ in changes.transferred]),
            Int4Array.of([kind for _, kind, _ in changes.transferred]),
            Int8Array.of([event_id for _, _, event_id in changes.transferred]),
        )
    if changes.transfers:
        transfers = changes.transfers
        add(
            "transfers",
            Int4Array.of([each.shard_id for each in transfers]),
            UuidArray.of(each.namespace_id for each in transfers),
            TextArray.of(each.workflow_id for each in transfers),
            UuidArray.of(each.run_id for each in transfers),
            Int4Array.of([each.kind for each in transfers]),
            Int8Array.of([each.event_id for each in transfers]),
            Int8Array.of([each.created_time for each in transfers]),
        )
    if changes.slept:
        add("slept", *_runs(changes.slept))
    if changes.wakes:
        wakes = changes.wakes
        add(
            "wakes",
            Int4Array.of([wake.shard_id for wake in wakes]),
            UuidArray.of(wake.run_id for wake in wakes),
            UuidArray.of(wake.namespace_id for wake in wakes),
            TextArray.of(wake.workflow_id for wake in wakes),
            Int8Array.of([wake.fire_time for wake in wakes]),
        )
    if changes.new_records:
        rows = changes.new_records
        add(
            "new_records",
            Int4Array.of([row.shard_id for row in rows]),
            UuidArray.of(row.run_id for row in rows),
            UuidArray.of(row.namespace_id for row in rows),
            *(TextArray.of(column) for column in zip(*(row[3:6] for row in rows), strict=True)),
            Int4Array.of([row.status for row in rows]),
            *(Int8Array.of(column) for column in zip(*(row[7:14] for row in rows), strict=True)),
            *(TextArray.of(column) for column in zip(*(row[14:18] for row in rows), strict=True)),
            ByteaArray.of(row.memo for row in rows),
            ByteaArray.of(row.payloads for row in rows),
            TextArray.of(row.search_attributes for row in rows),
            TextArray.of(row.namespace_division for row in rows),
        )
    if changes.records:
        rows = changes.records
        add(
            "records",
            Int4Array.of([row.shard_id for row in rows]),
            UuidArray.of(row.run_id for row in rows),
            TextArray.of(row.task_queue for row in rows),
            Int4Array.of([row.status for row in rows]),
            *(Int8Array.of(column) for column in zip(*(row[8:14] for row in rows), strict=True)),
            ByteaArray.of(row.memo for row in rows),
            ByteaArray.of(row.payloads for row in rows),
            TextArray.of(row.search_attributes for row in rows),
            TextArray.of(row.namespace_division for row in rows),
        )
    return parts, values


def _runs(keys: Sequence[RunKey]) -> tuple[Int4Array, UuidArray]:
    return Int4Array.of([key.shard_id for key in keys]), UuidArray.of(key.run_id for key in keys)


def _workflows(keys: Sequence[WorkflowKey]) -> tuple[Int4Array, UuidArray, TextArray]:
    return (
        Int4Array.of([key.shard_id for key in keys]),
        UuidArray.of(key.namespace_id for key in keys),
        TextArray.of(key.workflow_id for key in keys),
    )
