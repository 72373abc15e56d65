"""Signals and cancel requests from one workflow to another: first the other run, then the answer to the sender."""

from collections.abc import Callable
from typing import Any, NamedTuple

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import (
    CancelExternalWorkflowExecutionFailedCause,
    SignalExternalWorkflowExecutionFailedCause,
)

from orchestrator.core import external, signals, workflow_task
from orchestrator.core.run import Run
from orchestrator.core.transfers import TransferKind, request_id
from orchestrator.errors import InvalidArgument, NamespaceNotFound, NotFound, WorkflowNotFound
from orchestrator.services.engine import Engine, key_of
from orchestrator.store.ports import Transfer, WorkflowKey
from orchestrator.store.transition import Unit

_S = SignalExternalWorkflowExecutionFailedCause
_C = CancelExternalWorkflowExecutionFailedCause


class _Asked(NamedTuple):
    """What a workflow asked for.

    Attributes:
        attributes: of its INITIATED event.
        source: who asks.
        namespace_id: of who asks.
        children: the first runs of its open children.
    """

    attributes: Any
    source: WorkflowExecution
    namespace_id: str
    children: frozenset[str]


async def signal_external(engine: Engine, transfer: Transfer) -> None:
    """Sends the signal of an INITIATED event and tells the sender what became of it."""
    asked = await _look(engine, transfer)
    if asked is None:
        return
    attributes = asked.attributes
    sent = request_id(transfer.run_id, transfer.event_id)

    def operation(unit: Unit) -> None:
        run = unit.run()
        _check_child(run, asked)
        signals.signal_from_workflow(
            run,
            asked.source,
            name=attributes.signal_name,
            input=attributes.input if attributes.HasField("input") else None,
            header=attributes.header if attributes.HasField("header") else None,
            request_id=sent,
        )

    cause = None
    try:
        await _reach(engine, asked, operation)
    except NamespaceNotFound:
        cause = _S.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND
    except NotFound:
        cause = _S.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND
    except InvalidArgument:
        cause = _S.SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_SIGNAL_COUNT_LIMIT_EXCEEDED

    def answer(run: Run) -> None:
        if transfer.event_id not in run.state.external_signals:
            return
        if cause is None:
            external.signaled(run, transfer.event_id)
        else:
            external.signal_failed(run, transfer.event_id, cause)

    await _answer(engine, transfer, answer)


async def cancel_external(engine: Engine, transfer: Transfer) -> None:
    """Sends the cancel request of an INITIATED event and tells the sender what became of it."""
    asked = await _look(engine, transfer)
    if asked is None:
        return
    attributes = asked.attributes

    def operation(unit: Unit) -> None:
        run = unit.run()
        _check_child(run, asked)
        if not run.state.running and attributes.child_workflow_only:
            run = _latest(unit, run)
        signals.request_cancel(
            run,
            reason=attributes.reason,
            identity=workflow_task.SERVER_IDENTITY,
            request_id=request_id(transfer.run_id, transfer.event_id),
            source=asked.source,
            initiated_event_id=transfer.event_id,
        )

    cause = None
    try:
        await _reach(engine, asked, operation, needs_current=True)
    except NamespaceNotFound:
        cause = _C.CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_NAMESPACE_NOT_FOUND
    except NotFound:
        cause = _C.CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND

    def answer(run: Run) -> None:
        if transfer.event_id not in run.state.external_cancels:
            return
        if cause is None:
            external.cancel_requested(run, transfer.event_id)
        else:
            external.cancel_failed(run, transfer.event_id, cause)

    await _answer(engine, transfer, answer)


async def _look(engine: Engine, transfer: Transfer) -> _Asked | None:
    """What was asked for; None, and the debt is gone, when there was an answer already."""

    def operation(unit: Unit) -> _Asked | None:
        try:
            run = unit.run()
        except WorkflowNotFound:
            unit.paid(transfer.run_id, transfer.kind, transfer.event_id)
            return None
        state = run.state
        signal = transfer.kind == TransferKind.SIGNAL_EXTERNAL
        if transfer.event_id not in (state.external_signals if signal else state.external_cancels):
            unit.paid(transfer.run_id, transfer.kind, transfer.event_id)
            return None
        event = run.event(transfer.event_id)
        return _Asked(
            getattr(event, str(event.WhichOneof("attributes"))),
            WorkflowExecution(workflow_id=state.workflow_id, run_id=state.run_id),
            state.namespace_id,
            frozenset(child.run_id for child in state.children.values() if child.run_id),
        )

    found: _Asked | None = await engine.unit_of_work.execute(_source(transfer), operation, transfer.run_id)
    return found


async def _reach(
    engine: Engine, asked: _Asked, operation: Callable[[Unit], None], *, needs_current: bool | None = None
) -> None:
    """Applies an operation to the other workflow; a workflow cannot reach itself."""
    namespace_id, target = asked.attributes.namespace_id, asked.attributes.workflow_execution
    if namespace_id == asked.namespace_id and target.workflow_id == asked.source.workflow_id:
        raise WorkflowNotFound(target.workflow_id)
    await engine.namespace_by_id(namespace_id)
    key = key_of(namespace_id, target.workflow_id, engine.cluster.shard_count)
    await engine.unit_of_work.execute(key, operation, target.run_id, needs_current=needs_current)


async def _answer(engine: Engine, transfer: Transfer, answer: Callable[[Run], None]) -> None:
    """Writes the answer into the sender's history, unless it is over, and the debt is gone."""

    def operation(unit: Unit) -> None:
        unit.paid(transfer.run_id, transfer.kind, transfer.event_id)
        try:
            run = unit.run()
        except WorkflowNotFound:
            return
        if run.state.running:
            answer(run)

    await engine.unit_of_work.execute(_source(transfer), operation, transfer.run_id)


def _check_child(run: Run, asked: _Asked) -> None:
    """Raises NotFound when only a child may be reached and this is none of the sender's."""
    if not asked.attributes.child_workflow_only or run.state.first_run_id in asked.children:
        return
    parent = run.state.parent
    if parent is None or (parent.workflow_id, parent.run_id) != (asked.source.workflow_id, asked.source.run_id):
        raise NotFound("workflow parent does not match")


def _latest(unit: Unit, run: Run) -> Run:
    """The run a child has gone on with, when the one its parent knows is over."""
    current = unit.current_run()
    if current is not None and current.state.first_run_id == run.state.first_run_id:
        return current
    return run


def _source(transfer: Transfer) -> WorkflowKey:
    return WorkflowKey(transfer.shard_id, transfer.namespace_id, transfer.workflow_id)
