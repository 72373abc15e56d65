"""Starting children: the child begins without a task, its parent learns of it, then it gets its first task.

Three commits, each of which may be repeated. The child's run id follows from its parent's event, so that a second
attempt finds the run of the first, whatever became of it since.
"""

import hashlib
from copy import copy
from functools import partial
from typing import NamedTuple

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import (
    NamespaceState,
    ParentClosePolicy,
    StartChildWorkflowExecutionFailedCause,
    WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy,
)
from temporalio.api.history.v1 import HistoryEvent

from orchestrator.core import child_birth, child_workflow
from orchestrator.core.birth import Identity
from orchestrator.core.run import Run
from orchestrator.core.start import Policies
from orchestrator.core.state import Child, Parent
from orchestrator.core.transfers import TransferKind, request_id
from orchestrator.core.wire import time_ns
from orchestrator.errors import NamespaceNotFound, WorkflowExecutionAlreadyStarted, WorkflowNotFound
from orchestrator.services.engine import Engine, key_of, uuid7
from orchestrator.services.parent_close_policy import apply_policy
from orchestrator.services.start_workflow import check_policies, terminate_for
from orchestrator.store.ports import Transfer, WorkflowKey
from orchestrator.store.transition import Unit

_C = StartChildWorkflowExecutionFailedCause
_P = ParentClosePolicy
_R = WorkflowIdReusePolicy
_CONFLICT = WorkflowIdConflictPolicy


class _Asked(NamedTuple):
    """What a parent asked for, as it stands now.

    Attributes:
        by: the run that asked first; the parent itself unless a reset made that.
    """

    event: HistoryEvent
    child: Child
    running: bool
    by: str
    parent: Parent
    root: WorkflowExecution
    priority: bytes


class _Fate(NamedTuple):
    """What to do with a child that has begun: `policy` says how its closed parent left it, ABANDON lets it go on.

    `replaced_by` names the run that a reset put in the place of the parent, which is to be asked instead.
    """

    policy: int
    parent: WorkflowExecution
    replaced_by: str = ""


async def start_child(engine: Engine, transfer: Transfer) -> None:
    """Begins the child of an INITIATED event, or tells the parent why it cannot begin."""
    source = WorkflowKey(transfer.shard_id, transfer.namespace_id, transfer.workflow_id)
    asked = await engine.unit_of_work.execute(source, lambda unit: _asked(unit, transfer), transfer.run_id)
    if asked is None:
        return
    run_id = child_run_id(asked.by, asked.event)
    target = key_of(asked.child.namespace_id, asked.child.workflow_id, engine.cluster.shard_count)
    if asked.running and not asked.child.run_id:
        cause = await _begin(engine, asked, target, run_id)
        if cause is not None:
            await engine.unit_of_work.execute(source, lambda unit: _refuse(unit, transfer, cause), transfer.run_id)
            return
    elif not await engine.unit_of_work.execute(target, _exists, run_id):
        await engine.pay(transfer)
        return
    await _introduce(engine, asked.parent, target, run_id)


async def release_child(engine: Engine, transfer: Transfer) -> None:
    """Goes on with a child that was begun and then forgotten."""
    key = WorkflowKey(transfer.shard_id, transfer.namespace_id, transfer.workflow_id)

    def parent_of(unit: Unit) -> Parent | None:
        try:
            return unit.run().state.parent
        except WorkflowNotFound:
            return None

    parent = await engine.unit_of_work.execute(key, parent_of, transfer.run_id)
    if parent is None:
        await engine.pay(transfer)
        return
    await _introduce(engine, parent, key, transfer.run_id)


def child_run_id(asked_by: str, initiated: HistoryEvent) -> str:
    """The id of the first run of the child a run asked for: the same however often its start is tried."""
    name = request_id(asked_by, initiated.event_id)
    return uuid7(time_ns(initiated.event_time), hashlib.sha256(name.encode()).digest())


def began_as(child: Child, parent: Run, first_run_id: str) -> bool:
    """Whether a run is the first one of a child, known to its parent or not."""
    asked_by = child.asked_by or parent.state.run_id
    return first_run_id == (child.run_id or child_run_id(asked_by, parent.event(child.initiated_event_id)))


def _exists(unit: Unit) -> bool:
    try:
        unit.run()
    except WorkflowNotFound:
        return False
    return True


