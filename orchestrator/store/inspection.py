"""Reads what the tables hold of runs, page by page of a shard, for who looks whether it agrees.

Nothing is locked. So that a run which changes in between is not taken for a damaged one, its version is read before the
rest and after: rows change only together with it.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import reduce
from operator import or_
from typing import Any, NamedTuple

from django.db import connections, transaction
from django.db.models import Exists, Model, OuterRef, Q, QuerySet

from orchestrator.core import state as states
from orchestrator.core.liveness import Rows
from orchestrator.models import (
    CurrentExecution,
    DeadLetter,
    DispatchTask,
    Execution,
    Shard,
    TimerTask,
    TransferTask,
    VisibilityRecord,
)
from orchestrator.models.visibility import OPEN
from orchestrator.store.fencing_sql import hold
from orchestrator.store.ports import Fence, RunKey, WorkflowKey


class Inspected(NamedTuple):
    """A run and the rows beside it."""

    key: RunKey
    workflow: WorkflowKey
    version: int
    blob: bytes
    rows: Rows


@dataclass(slots=True)
class Page:
    """Some runs of a shard, and rows between them that belong to no run.

    Attributes:
        orphans: (table, id) of such rows.
        last: the run after which the next page begins; empty after the last page.
    """

    runs: list[Inspected] = field(default_factory=list)
    orphans: list[tuple[type[Model], int]] = field(default_factory=list)
    last: str = ""


def shards_in_use(alias: str, shards: Iterable[int]) -> list[int]:
    """Those shards that have any rows."""
    tables: tuple[type[Model], ...] = (Execution, DispatchTask, TimerTask, TransferTask)
    found = Shard.objects.using(alias).filter(id__in=list(shards))
    used = reduce(or_, (Q(Exists(_of_shard(model))) for model in tables))
    return list(found.filter(used).order_by("id").values_list("id", flat=True))


def read_page(alias: str, shard_id: int, after: str, limit: int) -> Page:
    """The runs of a shard that come after one, in the order of their ids.

    Args:
        alias: of the database.
        shard_id: the shard.
        after: a run id; empty for the first page.
        limit: runs, at most.
    """
    runs = _runs(alias, shard_id, {"run_id__gt": after} if after else {}, limit)
    span = {"run_id__gt": after} if after else {}
    page = Page(last=runs[-1].key.run_id if len(runs) == limit else "")
    if page.last:
        span["run_id__lte"] = page.last
    page.runs, strays = _with_rows(alias, shard_id, runs, span)
    page.orphans = _confirmed(alias, strays)
    return page


def read_run(alias: str, key: RunKey) -> Inspected | None:
    """A run and its rows as they are in the calling thread's transaction; None when there is none."""
    span = {"run_id": key.run_id}
    found, _ = _with_rows(alias, key.shard_id, _runs(alias, key.shard_id, span, 1), span)
    return found[0] if found else None


def unchanged(alias: str, runs: Iterable[Inspected]) -> list[Inspected]:
    """Those runs that have not changed since they were read."""
    known = list(runs)
    if not known:
        return []
    rows = Execution.objects.using(alias).filter(
        shard_id=known[0].key.shard_id, run_id__in=[each.key.run_id for each in known]
    )
    versions = {str(run_id): version for run_id, version in rows.values_list("run_id", "version")}
    return [each for each in known if versions.get(each.key.run_id) == each.version]


def remove_orphan(alias: str, model: type[Model], id: int, fence: Fence | None) -> bool:
    """Removes a row if it still belongs to no run; whether it did.

    Raises:
        LeaseLost: the fence is over.
    """
    row = model._default_manager.using(alias).filter(id=id).exclude(Exists(_run_of_row()))
    with transaction.atomic(using=alias):
        if fence is not None:
            hold(connections[alias], [fence])
        # Not delete(): it reads the rows first, and deletes what it has read.
        return bool(row._raw_delete(alias))


def _of_shard(model: type[Model]) -> QuerySet[Any]:
    return model._default_manager.filter(shard_id=OuterRef("id"))


def _run_of_row() -> QuerySet[Execution]:
    return Execution.objects.filter(shard_id=OuterRef("shard_id"), run_id=OuterRef("run_id"))


def _runs(alias: str, shard_id: int, span: dict[str, Any], limit: int) -> list[Inspected]:
    rows = (
        Execution.objects.using(alias)
        .filter(shard_id=shard_id, **span)
        .order_by("run_id")
        .values_list("run_id", "namespace_id", "workflow_id", "version", "state")[:limit]
    )
    return [
        Inspected(
            RunKey(shard_id, str(run_id)),
            WorkflowKey(shard_id, str(namespace_id), workflow_id),
            version,
            bytes(state),
            Rows(),
        )
        for run_id, namespace_id, workflow_id, version, state in rows
    ]


