"""Updates, event by event: what each path leaves in the history, and what callers hear."""

from typing import Any

import pytest
from temporalio.api.enums.v1 import SuggestContinueAsNewReason, WorkflowTaskFailedCause
from temporalio.api.update.v1 import Request

from orchestrator.core import update
from orchestrator.core.limits import Limits
from orchestrator.core.run import WORKFLOW
from orchestrator.core.update_news import ACCEPTED, ADMITTED, COMPLETED
from orchestrator.errors import (
    Code,
    FailedPrecondition,
    ResourceExhausted,
    ServiceError,
    WorkflowClosed,
    WorkflowClosing,
    WorkflowNotReady,
)
from tests.core import builders as build
from tests.core.simulation import Simulation

_F = WorkflowTaskFailedCause


def idle(**options: Any) -> Simulation:
    """A run whose first workflow task is completed: four events, nothing pending."""
    simulation = Simulation(**options)
    simulation.turn()
    return simulation


def updated(**options: Any) -> Simulation:
    """An idle run with an update that a worker has: still four events."""
    simulation = idle(**options)
    simulation.update()
    simulation.poll()
    return simulation


def told(simulation: Simulation, update_id: str = "update") -> tuple[int, str]:
    """The stage a caller has just heard of, and the failure if there is one."""
    news = simulation.news[update_id]
    failure = news.outcome.failure if news.outcome is not None and news.outcome.HasField("failure") else None
    return news.stage, news.error.message if news.error is not None else failure.message if failure else ""


# What is left in the history.


def test_accepted_and_completed_in_one_task() -> None:
    simulation = updated()
    assert simulation.story(4) == []
    simulation.complete(messages=[build.acceptance(), build.response()])
    assert simulation.story(4) == [
        "WorkflowTaskScheduled WorkflowTaskStarted",
        "WorkflowTaskCompleted WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted",
    ]
    accepted = simulation.last("WorkflowExecutionUpdateAccepted")
    assert (accepted.protocol_instance_id, accepted.accepted_request_message_id) == ("update", "update/request")
    assert accepted.accepted_request_sequencing_event_id == 5
    assert accepted.accepted_request == build.update_request()
    completed = simulation.last("WorkflowExecutionUpdateCompleted")
    assert (completed.accepted_event_id, completed.outcome.success) == (8, build.payloads("2"))
    assert told(simulation) == (COMPLETED, "")
    assert not simulation.state.updates
    assert simulation.state.completed_updates == {"update": 9}


def test_rejected() -> None:
    simulation = updated()
    simulation.complete(messages=[build.rejection()])
    assert simulation.dropped
    assert simulation.story(4) == []
    assert told(simulation) == (COMPLETED, "not now")
    assert simulation.look() is None
    assert simulation.state.workflow_task is None
    assert simulation.state.previous_started_event_id == 3


def test_not_answered() -> None:
    simulation = updated()
    simulation.complete()
    assert simulation.story(4) == []
    stage, text = told(simulation)
    assert stage == COMPLETED
    assert text.startswith("Workflow Update is rejected because it wasn't processed by worker.")


def test_completed_later() -> None:
    simulation = updated()
    simulation.complete(messages=[build.acceptance()])
    assert told(simulation) == (ACCEPTED, "")
    assert simulation.state.updates["update"].request == b""
    simulation.signal()
    simulation.turn(build.protocol_message("update/complete"), messages=[build.response()])
    assert simulation.story(8) == [
        "WorkflowExecutionSignaled WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted WorkflowExecutionUpdateCompleted",
    ]


def test_a_message_stands_where_its_command_does() -> None:
    simulation = updated()
    simulation.complete(
        build.record_marker("before"),
        build.protocol_message("update/accept"),
        build.record_marker("between"),
        build.protocol_message("update/complete"),
        messages=[build.response(), build.acceptance()],
    )
    assert simulation.story(6) == [
        "WorkflowTaskCompleted MarkerRecorded WorkflowExecutionUpdateAccepted MarkerRecorded "
        "WorkflowExecutionUpdateCompleted"
    ]


