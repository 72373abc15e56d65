"""Resets, event by event: what the new run begins with, what it takes over, and what it asks for again."""

from collections.abc import Iterable

import pytest
from temporalio.api.common.v1 import Priority
from temporalio.api.enums.v1 import (
    ResetReapplyExcludeType,
    ResetReapplyType,
    UpdateAdmittedEventOrigin,
    WorkflowTaskFailedCause,
)
from temporalio.api.workflow.v1 import WorkflowExecutionOptions

from orchestrator.core import execution_options, reset, signals
from orchestrator.core.run import ACTIVITY
from orchestrator.core.transfers import TransferKind
from orchestrator.core.wire import SECOND
from orchestrator.errors import InvalidArgument
from tests.core import builders as build
from tests.core import family
from tests.core.family import reset_to
from tests.core.simulation import NOW, Simulation

_T = ResetReapplyType
_X = ResetReapplyExcludeType
BEGUN_AGAIN = "WorkflowTaskFailed WorkflowTaskScheduled"


def signalled() -> Simulation:
    """Two completed workflow tasks and a signal between them: eight events."""
    base = Simulation()
    base.turn()
    base.signal("one")
    base.turn()
    return base


def names(simulation: Simulation, after: int) -> list[str]:
    """The signals behind an event id."""
    return [
        event.workflow_execution_signaled_event_attributes.signal_name
        for event in simulation.events
        if event.event_id > after and event.HasField("workflow_execution_signaled_event_attributes")
    ]


# Where a run is reset to.


def test_a_completed_task_fails_instead() -> None:
    base = signalled()
    base.advance(5)
    fresh = reset_to(base, 4)
    assert fresh.story() == [
        "WorkflowExecutionStarted WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskFailed WorkflowExecutionSignaled WorkflowTaskScheduled",
    ]
    failed = fresh.last("WorkflowTaskFailed")
    assert failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW
    assert (failed.base_run_id, failed.new_run_id) == ("run-id", fresh.state.run_id)
    assert (failed.scheduled_event_id, failed.started_event_id, failed.identity) == (2, 3, "history-service")
    assert failed.failure.message == "again"
    assert failed.failure.HasField("reset_workflow_failure_info")
    assert fresh.events[:3] == base.events[:3]
    assert fresh.last("WorkflowTaskScheduled").attempt == 1
    assert (fresh.state.start_time, fresh.state.original_start_time) == (base.now, NOW)
    assert fresh.state.last_reset_time == base.now
    assert fresh.state.first_run_id == "run-id"
    assert base.story(8) == ["WorkflowExecutionTerminated"]
    terminated = base.last("WorkflowExecutionTerminated")
    assert (terminated.reason, terminated.identity) == ("again", "history-resetter")


def test_a_task_that_is_only_scheduled_is_started_first() -> None:
    fresh = reset_to(signalled(), 7)
    assert fresh.story(5) == ["WorkflowTaskScheduled", "WorkflowTaskStarted", BEGUN_AGAIN]


def test_a_failed_and_a_timed_out_task_can_be_reset_to() -> None:
    base = Simulation()
    base.poll()
    base.fail_task()
    assert reset_to(base, 4).story(3) == [BEGUN_AGAIN]
    base = Simulation()
    base.poll()
    base.advance(10)
    assert reset_to(base, 4).story(3) == [BEGUN_AGAIN]


def test_a_task_that_a_worker_has_can_be_reset_to() -> None:
    base = signalled()
    base.signal("two")
    base.poll()
    base.signal("buffered")
    fresh = reset_to(base, 4)
    assert names(fresh, 4) == ["one", "two", "buffered"]
    assert base.story(11) == ["WorkflowTaskFailed WorkflowExecutionSignaled WorkflowExecutionTerminated"]


@pytest.mark.parametrize("event_id", [2, 5, 6])
def test_other_events_are_refused(event_id: int) -> None:
    base = signalled()
    with pytest.raises(InvalidArgument, match=f"WorkflowTaskStarted \\+ 1]: {event_id}$"):
        reset_to(base, event_id)
    assert base.state.running


def test_a_closed_run_is_reset() -> None:
    base = signalled()
    base.signal()
    base.turn(build.complete_workflow())
    history = list(base.events)
    fresh = reset_to(base, 8)
    assert base.events == history
    assert fresh.state.running
    assert fresh.story(7) == ["WorkflowTaskFailed WorkflowExecutionSignaled WorkflowTaskScheduled"]


def test_a_cut_inside_a_batch() -> None:
    base = Simulation()
    base.turn(force=True)
    base.turn(build.record_marker(), force=True)
    fresh = reset_to(base, 7)
    assert base.story(3)[0] == "WorkflowTaskCompleted WorkflowTaskScheduled"
    assert fresh.story(3) == ["WorkflowTaskCompleted WorkflowTaskScheduled", "WorkflowTaskStarted", BEGUN_AGAIN]


