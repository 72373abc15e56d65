"""Signals and cancel requests to other workflows, event by event: the sender's side, and the side that is reached."""

from typing import Any

import pytest
from temporalio.api.common.v1 import Header, WorkflowExecution
from temporalio.api.enums.v1 import WorkflowTaskFailedCause

from orchestrator.core import signals
from orchestrator.core.completion import Target
from orchestrator.core.limits import Limits
from orchestrator.core.transfers import TransferKind, request_id
from orchestrator.errors import InvalidArgument, WorkflowClosed
from tests.core import builders as build
from tests.core import family
from tests.core.simulation import Simulation

SIGNAL = (TransferKind.SIGNAL_EXTERNAL, 5)
CANCEL = (TransferKind.CANCEL_EXTERNAL, 5)
SENDER = WorkflowExecution(workflow_id="sender", run_id="sender-run")
_F = WorkflowTaskFailedCause


def signalling(**fields: Any) -> Simulation:
    """A run that has sent a signal with its event 5, and waits."""
    sender = Simulation()
    assert not sender.turn(build.signal_external(**fields))
    return sender


def cancelling(**fields: Any) -> Simulation:
    """A run that has asked another one to end with its event 5, and waits."""
    sender = Simulation()
    assert not sender.turn(build.cancel_external(**fields))
    return sender


# The sender of a signal.


def test_a_signal_is_initiated() -> None:
    given: dict[str, Any] = {
        "input": build.payloads("1"),
        "header": Header(fields={"trace": build.payload("2")}),
        "control": "old",
        "child_workflow_only": True,
    }
    sender = signalling(run_id="7b8d41b4-6a3e-4be5-9d4a-6d3e6b6c4a55", **given)
    assert sender.story(3) == ["WorkflowTaskCompleted SignalExternalWorkflowExecutionInitiated"]
    event = sender.last("SignalExternalWorkflowExecutionInitiated")
    assert {name: getattr(event, name) for name in given} == given
    assert (event.signal_name, event.workflow_task_completed_event_id) == ("hello", 4)
    assert event.workflow_execution == WorkflowExecution(
        workflow_id="other", run_id="7b8d41b4-6a3e-4be5-9d4a-6d3e6b6c4a55"
    )
    assert (event.namespace, event.namespace_id) == ("default", "namespace-id")
    assert sender.owed == {SIGNAL}


def test_a_signal_into_another_namespace() -> None:
    sender = Simulation()
    sender.turn(build.signal_external(namespace="far"), targets={"far": Target("far-id", "far", {})})
    event = sender.last("SignalExternalWorkflowExecutionInitiated")
    assert (event.namespace, event.namespace_id) == ("far", "far-id")


def test_a_signal_is_delivered() -> None:
    sender = signalling(control="old")
    family.signal_answered(sender, 5)
    assert sender.story(5) == ["ExternalWorkflowExecutionSignaled WorkflowTaskScheduled"]
    event = sender.last("ExternalWorkflowExecutionSignaled")
    assert (event.initiated_event_id, event.control, event.namespace) == (5, "old", "default")
    assert event.workflow_execution == WorkflowExecution(workflow_id="other")
    assert not sender.state.external_signals


def test_a_signal_cannot_be_delivered() -> None:
    sender = signalling(control="old")
    family.signal_answered(sender, 5, found=False)
    assert sender.story(5) == ["SignalExternalWorkflowExecutionFailed WorkflowTaskScheduled"]
    event = sender.last("SignalExternalWorkflowExecutionFailed")
    assert (event.initiated_event_id, event.cause, event.control) == (5, family.SIGNAL_NOT_FOUND, "old")
    assert event.workflow_execution == WorkflowExecution(workflow_id="other")
    assert not sender.state.external_signals


# The sender of a cancel request.


def test_a_cancel_request_is_initiated() -> None:
    sender = cancelling(control="old", child_workflow_only=True, reason="enough")
    assert sender.story(3) == ["WorkflowTaskCompleted RequestCancelExternalWorkflowExecutionInitiated"]
    event = sender.last("RequestCancelExternalWorkflowExecutionInitiated")
    assert (event.control, event.child_workflow_only, event.reason) == ("old", True, "enough")
    assert event.workflow_execution == WorkflowExecution(workflow_id="other")
    assert sender.owed == {CANCEL}


def test_a_cancel_request_is_delivered() -> None:
    sender = cancelling()
    family.cancel_answered(sender, 5)
    assert sender.story(5) == ["ExternalWorkflowExecutionCancelRequested WorkflowTaskScheduled"]
    event = sender.last("ExternalWorkflowExecutionCancelRequested")
    assert (event.initiated_event_id, event.workflow_execution.workflow_id) == (5, "other")
    assert not sender.state.external_cancels


def test_a_cancel_request_cannot_be_delivered() -> None:
    sender = cancelling(control="old")
    family.cancel_answered(sender, 5, found=False)
    assert sender.story(5) == ["RequestCancelExternalWorkflowExecutionFailed WorkflowTaskScheduled"]
    event = sender.last("RequestCancelExternalWorkflowExecutionFailed")
    assert (event.initiated_event_id, event.cause, event.control) == (5, family.CANCEL_NOT_FOUND, "old")
    assert not sender.state.external_cancels


# What both have in common.


def test_answers_wait_for_the_end_of_the_workflow_task() -> None:
    sender = Simulation()
    sender.turn(build.signal_external(), build.cancel_external(), force=True)
    sender.poll()
    family.cancel_answered(sender, 6)
    family.signal_answered(sender, 5)
    assert sender.story(7) == ["WorkflowTaskStarted"]
    assert sender.complete(build.complete_workflow()) == "UnhandledCommand"
    assert sender.story(8) == [
        "WorkflowTaskFailed ExternalWorkflowExecutionCancelRequested ExternalWorkflowExecutionSignaled "
        "WorkflowTaskScheduled",
    ]