def test_an_update_before_the_first_task_travels_with_it() -> None:
    simulation = Simulation()
    simulation.update()
    simulation.poll()
    (message,) = simulation.messages
    assert (message.id, message.protocol_instance_id, message.event_id) == ("update/request", "update", 2)
    assert Request.FromString(message.body.value) == build.update_request()
    simulation.complete(messages=[build.rejection()])
    assert simulation.story() == [
        "WorkflowExecutionStarted WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
    ]


def test_an_update_ends_a_start_delay_with_an_ordinary_task() -> None:
    simulation = Simulation(build.start_request(workflow_start_delay=build.seconds(60)))
    simulation.update()
    assert simulation.story() == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]
    assert not simulation.task.speculative


# Speculative workflow tasks.


def test_a_speculative_task_waits_in_its_queue_like_any_other() -> None:
    simulation = idle()
    simulation.update()
    assert simulation.task.speculative
    assert (WORKFLOW, 5) in simulation.tasks
    simulation.update("second")
    simulation.poll()
    assert [each.protocol_instance_id for each in simulation.messages] == ["update", "second"]
    assert (simulation.task.scheduled_event_id, simulation.task.started_event_id) == (5, 6)


def test_another_event_brings_a_scheduled_one_into_the_history() -> None:
    simulation = idle()
    simulation.update()
    simulation.signal()
    assert simulation.story(4) == ["WorkflowTaskScheduled WorkflowExecutionSignaled"]
    simulation.turn(messages=[build.rejection()])
    assert not simulation.dropped
    assert simulation.story(6) == ["WorkflowTaskStarted", "WorkflowTaskCompleted"]


def test_another_event_brings_a_started_one_into_the_history() -> None:
    simulation = updated()
    simulation.signal()
    assert simulation.story(4) == ["WorkflowTaskScheduled WorkflowTaskStarted"]
    simulation.complete(messages=[build.rejection()])
    assert simulation.story(6) == ["WorkflowTaskCompleted WorkflowExecutionSignaled WorkflowTaskScheduled"]


def test_a_command_keeps_it() -> None:
    simulation = updated()
    simulation.complete(build.start_timer(), messages=[build.rejection()])
    assert simulation.story(4) == ["WorkflowTaskScheduled WorkflowTaskStarted", "WorkflowTaskCompleted TimerStarted"]


def test_a_heartbeat_keeps_it_and_sends_nothing_twice() -> None:
    simulation = updated()
    simulation.update("meanwhile")
    simulation.complete(force=True, inline=True)
    assert simulation.story(6) == ["WorkflowTaskCompleted WorkflowTaskScheduled WorkflowTaskStarted"]
    assert [each.protocol_instance_id for each in simulation.messages] == ["meanwhile"]
    simulation.complete(messages=[build.acceptance(), build.response(), build.rejection("meanwhile")])
    assert simulation.look("update") is not None


@pytest.mark.parametrize(("markers", "repeats", "dropped"), [(0, False, True), (1, False, False), (1, True, True)])
def test_one_that_showed_events_is_dropped_when_the_worker_can_see_them_again(
    markers: int, repeats: bool, dropped: bool
) -> None:
    simulation = Simulation()
    simulation.turn(*[build.record_marker()] * markers)
    simulation.update()
    simulation.poll()
    simulation.complete(messages=[build.rejection()], repeats_events=repeats)
    assert simulation.dropped is dropped


def test_one_that_showed_many_events_is_kept() -> None:
    simulation = Simulation()
    simulation.turn(*[build.record_marker()] * 11)
    simulation.update()
    simulation.turn(messages=[build.rejection()])
    assert not simulation.dropped


def test_one_that_fails_is_in_the_history_and_its_updates_are_sent_again() -> None:
    simulation = updated()
    simulation.fail_task()
    assert simulation.story(4) == ["WorkflowTaskScheduled WorkflowTaskStarted", "WorkflowTaskFailed"]
    simulation.poll()
    assert [each.protocol_instance_id for each in simulation.messages] == ["update"]
    simulation.complete(messages=[build.acceptance(), build.response()])
    assert simulation.look() is not None


def test_one_that_times_out_is_in_the_history() -> None:
    simulation = updated()
    simulation.advance(11)
    assert simulation.story(4) == ["WorkflowTaskScheduled WorkflowTaskStarted", "WorkflowTaskTimedOut"]
    assert simulation.task.attempt == 2


