"""What becomes of signals and cancel requests to other workflows, by what is there to be reached."""

from uuid import uuid4

import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.enums.v1 import (
    CancelExternalWorkflowExecutionFailedCause,
    SignalExternalWorkflowExecutionFailedCause,
)

from orchestrator.conf import HugoSettings
from orchestrator.core.transfers import TransferKind
from orchestrator.errors import NamespaceNotFound
from orchestrator.models import Namespace
from tests.core import builders as build
from tests.services.paying import (
    Paying,
    child,
    last,
    owed,
    story,
    wait_for,
    wait_until_nothing_is_owed,
)
from tests.store.consistency import current_run

SIGNALED = "ExternalWorkflowExecutionSignaled"
SIGNAL_FAILED = "SignalExternalWorkflowExecutionFailed"
CANCEL_REQUESTED = "ExternalWorkflowExecutionCancelRequested"
CANCEL_FAILED = "RequestCancelExternalWorkflowExecutionFailed"


def cause_of_signal() -> str:
    """Why the sender's signal failed."""
    value = last("sender", SIGNAL_FAILED).signal_external_workflow_execution_failed_event_attributes.cause
    return SignalExternalWorkflowExecutionFailedCause.Name(value).split("_CAUSE_")[1]


def cause_of_cancel() -> str:
    """Why the sender's cancel request failed."""
    value = last("sender", CANCEL_FAILED).request_cancel_external_workflow_execution_failed_event_attributes.cause
    return CancelExternalWorkflowExecutionFailedCause.Name(value).split("_CAUSE_")[1]


def send(process: Paying, *commands: Command) -> None:
    """A workflow does what its worker says, and all debts are paid."""
    process.begin_workflow("sender")
    process.turn("sender", *commands)
    wait_until_nothing_is_owed()


def both(workflow_id: str = "target", run_id: str = "", **fields: bool) -> tuple[Command, Command]:
    """A signal and a cancel request."""
    return (
        build.signal_external(workflow_id, run_id, **fields),
        build.cancel_external(workflow_id, run_id=run_id, **fields),
    )


def test_a_workflow_that_is_open(process: Paying) -> None:
    process.begin_workflow("target")
    send(process, *both())
    assert {SIGNALED, CANCEL_REQUESTED} < set(story("sender"))
    assert story("target")[2:] == ["WorkflowExecutionSignaled", "WorkflowExecutionCancelRequested"]


def test_a_workflow_nobody_has_started(process: Paying) -> None:
    send(process, *both())
    assert cause_of_signal() == cause_of_cancel() == "EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"


def test_a_run_that_is_not_there(process: Paying) -> None:
    process.begin_workflow("target")
    send(process, *both(run_id="7b8d41b4-6a3e-4be5-9d4a-6d3e6b6c4a55"))
    assert cause_of_signal() == cause_of_cancel() == "EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"


def test_a_workflow_that_is_closed(process: Paying) -> None:
    process.begin_workflow("target")
    process.do(process.terminate("target"))
    send(process, *both())
    assert cause_of_signal() == "EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"
    assert CANCEL_REQUESTED in story("sender"), "it has what was asked for"


def test_a_workflow_that_was_deleted(process: Paying) -> None:
    process.begin_workflow("target")
    process.remove("target")
    send(process, *both())
    assert cause_of_signal() == cause_of_cancel() == "EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"


def test_the_workflow_itself(process: Paying) -> None:
    send(process, *both("sender"))
    assert cause_of_signal() == cause_of_cancel() == "EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"
    assert "WorkflowExecutionSignaled" not in story("sender")


def test_only_a_child_may_be_reached(process: Paying) -> None:
    process.begin_workflow("target")
    send(process, *both(child_workflow_only=True))
    assert cause_of_signal() == cause_of_cancel() == "EXTERNAL_WORKFLOW_EXECUTION_NOT_FOUND"
    assert story("target") == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]


def test_a_child_is_one(process: Paying) -> None:
    process.begin_workflow("sender")
    process.turn("sender", child("target"))
    wait_for("sender", "ChildWorkflowExecutionStarted")
    process.turn("sender", *both(child_workflow_only=True))
    wait_until_nothing_is_owed()
    assert {SIGNALED, CANCEL_REQUESTED} < set(story("sender"))


def test_a_child_that_went_on_is_reached_by_its_first_run(process: Paying) -> None:
    process.begin_workflow("sender")
    process.turn("sender", child("target"))
    wait_for("sender", "ChildWorkflowExecutionStarted")
    first = current_run("target")
    process.turn("target", build.continue_as_new())
    process.turn("sender", build.cancel_external("target", run_id=first, child_workflow_only=True))
    wait_until_nothing_is_owed()
    assert CANCEL_REQUESTED in story("sender")
    assert current_run("target") != first
    assert "WorkflowExecutionCancelRequested" in story("target")


def test_a_target_that_takes_no_more_signals(on_sqlite: None) -> None:
    with Paying(settings=HugoSettings(sweep_interval=3600, limit_signals_count=1)) as process:
        process.begin_workflow("target")
        process.do(process.signal("target"))
        send(process, build.signal_external("target"))
    assert cause_of_signal() == "SIGNAL_COUNT_LIMIT_EXCEEDED"


def test_a_namespace_that_never_was_fails_the_call(process: Paying) -> None:
    process.begin_workflow("sender")
    task = process.poll("sender")
    for command in (
        build.signal_external("target", namespace="nowhere"),
        build.cancel_external("target", namespace="nowhere"),
        build.start_child("target", namespace="nowhere"),
    ):
        with pytest.raises(NamespaceNotFound):
            process.complete(task.task_token, command)
    assert story("sender")[-1] == "WorkflowTaskStarted"
    assert owed() == []


def test_a_namespace_that_is_gone_when_the_debt_is_paid(on_sqlite: None) -> None:
    with Paying(pays=False) as process:
        gone = Namespace.objects.create(id=uuid4(), name="gone", retention=0)
        process.begin_workflow("sender")
        process.turn(
            "sender",
            build.signal_external("target", namespace="gone"),
            build.cancel_external("target", namespace="gone"),
            build.start_child("target", namespace="gone"),
        )
        gone.delete()
    with Paying() as process:
        wait_until_nothing_is_owed()
        assert cause_of_signal() == cause_of_cancel() == "NAMESPACE_NOT_FOUND"
        assert "StartChildWorkflowExecutionFailed" in story("sender")


def test_a_sender_that_is_gone_owes_nothing_any_more(on_sqlite: None) -> None:
    with Paying(pays=False) as process:
        process.begin_workflow("target")
        process.begin_workflow("sender")
        process.turn("sender", *both(), build.complete_workflow())
    with Paying() as process:
        wait_until_nothing_is_owed()
        assert story("sender")[-1] == "WorkflowExecutionCompleted"
        assert story("target")[2:] == ["WorkflowExecutionSignaled", "WorkflowExecutionCancelRequested"]


def test_a_signal_is_known_to_the_run_a_reset_made(on_sqlite: None) -> None:
    with Paying(pays=False) as process:
        process.begin_workflow("target")
        process.turn("target")
        process.begin_workflow("sender")
        process.turn("sender", build.signal_external("target"))
        process.pay_in_part(TransferKind.SIGNAL_EXTERNAL, "sender", 2)
        assert SIGNALED not in story("sender")
        process.reset("target", 4)
    with Paying():
        wait_until_nothing_is_owed()
    assert SIGNALED in story("sender")
    assert story("target").count("WorkflowExecutionSignaled") == 1
