"""What comes while a worker holds the workflow task waits, and is written in a Temporal server's order."""

from temporalio.api.enums.v1 import WorkflowTaskFailedCause

from orchestrator.core import signals, workflow_task
from orchestrator.core.limits import Limits
from tests.core import builders as build
from tests.core.simulation import Simulation

_F = WorkflowTaskFailedCause


def busy(**options: object) -> Simulation:
    """Two activities, the first one started, and a timer of 5 s, while a worker holds the workflow task.

    Events: 5 and 6 schedule the activities, 7 starts the timer, 8 is a signal, 9 and 10 are the task's.
    """
    simulation = Simulation(**options)  # type: ignore[arg-type]
    simulation.turn(build.schedule_activity("a"), build.schedule_activity("b"), build.start_timer())
    simulation.poll_activity("a")
    simulation.signal("first")
    simulation.poll()
    assert simulation.state.next_event_id == 11
    return simulation


def test_a_signal_during_the_task_is_written_behind_it() -> None:
    simulation = busy()
    simulation.signal()
    assert len(simulation.events) == 10
    assert len(simulation.state.buffered) == 1
    simulation.complete(build.record_marker())
    assert simulation.story(10) == [
        "WorkflowTaskCompleted MarkerRecorded WorkflowExecutionSignaled WorkflowTaskScheduled"
    ]


def test_results_of_activities_come_behind_signals_and_name_their_starts() -> None:
    simulation = busy()
    simulation.complete_activity("a")
    simulation.poll_activity("b")
    simulation.signal()
    simulation.complete_activity("b")
    simulation.cancel()
    simulation.complete()
    assert simulation.story(10) == [
        "WorkflowTaskCompleted ActivityTaskStarted WorkflowExecutionSignaled ActivityTaskStarted "
        "WorkflowExecutionCancelRequested ActivityTaskCompleted ActivityTaskCompleted WorkflowTaskScheduled"
    ]
    first, second = simulation.events[15], simulation.events[16]
    for event, scheduled, started in ((first, 5, 12), (second, 6, 14)):
        attributes = event.activity_task_completed_event_attributes
        assert (attributes.scheduled_event_id, attributes.started_event_id) == (scheduled, started)


def test_events_of_commands_are_never_buffered() -> None:
    simulation = busy()
    simulation.signal()
    simulation.complete(
        build.schedule_activity("c"),
        build.cancel_activity(5),
        build.start_timer("other"),
        build.cancel_timer(),
        build.record_marker(),
        build.upsert(build.attributes(Kind='"x"')),
        build.modify(build.memo(a="1")),
    )
    assert simulation.story(10) == [
        "WorkflowTaskCompleted ActivityTaskScheduled ActivityTaskCancelRequested TimerStarted TimerCanceled "
        "MarkerRecorded UpsertWorkflowSearchAttributes WorkflowPropertiesModified WorkflowExecutionSignaled "
        "WorkflowTaskScheduled"
    ]


def test_a_failed_task_is_followed_by_what_waited_and_a_first_attempt() -> None:
    simulation = busy()
    simulation.signal()
    simulation.fail_task()
    assert simulation.story(10) == ["WorkflowTaskFailed WorkflowExecutionSignaled WorkflowTaskScheduled"]
    assert simulation.task.attempt == 1


def test_a_timed_out_task_is_followed_by_what_waited() -> None:
    simulation = busy()
    simulation.sleep(1)
    simulation.signal()
    simulation.advance(9)
    assert simulation.story(10) == ["WorkflowTaskTimedOut WorkflowExecutionSignaled TimerFired WorkflowTaskScheduled"]


def test_a_task_that_nobody_has_does_not_hold_anything_up() -> None:
    simulation = Simulation()
    simulation.signal()
    assert simulation.story(2) == ["WorkflowExecutionSignaled"]
    assert not simulation.state.buffered


def test_a_timer_that_fired_unseen_can_be_cancelled() -> None:
    simulation = busy()
    simulation.advance(5)
    assert not simulation.state.timers
    assert len(simulation.state.buffered) == 1
    simulation.complete(build.cancel_timer())
    assert simulation.story(10) == ["WorkflowTaskCompleted TimerCanceled"]
    assert simulation.last("TimerCanceled").started_event_id == 7
    assert simulation.state.workflow_task is None


