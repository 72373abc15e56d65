"""What happens between a simulated run and others: children, signals, cancel requests, resets."""

from collections.abc import Iterable

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import (
    CancelExternalWorkflowExecutionFailedCause,
    SignalExternalWorkflowExecutionFailedCause,
    StartChildWorkflowExecutionFailedCause,
)
from temporalio.api.history.v1 import HistoryEvent

from orchestrator.core import child_birth, child_workflow, closing, external, reset, signal_requests
from orchestrator.core.birth import Identity
from orchestrator.core.state import Parent
from orchestrator.core.transfers import TransferKind
from tests.core.simulation import Simulation

_S = StartChildWorkflowExecutionFailedCause
ALREADY_EXISTS = _S.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS
_NOT_FOUND = "EXTERNAL_WORKFLOW_EXECUTION_FAILED_CAUSE_EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"
SIGNAL_NOT_FOUND = SignalExternalWorkflowExecutionFailedCause.Value(f"SIGNAL_{_NOT_FOUND}")
CANCEL_NOT_FOUND = CancelExternalWorkflowExecutionFailedCause.Value(f"CANCEL_{_NOT_FOUND}")


def child_of(parent: Simulation, initiated_event_id: int, run_id: str = "child-run") -> Simulation:
    """Begins the child of an INITIATED event; its parent does not know yet."""
    state = parent.state
    run = child_birth.begin(
        Identity("namespace-id", run_id, f"{state.run_id}:{initiated_event_id}:0"),
        parent.events[initiated_event_id - 1],
        parent=Parent(state.namespace_id, state.workflow_id, state.run_id, initiated_event_id),
        parent_namespace="default",
        parent_priority=state.priority,
        root=WorkflowExecution(
            workflow_id=state.root_workflow_id or state.workflow_id, run_id=state.root_run_id or state.run_id
        ),
        now=parent.now,
        limits=parent.limits,
    )
    return parent.other(run)


def release(child: Simulation) -> None:
    """The child gets its first workflow task, or waits for the time of it."""
    child.transact(child_birth.release, paid=(TransferKind.RELEASE_CHILD, 0))


def child_started(parent: Simulation, initiated_event_id: int, run_id: str = "child-run") -> None:
    """The parent learns that a child has begun."""
    parent.transact(
        lambda run: child_workflow.started(run, run.state.children[initiated_event_id], run_id),
        paid=(TransferKind.START_CHILD, initiated_event_id),
    )


def child_refused(parent: Simulation, initiated_event_id: int) -> None:
    """The parent learns that a child cannot begin."""
    parent.transact(
        lambda run: child_workflow.start_failed(run, run.state.children[initiated_event_id], ALREADY_EXISTS),
        paid=(TransferKind.START_CHILD, initiated_event_id),
    )


def child_ended(parent: Simulation, initiated_event_id: int, event: HistoryEvent, run_id: str = "child-run") -> None:
    """The parent learns how a child has ended, and in which run."""
    execution = WorkflowExecution(workflow_id="child", run_id=run_id)
    parent.transact(
        lambda run: child_workflow.ended(run, run.state.children[initiated_event_id], execution, "child-run", event),
        paid=(TransferKind.START_CHILD, initiated_event_id),
    )


def signal_answered(sender: Simulation, event_id: int, *, found: bool = True) -> None:
    """The sender learns what became of its signal."""
    sender.transact(
        lambda run: (
            external.signaled(run, event_id) if found else external.signal_failed(run, event_id, SIGNAL_NOT_FOUND)
        ),
        paid=(TransferKind.SIGNAL_EXTERNAL, event_id),
    )


def cancel_answered(sender: Simulation, event_id: int, *, found: bool = True) -> None:
    """The sender learns what became of its cancel request."""
    sender.transact(
        lambda run: (
            external.cancel_requested(run, event_id)
            if found
            else external.cancel_failed(run, event_id, CANCEL_NOT_FOUND)
        ),
        paid=(TransferKind.CANCEL_EXTERNAL, event_id),
    )


def reset_to(
    base: Simulation,
    finish_event_id: int,
    *,
    following: Iterable[Simulation] = (),
    excluded: frozenset[int] = frozenset(),
) -> Simulation:
    """Resets a run to a workflow task; `following` are the runs that went on for it."""
    replaced = [base, *following]
    current = replaced[-1]
    own = [event for event in base.events if event.event_id >= finish_event_id] + base.open().buffer
    later = [event for each in replaced[1:] for event in (*each.events, *each.open().buffer)]
    run = reset.fork(
        Identity(base.state.namespace_id, base.new_id(), base.new_id()),
        base.nodes(),
        finish_event_id,
        base=base.state,
        reason="again",
        now=current.now,
        limits=base.limits,
        new_id=base.new_id,
    )
    signal_requests.hand_on(current.open(), run)
    if current.state.running:
        current.transact(
            lambda run: closing.terminate(run, reason="again", identity=reset.RESETTER_IDENTITY, replaced=True)
        )
    reset.reapply(run, own, later, excluded)
    reset.finish(run)
    return base.other(run)
