"""What each command of a completed workflow task writes and changes."""

from typing import Any

import pytest
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import Priority, SearchAttributes
from temporalio.api.enums.v1 import CommandType, RetryState, WorkflowExecutionStatus
from temporalio.api.sdk.v1 import UserMetadata

from orchestrator.core import search_attributes
from orchestrator.core.command_checks import command_name
from orchestrator.core.run import ACTIVITY
from orchestrator.core.wire import SECOND, length_ns
from orchestrator.errors import InvalidArgument
from tests.core import builders as build
from tests.core.simulation import CUSTOM_ATTRIBUTES, NOW, QUEUE, Simulation

SUMMARY = UserMetadata(summary=build.payload('"summary"'))


def after(*commands: Command, request: Any = None) -> Simulation:
    """A run whose first workflow task was completed with commands."""
    simulation = Simulation(request)
    assert simulation.turn(*commands) == ""
    return simulation


def with_summary(command: Command) -> Command:
    """The command with what a user wrote about it."""
    command.user_metadata.CopyFrom(SUMMARY)
    return command


def test_schedule_activity() -> None:
    priority = Priority(priority_key=1)
    command = build.schedule_activity(
        input=build.payloads("1"), priority=priority, retry_policy=build.retry_policy(2, maximum_attempts=3)
    )
    command.schedule_activity_task_command_attributes.header.fields["h"].CopyFrom(build.payload("1"))
    request = build.start_request(priority=Priority(priority_key=4, fairness_key="tenant"))
    simulation = after(with_summary(command), request=request)
    assert simulation.story(3) == ["WorkflowTaskCompleted ActivityTaskScheduled"]
    event = simulation.last("ActivityTaskScheduled")
    assert (event.activity_id, event.activity_type.name, event.task_queue.name) == ("activity", "Charge", QUEUE)
    assert event.workflow_task_completed_event_id == 4
    assert event.input == build.payloads("1")
    assert event.header == command.schedule_activity_task_command_attributes.header
    assert event.priority == priority
    assert event.retry_policy.maximum_interval.seconds == 200
    assert simulation.last_event("ActivityTaskScheduled").user_metadata == SUMMARY
    pending = simulation.activity("activity")
    assert Priority.FromString(pending.priority) == Priority(priority_key=1, fairness_key="tenant")
    task = simulation.tasks[ACTIVITY, 5]
    assert (task.task_queue, task.share.level) == (QUEUE, 1)