def test_one_on_a_sticky_queue_nobody_polls_goes_to_the_normal_queue() -> None:
    simulation = Simulation()
    simulation.turn(sticky="sticky")
    simulation.update()
    assert simulation.task.sticky
    simulation.advance(11)
    assert simulation.story(4) == ["WorkflowTaskScheduled WorkflowTaskTimedOut WorkflowTaskScheduled"]


@pytest.mark.parametrize("held", [False, True])
def test_one_is_in_the_history_when_the_run_is_terminated(held: bool) -> None:
    simulation = idle()
    simulation.update()
    if held:
        simulation.poll()
    simulation.terminate()
    assert simulation.story(4) == (
        ["WorkflowTaskScheduled WorkflowTaskStarted", "WorkflowTaskFailed WorkflowExecutionTerminated"]
        if held
        else ["WorkflowTaskScheduled WorkflowExecutionTerminated"]
    )
    assert told(simulation) == (ADMITTED, update.ABORTED)
    assert simulation.news["update"].aborted


@pytest.mark.parametrize(("inline", "speculative"), [(True, True), (False, False)])
def test_updates_that_came_meanwhile_have_the_next_task(inline: bool, speculative: bool) -> None:
    simulation = updated()
    simulation.update("meanwhile")
    assert not simulation.state.updates["meanwhile"].sent
    simulation.complete(messages=[build.rejection()], inline=inline)
    assert simulation.task.speculative is speculative
    if inline:
        assert [each.protocol_instance_id for each in simulation.messages] == ["meanwhile"]
        assert simulation.task.scheduled_event_id == 5


# Answers that make no sense.