def test_a_run_may_close_before_the_answer() -> None:
    sender = Simulation()
    sender.turn(build.signal_external(), build.cancel_external(), build.complete_workflow())
    assert sender.story(3) == [
        "WorkflowTaskCompleted SignalExternalWorkflowExecutionInitiated "
        "RequestCancelExternalWorkflowExecutionInitiated WorkflowExecutionCompleted",
    ]
    assert sender.owed == {SIGNAL, (TransferKind.CANCEL_EXTERNAL, 6)}, "both are sent all the same"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"execution": None}, "Execution is not set on SignalExternalWorkflowExecutionCommand."),
        ({"workflow_id": ""}, "WorkflowId is not set on SignalExternalWorkflowExecutionCommand."),
        ({"run_id": "no-uuid"}, "Invalid RunId set on SignalExternalWorkflowExecutionCommand."),
        ({"signal_name": ""}, "SignalName is not set on SignalExternalWorkflowExecutionCommand."),
        (
            {"input": build.payloads("1" * (2 << 20))},
            "SignalExternalWorkflowExecutionCommandAttributes.Input exceeds size limit.",
        ),
    ],
)
def test_bad_signals_fail_the_workflow_task(fields: dict[str, Any], text: str) -> None:
    sender = Simulation()
    sender.poll()
    assert sender.complete(build.signal_external(**fields)).startswith(f"BadSignalWorkflowExecutionAttributes: {text}")
    assert not sender.owed


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"workflow_id": ""}, "WorkflowId is not set on RequestCancelExternalWorkflowExecutionCommand."),
        ({"run_id": "no-uuid"}, "Invalid RunId set on RequestCancelExternalWorkflowExecutionCommand."),
    ],
)
def test_bad_cancel_requests_fail_the_workflow_task(fields: dict[str, Any], text: str) -> None:
    sender = Simulation()
    sender.poll()
    assert sender.complete(build.cancel_external(**fields)).startswith(
        f"BadRequestCancelExternalWorkflowExecutionAttributes: {text}"
    )
    assert not sender.owed


def test_a_child_is_not_started_and_cancelled_at_once() -> None:
    sender = Simulation()
    sender.poll()
    text = sender.complete(build.start_child("child"), build.cancel_external("child"))
    assert "Start and RequestCancel for child workflow is not allowed in same workflow task." in text
    assert not sender.state.children


@pytest.mark.parametrize(
    ("limits", "command", "cause"),
    [
        (
            Limits(pending_external_signals=1),
            build.signal_external(),
            _F.WORKFLOW_TASK_FAILED_CAUSE_PENDING_SIGNALS_LIMIT_EXCEEDED,
        ),
        (
            Limits(pending_external_cancels=1),
            build.cancel_external(),
            _F.WORKFLOW_TASK_FAILED_CAUSE_PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED,
        ),
    ],
)
def test_too_many_wait_for_an_answer(limits: Limits, command: Any, cause: int) -> None:
    sender = Simulation(limits=limits)
    sender.poll()
    assert "has reached the per-workflow limit of 1" in sender.complete(command, command)
    assert sender.last("WorkflowTaskFailed").cause == cause


# The other side.


def send(target: Simulation, number: int = 5) -> None:
    """The signal of an event of the sender arrives."""
    target.transact(
        lambda run: signals.signal_from_workflow(
            run,
            SENDER,
            name="hello",
            input=build.payloads("1"),
            header=None,
            request_id=request_id("sender-run", number),
        )
    )


def test_a_signal_tells_who_sent_it() -> None:
    target = Simulation()
    send(target)
    assert target.story(2) == ["WorkflowExecutionSignaled"]
    event = target.last("WorkflowExecutionSignaled")
    assert (event.signal_name, event.input, event.identity) == ("hello", build.payloads("1"), "history-service")
    assert event.external_workflow_execution == SENDER


def test_a_signal_that_comes_twice_is_written_once() -> None:
    target = Simulation()
    send(target)
    send(target)
    send(target, 6)
    assert target.story(2) == ["WorkflowExecutionSignaled", "WorkflowExecutionSignaled"]


def test_a_signal_is_recognised_by_a_run_that_is_over() -> None:
    target = Simulation()
    send(target)
    target.terminate()
    send(target)
    with pytest.raises(WorkflowClosed):
        send(target, 6)


def test_a_signal_is_recognised_by_the_run_that_goes_on() -> None:
    target = Simulation()
    send(target)
    target.turn(build.continue_as_new())
    following = target.successor
    assert following is not None
    send(following)
    assert following.story() == ["WorkflowExecutionStarted"]


def test_a_refused_signal_is_not_remembered() -> None:
    target = Simulation(limits=Limits(signals=0))
    with pytest.raises(InvalidArgument):
        send(target)
    target.limits = Limits()
    send(target)
    assert target.story(2) == ["WorkflowExecutionSignaled"]


def test_a_cancel_request_tells_who_asks() -> None:
    target = Simulation()
    for _ in range(2):
        target.transact(
            lambda run: signals.request_cancel(
                run, reason="enough", identity="history-service", source=SENDER, initiated_event_id=5
            )
        )
    assert target.story(2) == ["WorkflowExecutionCancelRequested"]
    event = target.last("WorkflowExecutionCancelRequested")
    assert (event.cause, event.identity, event.external_initiated_event_id) == ("enough", "history-service", 5)
    assert event.external_workflow_execution == SENDER