def test_a_reset_of_a_reset() -> None:
    base = signalled()
    base.advance(5)
    second = reset_to(base, 4)
    second.advance(5)
    second.turn()
    second.signal("two")
    third = reset_to(second, 8)
    assert third.story(5)[-1] == "WorkflowTaskFailed WorkflowExecutionSignaled WorkflowTaskScheduled"
    assert names(third, 0) == ["one", "two"]
    assert (third.state.start_time, third.state.original_start_time) == (third.now, NOW)
    assert third.state.first_run_id == "run-id"
    fourth = reset_to(third, 4)
    assert names(fourth, 0) == ["one", "two"]
    assert fourth.last("WorkflowTaskFailed").base_run_id == third.state.run_id


# What is taken over.


def updated() -> Simulation:
    """A run with one of everything behind its first workflow task: the reset point is event 4."""
    base = Simulation()
    base.turn()
    base.signal("one")
    base.update("accepted")
    base.poll()
    base.complete(messages=[build.acceptance("accepted")])
    base.update("completed")
    base.poll()
    base.complete(messages=[build.acceptance("completed"), build.response("completed")])
    base.cancel()
    return base


@pytest.mark.parametrize(
    ("kind", "excluded", "expected"),
    [
        (_T.RESET_REAPPLY_TYPE_UNSPECIFIED, [], ["one", "accepted", "completed"]),
        (_T.RESET_REAPPLY_TYPE_ALL_ELIGIBLE, [], ["one", "accepted", "completed"]),
        (_T.RESET_REAPPLY_TYPE_SIGNAL, [], ["one"]),
        (_T.RESET_REAPPLY_TYPE_NONE, [], []),
        (_T.RESET_REAPPLY_TYPE_ALL_ELIGIBLE, [_X.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL], ["accepted", "completed"]),
        (_T.RESET_REAPPLY_TYPE_ALL_ELIGIBLE, [_X.RESET_REAPPLY_EXCLUDE_TYPE_UPDATE], ["one"]),
        (_T.RESET_REAPPLY_TYPE_SIGNAL, [_X.RESET_REAPPLY_EXCLUDE_TYPE_SIGNAL], []),
    ],
)
def test_signals_and_updates_are_taken_over_unless_excluded(
    kind: ResetReapplyType.ValueType, excluded: Iterable[int], expected: list[str]
) -> None:
    fresh = reset_to(updated(), 4, excluded=reset.exclusions(kind, excluded))
    assert [*names(fresh, 4), *fresh.state.updates] == expected
    assert not fresh.state.cancel_requested


def test_an_unknown_reapply_type() -> None:
    with pytest.raises(InvalidArgument, match="unknown reset reapply type: 9"):
        reset.exclusions(9, [])  # type: ignore[arg-type]


def test_an_update_is_admitted_by_an_event() -> None:
    fresh = reset_to(updated(), 4)
    assert fresh.story(3) == [
        "WorkflowTaskFailed WorkflowExecutionSignaled WorkflowExecutionUpdateAdmitted "
        "WorkflowExecutionUpdateAdmitted WorkflowTaskScheduled",
    ]
    admitted = fresh.last("WorkflowExecutionUpdateAdmitted")
    assert admitted.request == build.update_request("completed")
    assert admitted.origin == UpdateAdmittedEventOrigin.UPDATE_ADMITTED_EVENT_ORIGIN_REAPPLY
    fresh.poll()
    assert not fresh.messages, "the worker finds them in the history"
    fresh.complete(messages=[build.acceptance("accepted"), build.response("accepted"), build.rejection("completed")])
    assert not fresh.last("WorkflowExecutionUpdateAccepted").HasField("accepted_request")
    assert list(fresh.state.completed_updates) == ["accepted"]
    assert not fresh.state.updates


def test_an_update_that_was_taken_over_is_taken_over_again() -> None:
    second = reset_to(updated(), 4)
    second.turn(messages=[build.acceptance("accepted"), build.acceptance("completed")])
    third = reset_to(second, 4)
    assert list(third.state.updates) == ["accepted", "completed"]
    assert [event.event_type for event in third.events] == [event.event_type for event in second.events[:8]]


def test_an_update_that_was_taken_over_and_rejected_may_be_sent_again() -> None:
    fresh = reset_to(updated(), 4)
    fresh.turn()
    assert not fresh.state.updates
    fresh.update("accepted")
    fresh.poll()
    fresh.complete(messages=[build.acceptance("accepted")])
    assert fresh.last("WorkflowExecutionUpdateAccepted").HasField("accepted_request")


def test_an_update_nobody_has_accepted_ends_with_its_run() -> None:
    base = signalled()
    base.update()
    fresh = reset_to(base, 4)
    assert "update" in base.news
    assert not fresh.state.updates


