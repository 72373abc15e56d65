"""Children, event by event: what the parent writes, and what its child begins with."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Header, Priority, WorkflowExecution
from temporalio.api.enums.v1 import (
    ContinueAsNewInitiator,
    ParentClosePolicy,
    RetryState,
    WorkflowIdReusePolicy,
    WorkflowTaskFailedCause,
)
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.api.taskqueue.v1 import TaskQueue

from orchestrator.core.completion import Target
from orchestrator.core.limits import Limits
from orchestrator.core.run import WORKFLOW
from orchestrator.core.transfers import TransferKind
from orchestrator.core.wire import SECOND
from orchestrator.errors import InvalidArgument
from tests.core import builders as build
from tests.core import family
from tests.core.simulation import QUEUE, Simulation

START = (TransferKind.START_CHILD, 5)
RELEASE = (TransferKind.RELEASE_CHILD, 0)
CLOSE = (TransferKind.CLOSE, 0)
_F = WorkflowTaskFailedCause
_P = ParentClosePolicy


def asked(parent: Simulation | None = None, **fields: Any) -> Simulation:
    """A parent that has asked for a child with its event 5, and waits."""
    parent = parent or Simulation()
    assert not parent.turn(build.start_child(**fields))
    return parent


def with_child(**fields: Any) -> Simulation:
    """A parent whose child has started, with its event 6; it has seen that, its last event is 9."""
    parent = asked(**fields)
    family.child_started(parent, 5)
    parent.turn()
    return parent


def last_event(simulation: Simulation) -> HistoryEvent:
    """With which a run closed."""
    assert not simulation.state.running
    return simulation.events[-1]


# What is asked for.


def test_initiated_has_the_defaults_of_a_start() -> None:
    parent = asked()
    assert parent.story(3) == ["WorkflowTaskCompleted StartChildWorkflowExecutionInitiated"]
    event = parent.last("StartChildWorkflowExecutionInitiated")
    assert (event.namespace, event.namespace_id, event.workflow_id) == ("default", "namespace-id", "child")
    assert (event.workflow_type.name, event.task_queue.name) == ("Parcel", QUEUE)
    assert event.parent_close_policy == _P.PARENT_CLOSE_POLICY_TERMINATE
    assert event.workflow_id_reuse_policy == WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
    assert event.workflow_task_timeout == Duration(seconds=10)
    assert (event.HasField("workflow_run_timeout"), event.workflow_run_timeout) == (True, Duration())
    assert not event.HasField("workflow_execution_timeout")
    assert not event.HasField("retry_policy")
    assert event.workflow_task_completed_event_id == 4
    assert parent.owed == {START}
    child = parent.state.children[5]
    assert (child.workflow_id, child.workflow_type, child.run_id, child.started_event_id) == ("child", "Parcel", "", 0)


def test_timeouts_limit_each_other() -> None:
    parent = asked(workflow_execution_timeout=build.seconds(30), workflow_task_timeout=build.seconds(60))
    event = parent.last("StartChildWorkflowExecutionInitiated")
    assert event.workflow_execution_timeout == event.workflow_run_timeout == Duration(seconds=30)
    assert event.workflow_task_timeout == Duration(seconds=30)


def test_all_that_is_asked_for_is_in_the_event() -> None:
    given: dict[str, Any] = {
        "task_queue": TaskQueue(name="parcels"),
        "input": build.payloads("1"),
        "header": Header(fields={"trace": build.payload("2")}),
        "memo": build.memo(a="3"),
        "priority": Priority(priority_key=2),
        "control": "old",
        "cron_schedule": "* * * * *",
        "parent_close_policy": _P.PARENT_CLOSE_POLICY_ABANDON,
        "workflow_id_reuse_policy": WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE,
    }
    event = asked(**given, retry_policy=build.retry_policy(2)).last("StartChildWorkflowExecutionInitiated")
    assert event.task_queue.name == "parcels"
    assert {name: getattr(event, name) for name in given if name != "task_queue"} == {
        name: value for name, value in given.items() if name != "task_queue"
    }
    assert event.retry_policy.maximum_interval == Duration(seconds=200)


def test_the_types_of_search_attributes_are_filled_in() -> None:
    event = asked(search_attributes=build.attributes(Kind='"x"')).last("StartChildWorkflowExecutionInitiated")
    assert event.search_attributes.indexed_fields["Kind"].metadata["type"] == b"Keyword"


def test_a_child_in_another_namespace() -> None:
    parent = Simulation()
    other = Target("other-id", "other", {})
    parent.turn(build.start_child(namespace="other"), targets={"other": other})
    event = parent.last("StartChildWorkflowExecutionInitiated")
    assert (event.namespace, event.namespace_id) == ("other", "other-id")
    assert parent.state.children[5].namespace_id == "other-id"


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"workflow_id": ""}, "Required field WorkflowId is not set on StartChildWorkflowExecutionCommand."),
        ({"workflow_type": None}, "Required field WorkflowType is not set on StartChildWorkflowExecutionCommand."),
        ({"workflow_id": "x" * 1001}, "WorkflowId on StartChildWorkflowExecutionCommand exceeds length limit."),
        (
            {"workflow_run_timeout": Duration(seconds=-1)},
            "Invalid WorkflowRunTimeout on StartChildWorkflowExecutionCommand",
        ),
        ({"priority": Priority(priority_key=-1)}, "Invalid Priority on StartChildWorkflowExecutionCommand"),
        ({"input": build.payloads("1" * (2 << 20))}, "StartChildWorkflowExecutionCommandAttributes. Input"),
    ],
)
def test_a_bad_command_fails_the_workflow_task(fields: dict[str, Any], text: str) -> None:
    parent = Simulation()
    parent.poll()
    message = parent.complete(build.start_child(**fields))
    assert message.startswith(f"BadStartChildExecutionAttributes: {text}")
    failed = parent.last("WorkflowTaskFailed")
    assert failed.cause == _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES
    assert not parent.state.children
    assert not parent.owed


@pytest.mark.parametrize(
    "fields",
    [
        {"cron_schedule": "often"},
        {"retry_policy": build.retry_policy(1, backoff_coefficient=0.5)},
        {"task_queue": TaskQueue(name="/_sys/x")},
        {"search_attributes": build.attributes(Count='"no number"')},
    ],
)
def test_some_bad_commands_fail_the_call(fields: dict[str, Any]) -> None:
    parent = Simulation()
    parent.poll()
    with pytest.raises(InvalidArgument):
        parent.complete(build.start_child(**fields))
    assert parent.story(3) == []


def test_too_many_children_wait() -> None:
    parent = Simulation(limits=Limits(pending_children=2))
    parent.turn(build.start_child("a"), build.start_child("b"), force=True)
    parent.poll()
    text = "the number of pending child workflow executions, 2, has reached the per-workflow limit of 2"
    assert parent.complete(build.start_child("c")) == f"PendingChildWorkflowsLimitExceeded: {text}"
    cause = _F.WORKFLOW_TASK_FAILED_CAUSE_PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED
    assert parent.last("WorkflowTaskFailed").cause == cause


# The handshake.


def test_the_child_has_no_task_before_its_parent_knows_of_it() -> None:
    parent = asked()
    child = family.child_of(parent, 5)
    assert child.story() == ["WorkflowExecutionStarted"]
    assert child.owed == {RELEASE}
    assert not child.tasks
    family.child_started(parent, 5)
    assert parent.story(5) == ["ChildWorkflowExecutionStarted WorkflowTaskScheduled"]
    started = parent.last("ChildWorkflowExecutionStarted")
    assert started.workflow_execution == WorkflowExecution(workflow_id="child", run_id="child-run")
    assert (started.initiated_event_id, started.workflow_type.name) == (5, "Parcel")
    assert (started.namespace, started.namespace_id) == ("default", "namespace-id")
    assert not parent.owed
    family.release(child)
    assert child.story(1) == ["WorkflowTaskScheduled"]
    assert (WORKFLOW, 2) in child.tasks
    assert not child.owed


def test_each_step_of_the_handshake_may_be_repeated() -> None:
    parent = asked()
    child = family.child_of(parent, 5)
    for _ in range(2):
        family.child_started(parent, 5)
        family.release(child)
    assert parent.story(5) == ["ChildWorkflowExecutionStarted WorkflowTaskScheduled"]
    assert child.story() == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]


def test_the_child_is_told_who_its_family_is() -> None:
    parent = asked(input=build.payloads("1"), priority=Priority(fairness_key="a"))
    child = family.child_of(parent, 5)
    started = child.last("WorkflowExecutionStarted")
    execution = WorkflowExecution(workflow_id="workflow", run_id="run-id")
    assert started.parent_workflow_execution == started.root_workflow_execution == execution
    assert (started.parent_workflow_namespace, started.parent_workflow_namespace_id) == ("default", "namespace-id")
    assert started.parent_initiated_event_id == 5
    assert started.first_execution_run_id == started.original_execution_run_id == "child-run"
    assert (started.attempt, started.input) == (1, build.payloads("1"))
    assert child.state.create_request_id == "run-id:5:0"


def test_the_root_is_that_of_the_parent() -> None:
    child = family.child_of(asked(), 5)
    family.release(child)
    grandchild = family.child_of(asked(child, workflow_id="grandchild"), 5, "grandchild-run")
    started = grandchild.last("WorkflowExecutionStarted")
    assert started.parent_workflow_execution == WorkflowExecution(workflow_id="child", run_id="child-run")
    assert started.root_workflow_execution == WorkflowExecution(workflow_id="workflow", run_id="run-id")


def test_what_a_child_sets_of_its_priority_goes_before_its_parents() -> None:
    parent = Simulation(build.start_request(priority=Priority(priority_key=1, fairness_key="a")))
    child = family.child_of(asked(parent, priority=Priority(priority_key=4)), 5)
    assert child.last("WorkflowExecutionStarted").priority == Priority(priority_key=4, fairness_key="a")


def test_summary_and_details_of_the_command_are_those_of_the_child() -> None:
    parent = Simulation()
    command = build.start_child()
    command.user_metadata.CopyFrom(UserMetadata(summary=build.payload('"x"')))
    parent.turn(command)
    assert parent.last_event("StartChildWorkflowExecutionInitiated").user_metadata == command.user_metadata
    assert family.child_of(parent, 5).last_event("WorkflowExecutionStarted").user_metadata == command.user_metadata


def test_execution_timeouts_and_cron_count_from_the_birth_of_the_child() -> None:
    parent = asked(workflow_execution_timeout=build.seconds(3600), cron_schedule="@every 60s")
    parent.advance(7)
    child = family.child_of(parent, 5)
    started = child.last("WorkflowExecutionStarted")
    assert child.state.execution_expiration == parent.now + 3600 * SECOND
    assert started.first_workflow_task_backoff == Duration(seconds=60)
    assert started.initiator == ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE
    family.release(child)
    assert child.story(1) == []
    child.advance(60)
    assert child.story(1) == ["WorkflowTaskScheduled"]


def test_a_signal_before_the_release_schedules_the_first_task() -> None:
    child = family.child_of(asked(), 5)
    child.signal()
    family.release(child)
    assert child.story(1) == ["WorkflowExecutionSignaled WorkflowTaskScheduled"]


def test_a_released_child_that_is_over_stays_as_it_is() -> None:
    child = family.child_of(asked(), 5)
    child.terminate()
    family.release(child)
    assert child.story(1) == ["WorkflowExecutionTerminated"]


def test_a_taken_id() -> None:
    parent = asked(control="old")
    family.child_refused(parent, 5)
    assert parent.story(5) == ["StartChildWorkflowExecutionFailed WorkflowTaskScheduled"]
    failed = parent.last("StartChildWorkflowExecutionFailed")
    assert (failed.cause, failed.workflow_id, failed.workflow_type.name) == (family.ALREADY_EXISTS, "child", "Parcel")
    assert (failed.initiated_event_id, failed.control) == (5, "old")
    assert not parent.state.children


# The end of a child.


def ended_child(how: str) -> Simulation:
    """A child that is over."""
    child = family.child_of(asked(), 5)
    family.release(child)
    match how:
        case "Completed":
            child.turn(build.complete_workflow(build.payloads("1")))
        case "Failed":
            child.turn(build.fail_workflow(build.application_failure("broken")))
        case "Canceled":
            child.cancel()
            child.turn(build.cancel_workflow(build.payloads("2")))
        case "Terminated":
            child.terminate(reason="enough")
        case "TimedOut":
            child = family.child_of(asked(workflow_run_timeout=build.seconds(5)), 5)
            child.advance(5)
    return child


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ("Completed", {"result": build.payloads("1")}),
        (
            "Failed",
            {
                "failure": build.application_failure("broken"),
                "retry_state": RetryState.RETRY_STATE_RETRY_POLICY_NOT_SET,
            },
        ),
        ("Canceled", {"details": build.payloads("2")}),
        ("Terminated", {}),
        ("TimedOut", {"retry_state": RetryState.RETRY_STATE_RETRY_POLICY_NOT_SET}),
    ],
)
def test_the_parent_is_told_how_its_child_ended(how: str, told: dict[str, Any]) -> None:
    child = ended_child(how)
    assert CLOSE in child.owed
    parent = with_child()
    family.child_ended(parent, 5, last_event(child))
    assert parent.story(9) == [f"ChildWorkflowExecution{how} WorkflowTaskScheduled"]
    event = parent.last(f"ChildWorkflowExecution{how}")
    assert event.workflow_execution == WorkflowExecution(workflow_id="child", run_id="child-run")
    assert (event.initiated_event_id, event.started_event_id, event.workflow_type.name) == (5, 6, "Parcel")
    assert (event.namespace, event.namespace_id) == ("default", "namespace-id")
    assert {name: getattr(event, name) for name in told} == told
    assert not parent.state.children


def test_an_end_that_comes_before_the_start_brings_it() -> None:
    parent = asked()
    family.child_ended(parent, 5, last_event(ended_child("Terminated")))
    assert parent.story(5) == [
        "ChildWorkflowExecutionStarted ChildWorkflowExecutionTerminated WorkflowTaskScheduled",
    ]
    assert parent.last("ChildWorkflowExecutionTerminated").started_event_id == 6
    assert not parent.owed


def test_the_last_run_of_a_chain_is_the_one_that_is_told_of() -> None:
    child = family.child_of(asked(), 5)
    family.release(child)
    child.turn(build.continue_as_new())
    assert CLOSE not in child.owed
    assert child.successor is not None
    following = child.successor
    started = following.last("WorkflowExecutionStarted")
    assert started.parent_workflow_execution == WorkflowExecution(workflow_id="workflow", run_id="run-id")
    assert started.parent_initiated_event_id == 5
    assert started.root_workflow_execution == WorkflowExecution(workflow_id="workflow", run_id="run-id")
    following.advance(1)
    following.turn(build.complete_workflow())
    assert CLOSE in following.owed
    parent = with_child()
    family.child_ended(parent, 5, last_event(following), following.state.run_id)
    ended = parent.last("ChildWorkflowExecutionCompleted")
    assert ended.workflow_execution.run_id == following.state.run_id


def test_start_and_end_wait_for_the_end_of_the_workflow_task() -> None:
    parent = asked()
    parent.signal()
    parent.poll()
    family.child_started(parent, 5)
    family.child_ended(parent, 5, last_event(ended_child("Completed")))
    parent.signal()
    assert parent.story(7) == ["WorkflowTaskStarted"]
    parent.complete()
    assert parent.story(8) == [
        "WorkflowTaskCompleted ChildWorkflowExecutionStarted WorkflowExecutionSignaled "
        "ChildWorkflowExecutionCompleted WorkflowTaskScheduled",
    ]
    assert parent.last("ChildWorkflowExecutionCompleted").started_event_id == 10


def test_a_start_that_waits_gets_its_id_with_the_others() -> None:
    parent = asked()
    parent.signal()
    parent.poll()
    family.child_started(parent, 5)
    assert parent.state.children[5].started_event_id == 0
    parent.complete()
    assert parent.state.children[5].started_event_id == 10


# The end of a parent.


@pytest.mark.parametrize(
    ("policy", "owes"),
    [
        (_P.PARENT_CLOSE_POLICY_TERMINATE, True),
        (_P.PARENT_CLOSE_POLICY_REQUEST_CANCEL, True),
        (_P.PARENT_CLOSE_POLICY_ABANDON, False),
    ],
)
@pytest.mark.parametrize("how", ["complete", "fail", "cancel", "continue", "terminate", "time out"])
def test_a_closing_parent_sees_to_its_children(how: str, policy: ParentClosePolicy.ValueType, owes: bool) -> None:
    parent = Simulation(build.start_request(workflow_run_timeout=build.seconds(60)))
    parent = asked(parent, parent_close_policy=policy)
    family.child_started(parent, 5)
    match how:
        case "complete":
            parent.turn(build.complete_workflow())
        case "fail":
            parent.turn(build.fail_workflow())
        case "cancel":
            parent.turn(build.cancel_workflow())
        case "continue":
            parent.turn(build.continue_as_new())
        case "terminate":
            parent.terminate()
        case "time out":
            parent.advance(60)
    assert not parent.state.running
    assert (CLOSE in parent.owed) == owes


def test_a_parent_that_closes_forgets_the_child_it_has_only_asked_for() -> None:
    parent = Simulation()
    parent.turn(build.start_child(), build.complete_workflow())
    assert parent.story(3) == [
        "WorkflowTaskCompleted StartChildWorkflowExecutionInitiated WorkflowExecutionCompleted",
    ]
    assert CLOSE not in parent.owed
    assert START in parent.owed, "the debt is looked at once more, and found to be void"


def test_a_run_that_a_reset_replaces_leaves_its_family_alone() -> None:
    parent = with_child()
    family.reset_to(parent, 9)
    assert not parent.state.running
    assert CLOSE not in parent.owed