def _with_rows(
    alias: str, shard_id: int, runs: Sequence[Inspected], span: dict[str, Any]
) -> tuple[list[Inspected], list[tuple[type[Model], int]]]:
    """Runs with the rows beside them, and the rows in their span that belong to none of them."""
    known = {run.key.run_id for run in runs}
    strays: list[tuple[type[Model], int]] = []

    def rows(model: type[Model], *columns: str) -> Iterable[Any]:
        found = model._default_manager.using(alias).filter(shard_id=shard_id, **span)
        for id, run_id, *rest in found.values_list("id", "run_id", *columns):
            if str(run_id) in known:
                yield str(run_id), *rest
            elif model is not DeadLetter:
                strays.append((model, id))

    tasks: defaultdict[str, set[tuple[int, int, int]]] = defaultdict(set)
    for run_id, *task in rows(DispatchTask, "kind", "scheduled_event_id", "stamp"):
        tasks[run_id].add(tuple(task))
    owed: defaultdict[str, set[tuple[int, int]]] = defaultdict(set)
    for run_id, *transfer in rows(TransferTask, "kind", "event_id"):
        owed[run_id].add(tuple(transfer))
    failing = set()
    for run_id, queue, *transfer in rows(DeadLetter, "queue", "kind", "event_id"):
        if queue == DeadLetter.Queue.TIMER:
            failing.add(run_id)
        else:
            owed[run_id].add(tuple(transfer))
    wakes = {}
    for run_id, fire_time, attempts in rows(TimerTask, "fire_time", "attempts"):
        wakes[run_id] = fire_time
        if attempts:
            failing.add(run_id)
    shown = _shown(alias, known)
    current = _current(alias, shard_id, runs)
    latest = _latest(alias, shard_id, runs, current)
    found = [
        run._replace(
            rows=Rows(
                frozenset(tasks[run.key.run_id]),
                wakes.get(run.key.run_id, 0),
                run.key.run_id in failing,
                frozenset(owed[run.key.run_id]),
                shown.get(run.key.run_id),
                current.get(run.workflow, ""),
                run.key.run_id in latest,
            )
        )
        for run in runs
    ]
    return found, strays


def _shown(alias: str, run_ids: Iterable[str]) -> dict[str, tuple[int, int]]:
    rows = VisibilityRecord.objects.using(alias).filter(run_id__in=list(run_ids))
    return {
        str(run_id): (status, 0 if close_time == OPEN else close_time)
        for run_id, status, close_time in rows.values_list("run_id", "status", "close_time")
    }


def _current(alias: str, shard_id: int, runs: Iterable[Inspected]) -> dict[WorkflowKey, str]:
    # The namespaces too: without them a page would read the index of the whole shard.
    rows = CurrentExecution.objects.using(alias).filter(
        shard_id=shard_id,
        namespace_id__in={run.workflow.namespace_id for run in runs},
        workflow_id__in={run.workflow.workflow_id for run in runs},
    )
    return {
        WorkflowKey(shard_id, str(namespace_id), workflow_id): str(run_id)
        for namespace_id, workflow_id, run_id in rows.values_list("namespace_id", "workflow_id", "run_id")
    }


def _latest(alias: str, shard_id: int, runs: Sequence[Inspected], current: dict[WorkflowKey, str]) -> set[str]:
    """Runs begun after the closed one that passes for the current one of their workflow id, or instead of none."""
    named = {run.key.run_id: current.get(run.workflow, "") for run in runs}
    named = {run_id: other for run_id, other in named.items() if other and other != run_id}
    if not named:
        return set()
    rows = Execution.objects.using(alias).filter(shard_id=shard_id, run_id__in=[*named, *named.values()])
    ages = {str(run_id): id for run_id, id in rows.values_list("run_id", "id")}
    later = {run_id for run_id, other in named.items() if ages.get(run_id, 0) > ages.get(other, 0)}
    if not later:
        return set()
    blobs = Execution.objects.using(alias).filter(shard_id=shard_id, run_id__in=[named[run_id] for run_id in later])
    running = {str(run_id) for run_id, blob in blobs.values_list("run_id", "state") if _running(bytes(blob))}
    return {run_id for run_id in later if named[run_id] not in running}


def _running(blob: bytes) -> bool:
    try:
        return states.decode(blob).running
    except states.StateFormatError:
        return True


def _confirmed(alias: str, strays: list[tuple[type[Model], int]]) -> list[tuple[type[Model], int]]:
    """Those rows that are of no run even now: one may have begun in between."""
    found = []
    for model in {model for model, _ in strays}:
        ids = [id for each, id in strays if each is model]
        rows = model._default_manager.using(alias).filter(id__in=ids).exclude(Exists(_run_of_row()))
        found += [(model, id) for id in rows.values_list("id", flat=True)]
    return found
