"""The portable store: plain SQL that SQLite, PostgreSQL and MySQL share, over Django's connections and models.

Tables and columns are named by the models, so that migrations stay the one owner of the schema.
"""

import uuid
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from operator import attrgetter
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Model

from orchestrator.models import (
    CurrentExecution,
    DispatchTask,
    Execution,
    HistoryNode,
    SignalRequests,
    TimerTask,
    TransferTask,
    VisibilityRecord,
)
from orchestrator.store import node_queries
from orchestrator.store.fencing_sql import hold
from orchestrator.store.outcome import was_applied
from orchestrator.store.ports import (
    EVERYTHING,
    LATEST_NODES,
    LATEST_SIZE,
    Changes,
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
from orchestrator.store.sql_tasks import SqlTasks, plain_uuid, reading

RECORD_COLUMNS = Record._fields
_RECORD_KEY = ("shard_id", "run_id")
_RECORD_FIXED = {"shard_id", "run_id", "namespace_id", "workflow_id", "workflow_type", "start_time"}


class Statements:
    """The statements, in the dialect of one connection."""

    def __init__(self, connection: Any) -> None:
        quote = connection.ops.quote_name

        def table(model: type[Model]) -> str:
            name: str = quote(model._meta.db_table)
            return name

        def insert(model: type[Model], columns: Sequence[str]) -> str:
            return (
                f"INSERT INTO {table(model)} ({', '.join(map(quote, columns))}) "
                f"VALUES ({', '.join(['%s'] * len(columns))})"
            )

        self.lock = " FOR UPDATE" if connection.features.has_select_for_update else ""
        self.current = table(CurrentExecution)
        self.execution = table(Execution)
        self.history = table(HistoryNode)
        self.dispatch = table(DispatchTask)
        self.timer = table(TimerTask)
        self.insert_current = insert(CurrentExecution, ("shard_id", "namespace_id", "workflow_id", "run_id"))
        self.move_current = (
            f"UPDATE {self.current} SET run_id = %s "
            "WHERE shard_id = %s AND namespace_id = %s AND workflow_id = %s AND run_id = %s"
        )
        self.insert_execution = insert(
            Execution, ("shard_id", "run_id", "namespace_id", "workflow_id", "version", "state")
        )
        self.update_execution = (
            f"UPDATE {self.execution} SET version = %s, state = %s WHERE shard_id = %s AND run_id = %s AND version = %s"
        )
        self.insert_node = insert(HistoryNode, ("shard_id", "branch_id", "first_event_id", "last_event_id", "events"))
        self.requests = table(SignalRequests)
        self.insert_requests = insert(SignalRequests, ("shard_id", "run_id", "number", "request_ids"))
        self.insert_task = insert(DispatchTask, Task._fields)
        self.delete_task = (
            f"DELETE FROM {self.dispatch} WHERE shard_id = %s AND run_id = %s AND kind = %s AND scheduled_event_id = %s"
        )
        self.discard_task = f"{self.delete_task} AND stamp = %s"
        self.insert_transfer = insert(TransferTask, Transfer._fields)
        self.delete_transfer = (
            f"DELETE FROM {table(TransferTask)} WHERE shard_id = %s AND run_id = %s AND kind = %s AND event_id = %s"
        )
        self.delete_wake = f"DELETE FROM {self.timer} WHERE shard_id = %s AND run_id = %s"
        self.insert_wake = insert(TimerTask, Wake._fields)
        self.insert_record = insert(VisibilityRecord, RECORD_COLUMNS)
        self.record_changes = [column for column in RECORD_COLUMNS if column not in _RECORD_FIXED]
        assignments = ", ".join(f"{quote(column)} = %s" for column in self.record_changes)
        self.update_record = f"UPDATE {table(VisibilityRecord)} SET {assignments} WHERE shard_id = %s AND run_id = %s"


class SqlSession:
    """One open transaction on a Django connection."""

    def __init__(self, connection: Any, statements: Statements) -> None:
        self._connection = connection
        self._sql = statements
        self._uuid = plain_uuid if not connection.features.has_native_uuid_field else str

    def lock_current(self, keys: Iterable[WorkflowKey]) -> dict[WorkflowKey, str]:
        """See Session."""
        found: dict[WorkflowKey, str] = {}
        with self._connection.cursor() as cursor:
            for key in keys:
                cursor.execute(
                    f"SELECT run_id FROM {self._sql.current} "
                    f"WHERE shard_id = %s AND namespace_id = %s AND workflow_id = %s{self._sql.lock}",
                    (key.shard_id, self._uuid(key.namespace_id), key.workflow_id),
                )
                row = cursor.fetchone()
                if row is not None:
                    found[key] = _dashed(row[0])
        return found

    def lock_runs(self, keys: dict[RunKey, int], with_history: Collection[RunKey] = ()) -> dict[RunKey, Stored]:
        """See Session."""
        found: dict[RunKey, Stored] = {}
        with self._connection.cursor() as cursor:
            for key, known in keys.items():
                cursor.execute(
                    f"SELECT version, CASE WHEN version = %s THEN NULL ELSE state END FROM {self._sql.execution} "
                    f"WHERE shard_id = %s AND run_id = %s{self._sql.lock}",
                    (known, key.shard_id, self._uuid(key.run_id)),
                )
                row = cursor.fetchone()
                if row is not None:
                    found[key] = Stored(row[0], row[1])
        for key in with_history:
            if key in found and found[key].blob is not None:
                nodes = self.read_nodes_backwards(key, EVERYTHING, LATEST_NODES, LATEST_SIZE)
                found[key] = found[key]._replace(nodes=nodes[::-1])
        return found

    def read_nodes(self, key: RunKey, first: int, last: int, limit: int = 0, size: int = 0) -> list[Node]:
        """See Session."""
        return self._nodes(
            node_queries.forwards(
                self._sql.history, key.shard_id, self._uuid(key.run_id), first, last, limit=limit, size=size
            )
        )

    def read_nodes_backwards(self, key: RunKey, last: int, limit: int, size: int = 0) -> list[Node]:
        """See Store."""
        return self._nodes(
            node_queries.backwards(
                self._sql.history, key.shard_id, self._uuid(key.run_id), last, limit=limit, size=size
            )
        )

    def read_requests(self, key: RunKey) -> list[bytes]:
        """See Session."""
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"SELECT request_ids FROM {self._sql.requests} WHERE shard_id = %s AND run_id = %s ORDER BY number",
                (key.shard_id, self._uuid(key.run_id)),
            )
            return [bytes(lot) for (lot,) in cursor.fetchall()]

    def _nodes(self, query: node_queries.Query) -> list[Node]:
        with self._connection.cursor() as cursor:
            cursor.execute(*query)
            return [Node(first, last, bytes(events)) for first, last, events in cursor.fetchall()]

    def write(self, changes: Changes) -> None:
        """See Session."""
        sql, as_uuid = self._sql, self._uuid
        if changes.fences:
            hold(self._connection, changes.fences)
        with self._connection.cursor() as cursor:

            def many(statement: str, rows: list[tuple[Any, ...]]) -> None:
                if rows:
                    cursor.executemany(statement, rows)

            many(
                sql.insert_current,
                [
                    (k.shard_id, as_uuid(k.namespace_id), k.workflow_id, as_uuid(run))
                    for k, run in changes.current.items()
                ],
            )
            # In the order in which reads lock: two commits wait for each other's rows at most one way.
            for k, (stored, run) in sorted(changes.moved.items()):
                cursor.execute(
                    sql.move_current,
                    (as_uuid(run), k.shard_id, as_uuid(k.namespace_id), k.workflow_id, as_uuid(stored)),
                )
                if cursor.rowcount != 1:
                    raise VersionConflict(k)
            many(
                sql.insert_execution,
                [
                    (key.shard_id, as_uuid(key.run_id), as_uuid(k.namespace_id), k.workflow_id, 1, blob)
                    for key, k, blob in changes.created
                ],
            )
            for key, version, blob in sorted(changes.updated):
                cursor.execute(sql.update_execution, (version, blob, key.shard_id, as_uuid(key.run_id), version - 1))
                if cursor.rowcount != 1:
                    raise VersionConflict(key)
            many(sql.insert_node, [(key.shard_id, as_uuid(key.run_id), *node) for key, node in changes.nodes])
            many(
                sql.insert_requests,
                [(key.shard_id, as_uuid(key.run_id), number, lot) for key, number, lot in changes.requests],
            )
            many(
                sql.delete_task,
                [(key.shard_id, as_uuid(key.run_id), kind, event) for key, kind, event in changes.buried],
            )
            many(
                sql.discard_task,
                [(key.shard_id, as_uuid(key.run_id), *task) for key, *task in changes.discarded],
            )
            many(
                sql.insert_task,
                [
                    task._replace(namespace_id=as_uuid(task.namespace_id), run_id=as_uuid(task.run_id))
                    for task in changes.tasks.values()
                ],
            )
            many(
                sql.delete_transfer,
                [(key.shard_id, as_uuid(key.run_id), kind, event) for key, kind, event in changes.transferred],
            )
            many(
                sql.insert_transfer,
                [
                    transfer._replace(namespace_id=as_uuid(transfer.namespace_id), run_id=as_uuid(transfer.run_id))
                    for transfer in changes.transfers
                ],
            )
            gone = [*changes.slept, *(RunKey(wake.shard_id, wake.run_id) for wake in changes.wakes)]
            many(sql.delete_wake, [(key.shard_id, as_uuid(key.run_id)) for key in gone])
            many(
                sql.insert_wake,
                [
                    wake._replace(run_id=as_uuid(wake.run_id), namespace_id=as_uuid(wake.namespace_id))
                    for wake in changes.wakes
                ],
            )
            many(
                sql.insert_record,
                [
                    record._replace(run_id=as_uuid(record.run_id), namespace_id=as_uuid(record.namespace_id))
                    for record in changes.new_records
                ],
            )
            many(
                sql.update_record,
                [
                    (
                        *(getattr(record, column) for column in sql.record_changes),
                        record.shard_id,
                        as_uuid(record.run_id),
                    )
                    for record in changes.records
                ],
            )