def test_cancelling_the_timer_that_fired_unseen_lets_the_workflow_close() -> None:
    simulation = busy()
    simulation.advance(5)
    assert simulation.complete(build.cancel_timer(), build.complete_workflow()) == ""
    assert simulation.story(10) == ["WorkflowTaskCompleted TimerCanceled WorkflowExecutionCompleted"]


def test_a_timer_that_fired_unseen_is_pending_for_its_worker() -> None:
    simulation = busy()
    simulation.advance(5)
    assert simulation.complete(build.start_timer()).startswith("StartTimerDuplicateId")
    assert simulation.story(10) == ["WorkflowTaskFailed TimerFired WorkflowTaskScheduled"]


def test_cancelling_an_activity_whose_result_waits_is_noted_only() -> None:
    simulation = busy()
    simulation.complete_activity("a")
    simulation.complete(build.cancel_activity(5))
    assert simulation.story(10) == [
        "WorkflowTaskCompleted ActivityTaskCancelRequested ActivityTaskStarted ActivityTaskCompleted "
        "WorkflowTaskScheduled"
    ]


def test_a_workflow_cannot_close_over_what_it_has_not_seen() -> None:
    simulation = busy()
    simulation.signal()
    assert simulation.complete(build.record_marker(), build.complete_workflow()) == "UnhandledCommand"
    assert simulation.story(10) == ["WorkflowTaskFailed WorkflowExecutionSignaled WorkflowTaskScheduled"]
    failed = simulation.last("WorkflowTaskFailed")
    assert failed.cause == _F.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
    assert failed.failure.message == "UnhandledCommand"
    assert simulation.state.close_attempted
    assert simulation.turn(build.complete_workflow()) == ""
    assert not simulation.state.running


def test_a_later_attempt_that_cannot_close_starts_over_too() -> None:
    simulation = busy()
    simulation.fail_task()
    simulation.poll()
    assert simulation.task.attempt == 2
    simulation.signal()
    assert simulation.complete(build.complete_workflow()) == "UnhandledCommand"
    assert simulation.story(11) == ["WorkflowExecutionSignaled WorkflowTaskScheduled"]
    assert simulation.turn(build.complete_workflow()) == ""


def test_an_activity_that_the_closing_workflow_cancels_itself_does_not_stop_it() -> None:
    simulation = busy()
    assert simulation.complete(build.cancel_activity(6), build.complete_workflow()) == ""
    assert simulation.story(10) == ["WorkflowTaskCompleted ActivityTaskCancelRequested WorkflowExecutionCompleted"]


def test_an_activity_it_cancels_itself_does_not_hide_what_it_has_not_seen() -> None:
    simulation = busy()
    simulation.signal()
    assert simulation.complete(build.cancel_activity(6), build.complete_workflow()) == "UnhandledCommand"


def test_an_attached_request_waits_like_all_others() -> None:
    simulation = busy()
    simulation.transact(lambda run: signals.attach_request(run, request_id="other"))
    assert simulation.state.request_ids["other"][1] == 0
    simulation.complete()
    event = simulation.last_event("WorkflowExecutionOptionsUpdated")
    assert simulation.state.request_ids["other"] == (event.event_type, event.event_id)
    assert event.worker_may_ignore


def test_too_many_events_end_the_task() -> None:
    simulation = busy(limits=Limits(buffered_events=2))
    simulation.signal()
    simulation.signal()
    assert len(simulation.events) == 10
    simulation.signal()
    assert simulation.story(10) == [
        "WorkflowTaskFailed WorkflowExecutionSignaled WorkflowExecutionSignaled WorkflowExecutionSignaled"
    ]
    failed = simulation.last("WorkflowTaskFailed")
    assert failed.cause == _F.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND
    assert failed.identity == workflow_task.SERVER_IDENTITY
    simulation.turn()


def test_too_many_bytes_end_the_task() -> None:
    simulation = busy(limits=Limits(buffered_events_size=1000))
    simulation.signal("x" * 600)
    assert len(simulation.state.buffered) == 1
    simulation.signal("x" * 600)
    assert simulation.story(10) == ["WorkflowTaskFailed WorkflowExecutionSignaled WorkflowExecutionSignaled"]
