"""After the end of a run: its parent is told, and its children are left as their parent-close policy says."""

import asyncio
from typing import NamedTuple

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import ParentClosePolicy
from temporalio.api.history.v1 import HistoryEvent

from orchestrator.core import child_workflow
from orchestrator.core.state import Parent
from orchestrator.core.transfers import TransferKind
from orchestrator.errors import WorkflowNotFound
from orchestrator.services.engine import Engine, key_of
from orchestrator.services.parent_close_policy import apply_policy
from orchestrator.services.start_child import began_as
from orchestrator.store.ports import Transfer, WorkflowKey
from orchestrator.store.transition import Unit


class _Left(NamedTuple):
    """A child that does not outlive its parent as it is."""

    namespace_id: str
    workflow_id: str
    first_run_id: str
    policy: int


class _Closed(NamedTuple):
    """A run that is over. Without `parent` nobody has to be told."""

    execution: WorkflowExecution
    first_run_id: str
    event: HistoryEvent
    parent: Parent | None
    children: list[_Left]


async def close_family(engine: Engine, transfer: Transfer) -> None:
    """Tells the parent and applies the policies; each may have been done before."""
    key = WorkflowKey(transfer.shard_id, transfer.namespace_id, transfer.workflow_id)
    closed = await engine.unit_of_work.execute(key, _closed, transfer.run_id)
    if closed is not None:
        if closed.parent is not None:
            await _tell(engine, closed, closed.parent)
        await asyncio.gather(*(_leave(engine, closed.execution, child) for child in closed.children))
    await engine.pay(transfer)


def _closed(unit: Unit) -> _Closed | None:
    try:
        run = unit.run()
    except WorkflowNotFound:
        return None
    state = run.state
    if state.running:
        return None
    event = run.event(state.next_event_id - 1)
    attributes = getattr(event, str(event.WhichOneof("attributes")))
    goes_on = bool(getattr(attributes, "new_execution_run_id", ""))
    children = [
        _Left(child.namespace_id, child.workflow_id, child.run_id, child.close_policy)
        for child in state.children.values()
        if child.run_id and child.close_policy != ParentClosePolicy.PARENT_CLOSE_POLICY_ABANDON
    ]
    execution = WorkflowExecution(workflow_id=state.workflow_id, run_id=state.run_id)
    return _Closed(execution, state.first_run_id, event, None if goes_on else state.parent, children)


async def _tell(engine: Engine, closed: _Closed, parent: Parent) -> None:
    """Tells the parent; where a reset put another run in its place, that one."""
    key = key_of(parent.namespace_id, parent.workflow_id, engine.cluster.shard_count)

    def operation(unit: Unit) -> str:
        try:
            run = unit.run()
        except WorkflowNotFound:
            return ""
        if not run.state.running:
            return run.state.reset_run_id
        child = run.state.children.get(parent.initiated_event_id)
        if child is not None and began_as(child, run, closed.first_run_id):
            child_workflow.ended(run, child, closed.execution, closed.first_run_id, closed.event)
            unit.paid(run.state.run_id, TransferKind.START_CHILD, parent.initiated_event_id)
        return ""

    run_id = parent.run_id
    while run_id:
        run_id = await engine.unit_of_work.execute(key, operation, run_id)


async def _leave(engine: Engine, parent: WorkflowExecution, child: _Left) -> None:
    key = key_of(child.namespace_id, child.workflow_id, engine.cluster.shard_count)

    def operation(unit: Unit) -> None:
        apply_policy(unit.current_run(), child.first_run_id, child.policy, parent)

    await engine.unit_of_work.execute(key, operation)