def test_an_update_that_the_kept_history_knows_is_not_admitted_again() -> None:
    base = updated()
    base.poll()
    base.complete(messages=[build.response("accepted")])
    accepted = base.state.completed_updates["accepted"]
    fresh = reset_to(base, accepted - 1)
    assert fresh.story(accepted - 2) == [BEGUN_AGAIN]
    assert fresh.state.updates["accepted"].accepted_event_id
    assert list(fresh.state.completed_updates) == ["completed"]


def test_signals_count_and_keep_who_sent_them() -> None:
    base = Simulation()
    base.turn()
    source = family.WorkflowExecution(workflow_id="sender", run_id="sender-run")
    base.transact(
        lambda run: signals.signal_from_workflow(
            run, source, name="one", input=build.payloads("1"), header=None, request_id="sender-run:5:0"
        )
    )
    fresh = reset_to(base, 4)
    event = fresh.last("WorkflowExecutionSignaled")
    assert (event.external_workflow_execution, event.input) == (source, build.payloads("1"))
    assert event.identity == "history-service"
    assert fresh.state.signals == 1


def test_options_are_taken_over() -> None:
    base = signalled()
    options = WorkflowExecutionOptions(priority=Priority(priority_key=1))
    base.transact(lambda run: execution_options.update(run, options, ["priority"], "operator"))
    base.transact(lambda run: signals.attach_request(run, request_id="attached"))
    fresh = reset_to(base, 8, excluded=reset.exclusions(_T.RESET_REAPPLY_TYPE_NONE, []))
    assert fresh.story(7) == [
        "WorkflowTaskFailed WorkflowExecutionOptionsUpdated WorkflowExecutionOptionsUpdated WorkflowTaskScheduled",
    ]
    assert fresh.state.priority == Priority(priority_key=1).SerializeToString()
    assert fresh.state.request_ids["attached"][1] == 10
    assert fresh.last_event("WorkflowExecutionOptionsUpdated").worker_may_ignore


def test_events_of_the_runs_that_went_on_are_taken_over() -> None:
    base = signalled()
    base.advance(1)
    base.signal("two")
    base.turn(build.continue_as_new())
    following = base.successor
    assert following is not None
    following.signal("three")
    following.poll()
    following.signal("four")
    fresh = reset_to(base, 8, following=[following])
    assert names(fresh, 8) == ["two", "three", "four"]
    assert not following.state.running


# What goes on.


def test_activities_wait_for_their_first_attempt_again() -> None:
    base = Simulation()
    base.turn(
        build.schedule_activity("open", heartbeat_timeout=build.seconds(3), retry_policy=build.retry_policy(1)),
        build.schedule_activity("done"),
        force=True,
    )
    base.poll_activity("open")
    base.heartbeat("open", build.payloads("1"))
    base.poll_activity("done")
    base.poll()
    base.complete_activity("done")
    base.complete()
    base.advance(1)
    fresh = reset_to(base, 9)
    assert fresh.story(8) == [BEGUN_AGAIN]
    assert [(each.activity_id, each.attempt, each.started_time) for each in fresh.state.activities.values()] == [
        ("open", 1, 0),
        ("done", 1, 0),
    ]
    assert {key for key in fresh.tasks if key[0] == ACTIVITY} == {(ACTIVITY, 5), (ACTIVITY, 6)}
    assert {each.first_scheduled_time for each in fresh.state.activities.values()} == {base.now}
    fresh.poll_activity("open")
    fresh.complete_activity("open")
    assert "ActivityTaskStarted ActivityTaskCompleted" in fresh.story(10)[0]


def test_timers_fire_when_they_would_have() -> None:
    base = Simulation()
    base.turn(build.start_timer("soon", 3), build.start_timer("later", 60), force=True)
    base.turn()
    base.advance(10)
    fresh = reset_to(base, 9)
    assert fresh.state.timers["soon"].fire_time == NOW + 3 * SECOND
    fresh.poll()
    fresh.complete()
    fresh.advance(0)
    assert fresh.last("TimerFired").timer_id == "soon"
    fresh.turn()
    fresh.advance(49)
    assert fresh.last("TimerFired").timer_id == "soon"
    fresh.advance(1)
    assert fresh.last("TimerFired").timer_id == "later"


def test_the_run_timeout_counts_from_the_reset_and_the_execution_timeout_does_not() -> None:
    base = Simulation(
        build.start_request(workflow_run_timeout=build.seconds(60), workflow_execution_timeout=build.seconds(100))
    )
    base.turn()
    base.advance(30)
    fresh = reset_to(base, 4)
    assert fresh.state.run_expiration == NOW + 90 * SECOND
    assert fresh.state.execution_expiration == NOW + 100 * SECOND
    fresh.turn()
    fresh.advance(30)
    again = reset_to(fresh, 4)
    assert again.state.run_expiration == NOW + 100 * SECOND