@pytest.mark.parametrize(
    ("run_timeout", "given", "expected"),
    [
        (0, {"start_to_close": 5}, (0, 0, 5, 0)),
        (0, {"schedule_to_close": 20}, (20, 20, 20, 0)),
        (0, {"schedule_to_close": 20, "start_to_close": 30, "schedule_to_start": 40}, (20, 20, 20, 0)),
        (0, {"schedule_to_close": 20, "start_to_close": 5, "schedule_to_start": 4}, (20, 4, 5, 0)),
        (0, {"start_to_close": 5, "heartbeat": 9}, (0, 0, 5, 5)),
        (60, {"start_to_close": 5}, (60, 60, 5, 0)),
        (60, {"start_to_close": 90, "schedule_to_start": 90}, (60, 60, 60, 0)),
        (60, {"schedule_to_close": 90}, (60, 60, 60, 0)),
    ],
)
def test_the_timeouts_of_an_activity(
    run_timeout: int, given: dict[str, float], expected: tuple[int, int, int, int]
) -> None:
    timeouts = {f"{name}_timeout": build.seconds(length) for name, length in given.items()}
    request = build.start_request(workflow_run_timeout=build.seconds(run_timeout))
    event = after(build.schedule_activity(**timeouts), request=request).last("ActivityTaskScheduled")
    names = ("schedule_to_close", "schedule_to_start", "start_to_close", "heartbeat")
    assert tuple(length_ns(getattr(event, f"{name}_timeout")) // SECOND for name in names) == expected


def test_an_activity_without_a_policy_gets_the_default_one() -> None:
    policy = after(build.schedule_activity()).last("ActivityTaskScheduled").retry_policy
    assert (policy.initial_interval.seconds, policy.backoff_coefficient) == (1, 2.0)
    assert (policy.maximum_interval.seconds, policy.maximum_attempts) == (100, 0)


def test_an_eager_activity_is_started_in_the_same_transition() -> None:
    simulation = after(build.schedule_activity("a", request_eager_execution=True), build.schedule_activity("b"))
    assert [each.activity_id for each in simulation.eager] == ["a"]
    assert simulation.activity("a").started_time == NOW
    assert list(simulation.tasks) == [(ACTIVITY, 6)]


def test_start_timer_and_cancel_timer() -> None:
    simulation = after(with_summary(build.start_timer("t", 30)))
    assert simulation.story(4) == ["TimerStarted"]
    event = simulation.last("TimerStarted")
    assert (event.timer_id, event.start_to_fire_timeout.seconds) == ("t", 30)
    assert event.workflow_task_completed_event_id == 4
    assert simulation.last_event("TimerStarted").user_metadata == SUMMARY
    assert simulation.state.timers["t"].fire_time == NOW + 30 * SECOND
    simulation.signal()
    simulation.turn(build.cancel_timer("t"))
    assert simulation.story(8) == ["WorkflowTaskCompleted TimerCanceled"]
    event = simulation.last("TimerCanceled")
    assert (event.timer_id, event.started_event_id, event.identity) == ("t", 5, "worker")
    assert event.workflow_task_completed_event_id == 9
    simulation.advance(60)
    assert len(simulation.events) == 10


def test_a_cancelled_timer_can_be_started_again() -> None:
    simulation = after(build.start_timer(), build.cancel_timer(), build.start_timer())
    assert simulation.story(4) == ["TimerStarted TimerCanceled TimerStarted"]


def test_the_id_of_a_cancelled_activity_can_be_used_again_in_the_same_task() -> None:
    simulation = after(build.schedule_activity("a"), build.cancel_activity(5), build.schedule_activity("a"))
    assert [each.scheduled_event_id for each in simulation.state.activities.values()] == [7]


def test_record_marker() -> None:
    command = build.record_marker("marker", details={"d": build.payloads("1")}, failure=build.application_failure())
    command.record_marker_command_attributes.header.fields["h"].CopyFrom(build.payload("1"))
    simulation = after(with_summary(command))
    assert simulation.story(4) == ["MarkerRecorded"]
    event = simulation.last("MarkerRecorded")
    attributes = command.record_marker_command_attributes
    assert (event.marker_name, event.failure, event.header) == ("marker", attributes.failure, attributes.header)
    assert dict(event.details) == dict(attributes.details)
    assert event.workflow_task_completed_event_id == 4
    assert simulation.last_event("MarkerRecorded").user_metadata == SUMMARY


def test_upsert_search_attributes() -> None:
    simulation = after(build.upsert(build.attributes(Kind='"x"', Count="1")))
    assert simulation.story(4) == ["UpsertWorkflowSearchAttributes"]
    typed = search_attributes.typed(build.attributes(Kind='"x"', Count="1").indexed_fields, CUSTOM_ATTRIBUTES)
    assert simulation.last("UpsertWorkflowSearchAttributes").search_attributes == typed
    assert set(simulation.state.search_attributes) == {"Kind", "Count"}
    simulation.signal()
    gone = SearchAttributes(indexed_fields={"Kind": build.null(), "Count": build.payload("[]")})
    simulation.turn(build.upsert(gone))
    assert not simulation.state.search_attributes


def test_modify_properties() -> None:
    simulation = after(
        build.modify(build.memo(a="2", b="null", c="3")), request=build.start_request(memo=build.memo(a="1", b="1"))
    )
    assert simulation.story(4) == ["WorkflowPropertiesModified"]
    assert simulation.last("WorkflowPropertiesModified").upserted_memo == build.memo(a="2", b="null", c="3")
    expected = {"a": build.payload("2"), "c": build.payload("3")}
    assert simulation.state.memo == {key: value.SerializeToString() for key, value in expected.items()}


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        (build.upsert(build.attributes(Kind='"x"')), True),
        (build.modify(build.memo(a="1")), True),
        (build.complete_workflow(), True),
        (build.record_marker(), False),
        (build.schedule_activity(), False),
    ],
)
def test_what_lists_show_is_told(command: Command, shown: bool) -> None:
    assert after(command).visible == shown