BAD = {
    "accepted twice": (
        [build.acceptance(), build.acceptance()],
        "invalid state transition attempted for Update update: "
        "received *update.Acceptance message while in state ProvisionallyAccepted",
    ),
    "completed before accepted": (
        [build.response()],
        "invalid state transition attempted for Update update: received *update.Response message while in state Sent",
    ),
    "completed twice": (
        [build.acceptance(), build.response(), build.response()],
        "invalid state transition attempted for Update update: "
        "received *update.Response message while in state ProvisionallyCompleted",
    ),
    "unknown": (
        [build.acceptance("unknown")],
        "update unknown wasn't found on the server. This is most likely a transient error which will be resolved "
        "automatically by retries",
    ),
    "no message id": (
        [build.acceptance(accepted_request_message_id="")],
        "invalid *update.Acceptance: accepted_request_message_id is not set",
    ),
    "no outcome": (
        [build.acceptance(), build.response(outcome=None)],
        "invalid *update.Response: outcome is not set",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_answer_fails_the_task_and_the_updates_it_carried(name: str) -> None:
    messages, text = BAD[name]
    simulation = updated()
    simulation.update("meanwhile")
    assert simulation.complete(messages=messages) == f"BadUpdateWorkflowExecutionMessage: {text}"
    assert simulation.story(4) == ["WorkflowTaskScheduled WorkflowTaskStarted", "WorkflowTaskFailed"]
    cause = _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE
    assert simulation.last("WorkflowTaskFailed").cause == cause
    assert told(simulation) == (
        ADMITTED,
        "Unable to perform workflow execution update due to unexpected workflow task failure.",
    )
    assert list(simulation.state.updates) == ["meanwhile"]


def test_a_command_for_a_message_that_did_not_come() -> None:
    simulation = updated()
    text = simulation.complete(build.protocol_message("nowhere"))
    assert text == "BadUpdateWorkflowExecutionMessage: ProtocolMessageCommand referenced absent message ID nowhere"


def test_an_update_the_server_lost_comes_back_with_its_request() -> None:
    simulation = updated()
    lost = build.acceptance("lost", accepted_request=build.update_request("lost"))
    assert not simulation.complete(messages=[build.rejection(), lost])
    assert simulation.last("WorkflowExecutionUpdateAccepted").accepted_request == build.update_request("lost")


# The end of the run.


def test_an_accepted_update_fails_with_the_run() -> None:
    simulation = updated()
    simulation.complete(messages=[build.acceptance()])
    simulation.signal()
    simulation.turn(build.complete_workflow())
    assert told(simulation)[0] == COMPLETED
    news = simulation.look()
    assert news is not None and news.outcome is not None
    assert news.outcome.failure.application_failure_info.type == "AcceptedUpdateCompletedWorkflow"


def test_an_update_accepted_and_completed_with_the_close_counts() -> None:
    simulation = updated()
    simulation.complete(
        build.protocol_message("update/accept"),
        build.protocol_message("update/complete"),
        build.complete_workflow(),
        messages=[build.acceptance(), build.response()],
    )
    assert simulation.story(6) == [
        "WorkflowTaskCompleted WorkflowExecutionUpdateAccepted WorkflowExecutionUpdateCompleted "
        "WorkflowExecutionCompleted"
    ]
    assert told(simulation) == (COMPLETED, "")


def test_what_is_said_after_the_close_is_too_late_but_for_rejections() -> None:
    simulation = updated()
    simulation.update("second")
    simulation.fail_task()
    simulation.poll()
    simulation.complete(build.complete_workflow(), messages=[build.acceptance(), build.rejection("second")])
    assert told(simulation, "update") == (ADMITTED, update.ABORTED)
    assert told(simulation, "second") == (COMPLETED, "not now")
    assert simulation.last_event("WorkflowExecutionCompleted").event_id == simulation.state.next_event_id - 1


def test_an_update_that_came_meanwhile_does_not_keep_a_run_from_closing() -> None:
    simulation = Simulation()
    simulation.poll()
    simulation.update()
    assert not simulation.complete(build.complete_workflow())
    assert told(simulation) == (ADMITTED, update.ABORTED)


# Refusals.


def refused(simulation: Simulation, update_id: str = "another") -> ServiceError:
    """What a new update is refused with; it leaves no trace."""
    before = simulation.state
    with pytest.raises(ServiceError) as caught:
        simulation.update(update_id)
    assert simulation.state is before
    return caught.value


def test_a_closed_run_takes_none() -> None:
    simulation = idle()
    simulation.terminate()
    assert isinstance(refused(simulation), WorkflowClosed)


def test_a_run_that_tries_to_close_takes_none() -> None:
    simulation = Simulation()
    simulation.poll()
    simulation.signal()
    simulation.complete(build.complete_workflow())
    simulation.poll()
    assert isinstance(refused(simulation), WorkflowClosing)


def test_a_run_whose_task_keeps_failing_takes_none() -> None:
    simulation = Simulation()
    for _ in range(2):
        simulation.poll()
        simulation.fail_task()
    error = refused(simulation)
    assert isinstance(error, WorkflowNotReady)
    assert error.message == "Unable to perform workflow execution update due to Workflow Task in failed state."


def test_in_flight() -> None:
    simulation = idle(limits=Limits(updates_in_flight=2))
    simulation.update("one")
    simulation.update("two")
    error = refused(simulation)
    assert isinstance(error, ResourceExhausted)
    assert error.message == "limit on number of concurrent in-flight updates has been reached (2)"
    simulation.turn(messages=[build.acceptance("one"), build.rejection("two")])
    simulation.update("three")
    assert isinstance(refused(simulation), ResourceExhausted)


def test_bytes_in_flight_have_a_limit_of_their_own() -> None:
    size = build.update_request("one").ByteSize()
    simulation = idle(limits=Limits(updates_in_flight_size=size + 10))
    simulation.update("one")
    assert refused(simulation).code == Code.RESOURCE_EXHAUSTED


def test_requests_in_flight_do_not_count_as_mutable_state() -> None:
    simulation = idle(limits=Limits(state_size=2000))
    simulation.update(header=None)
    simulation.transact(lambda run: update.admit(run, _large("large", 5000)))
    simulation.signal()
    assert simulation.state.running


def _large(update_id: str, size: int) -> Request:
    request = build.update_request(update_id)
    request.input.args.CopyFrom(build.payloads("1" * size))
    return request


def test_total() -> None:
    simulation = idle(limits=Limits(updates=3))
    for number in range(3):
        simulation.update(f"update-{number}")
        simulation.turn(messages=[build.acceptance(f"update-{number}"), build.response(f"update-{number}")])
        if number == 2:
            reasons = simulation.last("WorkflowTaskStarted").suggest_continue_as_new_reasons
            assert list(reasons) == [SuggestContinueAsNewReason.SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_UPDATES]
    error = refused(simulation)
    assert isinstance(error, FailedPrecondition)
    assert error.message.startswith(
        "The limit on the total number of distinct updates in this workflow has been reached (3)."
    )