class SqlStore(SqlTasks):
    """A database behind a Django alias."""

    conflicts: tuple[type[Exception], ...] = (IntegrityError,)
    session_class: Callable[[Any, Statements], Session] = SqlSession

    def __init__(self, alias: str, shard_count: int) -> None:
        super().__init__(alias)
        self.shard_count = shard_count
        self._statements: Statements | None = None

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """See Store."""
        with self.joined() as session:
            yield session

    @contextmanager
    def joined(self) -> Iterator[Session]:
        """See Store."""
        with transaction.atomic(using=self.alias):
            yield self._session()

    def _session(self) -> Session:
        return self.session_class(self.connection, self._dialect())

    def _dialect(self) -> Statements:
        if self._statements is None:
            self._statements = Statements(self.connection)
        return self._statements

    def on_commit(self, callback: Callable[[], None]) -> None:
        """See Store."""
        transaction.on_commit(callback, using=self.alias, robust=True)

    def close(self) -> None:
        """See Store."""
        self.connection.close()

    def was_applied(self, changes: Changes) -> bool | None:
        """See Store."""
        return self.read_outcome(changes)

    def read_outcome(self, changes: Changes) -> bool | None:
        """What the rows tell of a commit that is over."""
        with self.transaction() as session:
            return was_applied(session, changes)

    @reading
    def read_nodes(self, key: RunKey, first: int, last: int, limit: int = 0, size: int = 0) -> list[Node]:
        """See Store."""
        return self._session().read_nodes(key, first, last, limit, size)

    @reading
    def read_nodes_backwards(self, key: RunKey, last: int, limit: int, size: int = 0) -> list[Node]:
        """See Store."""
        return SqlSession(self.connection, self._dialect()).read_nodes_backwards(key, last, limit, size)

    @reading
    def due(self, until: int, limit: int, shards: Sequence[int] | None = None) -> list[Wake]:
        """See Store."""
        marks = ", ".join(["%s"] * len(shards or ()))
        among = f" AND shard_id IN ({marks})" if shards is not None else ""

        def select(condition: str) -> str:
            return (
                f"SELECT * FROM (SELECT {', '.join(Wake._fields)} FROM {self._dialect().timer} "
                f"WHERE fire_time {condition}{among} ORDER BY fire_time LIMIT %s) found"
            )

        with self.connection.cursor() as cursor:
            cursor.execute(
                f"{select('<= %s')} UNION ALL {select('> %s')}",
                (until, *(shards or ()), limit, until, *(shards or ()), 1),
            )
            rows = cursor.fetchall()
        found = [
            Wake(shard, _dashed(run), _dashed(namespace), _text(workflow), time)
            for shard, run, namespace, workflow, time in rows
        ]
        return sorted(found, key=attrgetter("fire_time"))


def _text(value: Any) -> str:
    """A name of a row; see NameField."""
    return value.decode() if isinstance(value, bytes) else value


def _dashed(value: Any) -> str:
    """A UUID of a row in its usual form."""
    return str(value) if isinstance(value, uuid.UUID) else str(uuid.UUID(value))