def test_complete_workflow() -> None:
    simulation = after(build.complete_workflow(build.payloads('"done"')))
    assert simulation.story(4) == ["WorkflowExecutionCompleted"]
    event = simulation.last("WorkflowExecutionCompleted")
    assert (event.result, event.workflow_task_completed_event_id) == (build.payloads('"done"'), 4)
    assert simulation.state.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_COMPLETED
    assert simulation.state.close_time == NOW


def test_fail_workflow() -> None:
    simulation = after(build.fail_workflow(build.application_failure("no")))
    assert simulation.story(4) == ["WorkflowExecutionFailed"]
    event = simulation.last("WorkflowExecutionFailed")
    assert (event.failure.message, event.workflow_task_completed_event_id) == ("no", 4)
    assert event.retry_state == RetryState.RETRY_STATE_RETRY_POLICY_NOT_SET
    assert simulation.state.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_FAILED


@pytest.mark.parametrize(
    ("policy", "failure", "expected"),
    [
        ({"maximum_attempts": 1}, {}, RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED),
        ({"non_retryable_error_types": ["Fatal"]}, {"type": "Fatal"}, RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE),
        ({}, {"non_retryable": True}, RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE),
    ],
)
def test_why_a_failed_workflow_is_not_tried_again(
    policy: dict[str, Any], failure: dict[str, Any], expected: RetryState.ValueType
) -> None:
    request = build.start_request(retry_policy=build.retry_policy(**policy))
    simulation = after(build.fail_workflow(build.application_failure(**failure)), request=request)
    assert simulation.last("WorkflowExecutionFailed").retry_state == expected


def test_cancel_workflow() -> None:
    simulation = after(build.cancel_workflow(build.payloads("1")))
    assert simulation.story(4) == ["WorkflowExecutionCanceled"]
    event = simulation.last("WorkflowExecutionCanceled")
    assert (event.details, event.workflow_task_completed_event_id) == (build.payloads("1"), 4)
    assert simulation.state.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CANCELED


def test_commands_are_applied_in_order() -> None:
    simulation = after(
        build.start_timer(),
        build.schedule_activity(),
        build.record_marker(),
        build.cancel_timer(),
        build.complete_workflow(),
    )
    assert simulation.story(3) == [
        "WorkflowTaskCompleted TimerStarted ActivityTaskScheduled MarkerRecorded TimerCanceled "
        "WorkflowExecutionCompleted"
    ]
    assert not simulation.tasks


def test_nothing_may_follow_the_end() -> None:
    simulation = Simulation()
    simulation.poll()
    with pytest.raises(InvalidArgument) as raised:
        simulation.complete(build.complete_workflow(), build.record_marker())
    assert raised.value.message == (
        "invalid command sequence: [CompleteWorkflowExecution, RecordMarker], "
        "command CompleteWorkflowExecution must be the last command."
    )


def test_a_command_nobody_knows_is_refused_and_changes_nothing() -> None:
    simulation = Simulation()
    simulation.poll()
    for number in (0, 999):
        with pytest.raises(InvalidArgument) as raised:
            simulation.complete(Command(command_type=number))  # type: ignore[arg-type]
        assert raised.value.message.startswith("unknown command type: ")
    assert len(simulation.events) == 3


def test_every_command_type_has_a_name() -> None:
    for kind in CommandType.values():
        assert command_name(kind).isalnum()
