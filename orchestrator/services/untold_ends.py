"""Children that have ended without their parents having been told, and without a debt that will tell them.

A parent that waits for such a child waits for ever. The child's last run comes to owe its end again: paying that twice
does no harm.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, NamedTuple

from orchestrator.core import state as states
from orchestrator.core.run import Transfer
from orchestrator.core.state import RUNNING, Child, ExecutionState
from orchestrator.core.transfers import TransferKind
from orchestrator.errors import WorkflowNotFound
from orchestrator.models import DeadLetter, Execution, TransferTask, VisibilityRecord
from orchestrator.store import inspection
from orchestrator.store.inspection import Inspected
from orchestrator.store.ports import RunKey, WorkflowKey
from orchestrator.store.transition import Unit

if TYPE_CHECKING:
    from orchestrator.services.engine import Engine


class UntoldEnd(NamedTuple):
    """The last run of a child, and the run that waits for it."""

    parent: Inspected
    workflow: WorkflowKey
    run_id: str


def untold_ends(engine: "Engine", parents: Iterable[tuple[Inspected, ExecutionState]]) -> list[UntoldEnd]:
    """The ends that some open runs wait for, and will never hear of; blocks."""
    alias = engine.settings.database
    waiting = [
        (parent, child)
        for parent, state in parents
        if state.running
        for child in state.children.values()
        if child.run_id
    ]
    ended = _ended(alias, [child for _, child in waiting])
    silent = [(parent, child) for parent, child in waiting if (child.namespace_id, child.workflow_id) in ended]
    if not silent:
        return []
    ends = [
        UntoldEnd(parent, *last)
        for parent, child in silent
        for last in _last_run(alias, child, ended[child.namespace_id, child.workflow_id])
    ]
    # Only now: a debt that was paid before it was looked for has changed the parent.
    same = {parent.key for parent in inspection.unchanged(alias, [end.parent for end in ends])}
    return [end for end in ends if end.parent.key in same]


def tell(engine: "Engine", end: UntoldEnd) -> bool:
    """Has the child's last run owe its end; whether it is still there, and closed."""

    def operation(unit: Unit) -> bool:
        try:
            run = unit.run()
        except WorkflowNotFound:
            return False
        if run.state.running:
            return False
        run.changed = True
        run.transfers.append(Transfer(TransferKind.CLOSE))
        return True

    told: bool = engine.unit_of_work.execute_joined(end.workflow, operation, end.run_id, needs_current=False)
    return told


def _ended(alias: str, children: Iterable[Child]) -> dict[tuple[str, str], list[RunKey]]:
    """The runs of those workflow ids of children that have none that is open."""
    names: defaultdict[str, set[str]] = defaultdict(set)
    for child in children:
        names[child.namespace_id].add(child.workflow_id)
    found: defaultdict[tuple[str, str], list[RunKey]] = defaultdict(list)
    running = set()
    for namespace_id, workflow_ids in names.items():
        rows = VisibilityRecord.objects.using(alias).filter(namespace_id=namespace_id, workflow_id__in=workflow_ids)
        for workflow_id, shard_id, run_id, status in rows.values_list("workflow_id", "shard_id", "run_id", "status"):
            found[namespace_id, workflow_id].append(RunKey(shard_id, str(run_id)))
            if status == RUNNING:
                running.add((namespace_id, workflow_id))
    return {name: runs for name, runs in found.items() if name not in running}


def _last_run(alias: str, child: Child, runs: list[RunKey]) -> Iterator[tuple[WorkflowKey, str]]:
    """The last run of a child, if it is closed and owes nobody its end; at most one."""
    shard_id, run_ids = runs[0].shard_id, [run.run_id for run in runs]
    rows = Execution.objects.using(alias).filter(shard_id=shard_id, run_id__in=run_ids).order_by("-id")
    for run_id, blob in rows.values_list("run_id", "state"):
        try:
            state = states.decode(bytes(blob))
        except states.StateFormatError:
            return
        if state.first_run_id != child.run_id:
            continue
        debt = {"shard_id": shard_id, "run_id": run_id, "kind": TransferKind.CLOSE}
        if not state.running and not any(
            model._default_manager.using(alias).filter(**debt).exists() for model in (TransferTask, DeadLetter)
        ):
            yield WorkflowKey(shard_id, child.namespace_id, child.workflow_id), str(run_id)
        return