# Children and others that were asked.


def test_a_child_that_has_not_answered_is_asked_for_again() -> None:
    base = Simulation()
    base.turn(build.start_child(), build.signal_external(), build.cancel_external(), force=True)
    base.turn()
    fresh = reset_to(base, 10)
    assert fresh.owed == {
        (TransferKind.START_CHILD, 5),
        (TransferKind.SIGNAL_EXTERNAL, 6),
        (TransferKind.CANCEL_EXTERNAL, 7),
    }
    assert fresh.state.children[5].asked_by == "run-id"
    assert reset_to(fresh, 10).state.children[5].asked_by == "run-id", "whoever asked first"


def test_a_child_that_has_started_stays_one() -> None:
    base = Simulation()
    base.turn(build.start_child())
    family.child_started(base, 5)
    base.turn()
    fresh = reset_to(base, 9)
    assert fresh.story(8) == [BEGUN_AGAIN]
    assert (fresh.state.children[5].run_id, fresh.state.children[5].started_event_id) == ("child-run", 6)
    assert not fresh.owed


@pytest.mark.parametrize("kind", [_T.RESET_REAPPLY_TYPE_ALL_ELIGIBLE, _T.RESET_REAPPLY_TYPE_NONE])
def test_a_child_that_has_ended_is_told_of_again(kind: ResetReapplyType.ValueType) -> None:
    base = Simulation()
    base.turn(build.start_child())
    family.child_started(base, 5)
    base.turn()
    child = family.child_of(base, 5)
    child.terminate()
    family.child_ended(base, 5, child.events[-1])
    base.turn()
    fresh = reset_to(base, 9, excluded=reset.exclusions(kind, []))
    assert fresh.story(8) == ["WorkflowTaskFailed ChildWorkflowExecutionTerminated WorkflowTaskScheduled"]
    ended = fresh.last("ChildWorkflowExecutionTerminated")
    assert (ended.initiated_event_id, ended.started_event_id) == (5, 6)
    assert not fresh.state.children


def test_start_and_end_of_a_child_get_new_ids() -> None:
    base = Simulation()
    base.turn(build.start_child(), force=True)
    family.child_started(base, 5)
    child = family.child_of(base, 5)
    child.terminate()
    family.child_ended(base, 5, child.events[-1])
    base.signal()
    base.turn()
    fresh = reset_to(base, 7)
    assert fresh.story(7) == [
        "WorkflowTaskFailed ChildWorkflowExecutionStarted WorkflowExecutionSignaled "
        "ChildWorkflowExecutionTerminated WorkflowTaskScheduled",
    ]
    assert fresh.last("ChildWorkflowExecutionTerminated").started_event_id == 9
    assert not fresh.owed


def test_a_child_that_started_later_is_still_one() -> None:
    base = Simulation()
    base.turn(build.start_child(), force=True)
    base.poll()
    family.child_started(base, 5)
    fresh = reset_to(base, 7)
    assert fresh.story(7) == ["WorkflowTaskFailed ChildWorkflowExecutionStarted WorkflowTaskScheduled"]
    assert fresh.state.children[5].run_id == "child-run"
    assert not fresh.owed


def test_a_child_that_could_not_start_is_not_tried_again() -> None:
    base = Simulation()
    base.turn(build.start_child(), force=True)
    family.child_refused(base, 5)
    base.turn()
    fresh = reset_to(base, 7)
    assert fresh.story(7) == ["WorkflowTaskFailed StartChildWorkflowExecutionFailed WorkflowTaskScheduled"]
    assert not fresh.state.children
    assert not fresh.owed


def test_a_child_asked_for_after_the_reset_point_is_forgotten() -> None:
    base = Simulation()
    base.turn(build.start_child())
    family.child_started(base, 5)
    child = family.child_of(base, 5)
    child.terminate()
    family.child_ended(base, 5, child.events[-1])
    fresh = reset_to(base, 4)
    assert fresh.story(3) == [BEGUN_AGAIN]
    assert not fresh.state.children


def test_children_of_the_runs_that_went_on_are_not_those_of_the_new_run() -> None:
    base = Simulation()
    base.advance(1)
    base.turn(build.start_child("kept"))
    family.child_started(base, 5, "kept-run")
    base.turn(build.continue_as_new())
    following = base.successor
    assert following is not None
    following.turn(build.start_child())
    family.child_started(following, 5)
    child = family.child_of(following, 5)
    child.terminate()
    family.child_ended(following, 5, child.events[-1])
    fresh = reset_to(base, 9, following=[following])
    assert fresh.story(8) == [BEGUN_AGAIN]
    assert fresh.state.children[5].run_id == "kept-run"