def _asked(unit: Unit, transfer: Transfer) -> _Asked | None:
    """What the parent asked for; None, and the debt is gone, when it does not wait for the child any more."""
    try:
        run = unit.run()
    except WorkflowNotFound:
        unit.paid(transfer.run_id, transfer.kind, transfer.event_id)
        return None
    state = run.state
    child = state.children.get(transfer.event_id)
    if child is None:
        unit.paid(transfer.run_id, transfer.kind, transfer.event_id)
        return None
    parent = Parent(state.namespace_id, state.workflow_id, state.run_id, transfer.event_id)
    root = WorkflowExecution(
        workflow_id=state.root_workflow_id or state.workflow_id, run_id=state.root_run_id or state.run_id
    )
    by = child.asked_by or state.run_id
    return _Asked(run.event(transfer.event_id), copy(child), state.running, by, parent, root, state.priority)


async def _begin(
    engine: Engine, asked: _Asked, target: WorkflowKey, run_id: str
) -> StartChildWorkflowExecutionFailedCause.ValueType | None:
    """Makes the child's first run, unless it is there; returns why it cannot be."""
    try:
        namespace = await engine.namespace_by_id(target.namespace_id)
        source = await engine.namespace_by_id(asked.parent.namespace_id)
    except NamespaceNotFound:
        return _C.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND
    if namespace.state != NamespaceState.NAMESPACE_STATE_REGISTERED:
        return _C.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND
    policies = _policies(asked)
    identity = Identity(namespace.id, run_id, request_id(asked.by, asked.event.event_id))

    def operation(unit: Unit) -> None:
        try:
            unit.run()
            return
        except WorkflowNotFound:
            pass
        current = unit.current_run()
        if current is not None:
            check_policies(current.state, policies)
            terminate_for(current, run_id)
        run = child_birth.begin(
            identity,
            asked.event,
            parent=asked.parent,
            parent_namespace=source.name,
            parent_priority=asked.priority,
            root=asked.root,
            now=unit.now,
            limits=engine.limits,
        )
        unit.begin(run)

    try:
        await engine.unit_of_work.execute(target, operation, run_id, needs_current=True)
    except WorkflowExecutionAlreadyStarted:
        return _C.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS
    return None


def _policies(asked: _Asked) -> Policies:
    reuse = asked.event.start_child_workflow_execution_initiated_event_attributes.workflow_id_reuse_policy
    if reuse == _R.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING:
        return Policies(
            _R.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, _CONFLICT.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
        )
    return Policies(reuse, _CONFLICT.WORKFLOW_ID_CONFLICT_POLICY_FAIL)


def _refuse(unit: Unit, transfer: Transfer, cause: StartChildWorkflowExecutionFailedCause.ValueType) -> None:
    """Tells the parent that the child cannot begin."""
    unit.paid(transfer.run_id, transfer.kind, transfer.event_id)
    try:
        run = unit.run()
    except WorkflowNotFound:
        return
    child = run.state.children.get(transfer.event_id)
    if run.state.running and child is not None and not child.run_id:
        child_workflow.start_failed(run, child, cause)


async def _introduce(engine: Engine, parent: Parent, target: WorkflowKey, run_id: str) -> None:
    """Tells the parent that the child has started; then lets the child go on, or does what the parent left for it."""
    source = key_of(parent.namespace_id, parent.workflow_id, engine.cluster.shard_count)
    meet = partial(_meet, parent=parent, first_run_id=run_id)
    fate = await engine.unit_of_work.execute(source, meet, parent.run_id)
    while fate.replaced_by:
        fate = await engine.unit_of_work.execute(source, meet, fate.replaced_by)

    def operation(unit: Unit) -> None:
        unit.paid(run_id, TransferKind.RELEASE_CHILD, 0)
        try:
            first = unit.run()
        except WorkflowNotFound:
            return
        if fate.policy == _P.PARENT_CLOSE_POLICY_ABANDON:
            child_birth.release(first)
        else:
            apply_policy(unit.current_run(), run_id, fate.policy, fate.parent)

    await engine.unit_of_work.execute(target, operation, run_id, needs_current=True)


def _meet(unit: Unit, parent: Parent, first_run_id: str) -> _Fate:
    """The parent, or the run in its place, learns of its child, if it still waits for it."""
    unit.paid(unit.run_id, TransferKind.START_CHILD, parent.initiated_event_id)
    execution = WorkflowExecution(workflow_id=parent.workflow_id, run_id=unit.run_id)
    on_its_own = _Fate(_P.PARENT_CLOSE_POLICY_ABANDON, execution)
    try:
        run: Run = unit.run()
    except WorkflowNotFound:
        return on_its_own
    child = run.state.children.get(parent.initiated_event_id)
    if child is None or not began_as(child, run, first_run_id):
        return on_its_own
    if not run.state.running:
        return _Fate(child.close_policy, execution, run.state.reset_run_id)
    child_workflow.started(run, child, first_run_id)
    return on_its_own
