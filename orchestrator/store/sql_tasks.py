"""What a store reads, and changes, outside the unit of work: tasks, debts, versions, configurations of task queues."""

import functools
import uuid
from collections.abc import Callable, Sequence
from typing import Any, Concatenate, ParamSpec, TypeVar

from django.db import IntegrityError, InterfaceError, OperationalError, connections, transaction
from django.db.models import Count, Min

from orchestrator.models import DispatchTask, Execution, TaskQueue, TransferTask
from orchestrator.store.dead_letters import record_failure
from orchestrator.store.ports import Failure, Fence, RunKey, Task, Transfer, Wake, WorkflowKey
from orchestrator.store.run_removal import remove_run

P = ParamSpec("P")
R = TypeVar("R")
S = TypeVar("S", bound="SqlTasks")

QUEUES_A_STATEMENT = 100
RUNS_A_STATEMENT = 250


def reading(method: Callable[Concatenate[S, P], R]) -> Callable[Concatenate[S, P], R]:
    """Repeats a method once when its thread's connection turns out to be dead; the method must bear that.

    Threads of a server keep their connections for ever, and Django replaces a dead one only between web requests.
    """

    @functools.wraps(method)
    def repeated(self: S, *args: P.args, **kwargs: P.kwargs) -> R:
        try:
            return method(self, *args, **kwargs)
        except self.retryable:
            if self.connection.in_atomic_block:
                raise
            self.reconnect()
            return method(self, *args, **kwargs)

    return repeated


class SqlTasks:
    """The part of the portable store that is about work that waits."""

    retryable: tuple[type[Exception], ...] = (OperationalError, InterfaceError, IntegrityError)

    def __init__(self, alias: str) -> None:
        self.alias = alias

    @property
    def connection(self) -> Any:
        """The calling thread's connection."""
        return connections[self.alias]

    def reconnect(self) -> None:
        """See Store."""
        self.connection.close()

    @reading
    def waiting_tasks(self, namespace_id: str, task_queue: str, kind: int, limit: int) -> list[Task]:
        """See Store."""
        rows = (
            DispatchTask.objects.using(self.alias)
            .filter(namespace_id=namespace_id, task_queue=task_queue, kind=kind)
            .order_by("priority", "fairness_pass", "id")
            .values_list(*Task._fields)[:limit]
        )
        return [Task(*row)._replace(namespace_id=str(row[1]), run_id=str(row[7])) for row in rows]

    @reading
    def transfers(self, before: int, limit: int, shards: Sequence[int] | None = None) -> list[Transfer]:
        """See Store."""
        found = TransferTask.objects.using(self.alias).filter(created_time__lt=before)
        if shards is not None:
            found = found.filter(shard_id__in=shards)
        rows = found.order_by("id").values_list(*Transfer._fields)[:limit]
        return [Transfer(*row)._replace(namespace_id=str(row[1]), run_id=str(row[3])) for row in rows]

    @reading
    def stored_queues(self, queues: Sequence[tuple[str, str, int]]) -> list[bool]:
        """See Store."""
        connection = self.connection
        as_uuid = plain_uuid if not connection.features.has_native_uuid_field else str
        table = connection.ops.quote_name(DispatchTask._meta.db_table)
        exists = (
            f"CASE WHEN EXISTS (SELECT 1 FROM {table} WHERE namespace_id = %s AND task_queue = %s AND kind = %s) "
            "THEN 1 ELSE 0 END"
        )
        found: list[bool] = []
        with connection.cursor() as cursor:
            if len(queues) > QUEUES_A_STATEMENT:
                cursor.execute(f"SELECT 1 FROM {table} LIMIT 1")
                if cursor.fetchone() is None:
                    return [False] * len(queues)
            for start in range(0, len(queues), QUEUES_A_STATEMENT):
                some = queues[start : start + QUEUES_A_STATEMENT]
                values = [value for namespace, name, kind in some for value in (as_uuid(namespace), name, kind)]
                cursor.execute(f"SELECT {', '.join([exists] * len(some))}", values)
                found.extend(bool(value) for value in cursor.fetchone())
        return found

    @reading
    def waiting_by_level(self, namespace_id: str, task_queue: str, kind: int) -> dict[int, tuple[int, int]]:
        """See Store."""
        rows = (
            DispatchTask.objects.using(self.alias)
            .filter(namespace_id=namespace_id, task_queue=task_queue, kind=kind)
            .values_list("priority")
            .annotate(Count("id"), Min("created_time"))
            .order_by("priority")
        )
        return {level: (count, oldest) for level, count, oldest in rows}

    @reading
    def task_queue_configs(self) -> dict[tuple[str, str, int], bytes]:
        """See Store."""
        rows = TaskQueue.objects.using(self.alias).values_list("namespace_id", "name", "kind", "config")
        return {(str(namespace), name, kind): bytes(config) for namespace, name, kind, config in rows}

    def change_task_queue_config(self, queue: tuple[str, str, int], change: Callable[[bytes], bytes]) -> bytes:
        """See Store."""
        namespace_id, name, kind = queue
        with transaction.atomic(using=self.alias):
            row, _ = (
                TaskQueue.objects.using(self.alias)
                .select_for_update()
                .get_or_create(namespace_id=namespace_id, name=name, kind=kind)
            )
            row.config = config = change(bytes(row.config))
            row.save(update_fields=["config"])
        return config

    @reading
    def versions(self, runs: Sequence[RunKey]) -> dict[RunKey, int]:
        """See Store."""
        connection = self.connection
        as_uuid = plain_uuid if not connection.features.has_native_uuid_field else str
        table = connection.ops.quote_name(Execution._meta.db_table)
        found: dict[RunKey, int] = {}
        with connection.cursor() as cursor:
            for start in range(0, len(runs), RUNS_A_STATEMENT):
                some = runs[start : start + RUNS_A_STATEMENT]
                values = [value for run in some for value in (run.shard_id, as_uuid(run.run_id))]
                condition = " OR ".join(["shard_id = %s AND run_id = %s"] * len(some))
                cursor.execute(f"SELECT shard_id, run_id, version FROM {table} WHERE {condition}", values)
                for shard, run_id, version in cursor.fetchall():
                    found[RunKey(shard, str(uuid.UUID(str(run_id))))] = version
        return found

    @reading
    def delete_task(self, task: Task) -> None:
        """See Store."""
        DispatchTask.objects.using(self.alias).filter(
            shard_id=task.shard_id,
            run_id=task.run_id,
            kind=task.kind,
            scheduled_event_id=task.scheduled_event_id,
            stamp=task.stamp,
        ).delete()

    @reading
    def record_failure(
        self, task: Transfer | Wake, failure: Failure, pause: Callable[[int], int | None], fence: Fence | None
    ) -> bool:
        """See Store."""
        return record_failure(self.alias, task, failure, pause, fence)

    @reading
    def remove_run(self, workflow: WorkflowKey, run: RunKey, but_for: int, fence: Fence | None) -> bool:
        """See Store."""
        return remove_run(self.alias, workflow, run, but_for, fence)


def plain_uuid(value: str) -> str:
    """A UUID as Django stores it where the database has no type for it."""
    return value.replace("-", "")
