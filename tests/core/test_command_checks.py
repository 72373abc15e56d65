"""Bad commands fail their workflow task with a Temporal server's cause and text; those too large end the run."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.command import v1 as commands
from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import ActivityType, Memo, Priority, RetryPolicy, SearchAttributes
from temporalio.api.enums.v1 import CommandType, WorkflowTaskFailedCause
from temporalio.api.taskqueue.v1 import TaskQueue

from orchestrator.core.command_checks import attributes_field, command_name
from orchestrator.core.limits import Limits
from tests.core import builders as build
from tests.core.simulation import Simulation

LONG = "x" * 1001
NEGATIVE = Duration(seconds=-1)
WHERE = "ActivityId=activity ActivityType=Charge"
BUILDER = "invalid history builder state for action"
_C = CommandType
ACTIVITY = "BAD_SCHEDULE_ACTIVITY_ATTRIBUTES"


def activity(**fields: Any) -> Command:
    """ScheduleActivityTask with something wrong."""
    return build.schedule_activity(**{"activity_id": "activity"} | fields)


def bare(kind: CommandType.ValueType) -> Command:
    """A command without its attributes."""
    return Command(command_type=kind)


def message(message_id: str) -> Command:
    """ProtocolMessage."""
    return Command(
        command_type=_C.COMMAND_TYPE_PROTOCOL_MESSAGE,
        protocol_message_command_attributes=commands.ProtocolMessageCommandAttributes(message_id=message_id),
    )


def failing(attributes: commands.FailWorkflowExecutionCommandAttributes) -> Command:
    """FailWorkflowExecution."""
    return Command(
        command_type=_C.COMMAND_TYPE_FAIL_WORKFLOW_EXECUTION, fail_workflow_execution_command_attributes=attributes
    )


@pytest.mark.parametrize(
    ("command", "cause", "text"),
    [
        (activity(task_queue=None), ACTIVITY, "taskQueue is not set"),
        (activity(task_queue=TaskQueue()), ACTIVITY, "missing task queue name"),
        (activity(activity_id=""), ACTIVITY, "ActivityId is not set. ActivityType=Charge"),
        (activity(activity_type=ActivityType()), ACTIVITY, "ActivityType is not set. ActivityID=activity"),
        (
            activity(retry_policy=RetryPolicy(backoff_coefficient=0.5)),
            ACTIVITY,
            "BackoffCoefficient cannot be less than 1 on retry policy.",
        ),
        (
            activity(priority=Priority(priority_key=-1)),
            ACTIVITY,
            f"Invalid Priorities: priority key can't be negative {WHERE}",
        ),
        (
            activity(activity_id=LONG),
            ACTIVITY,
            f"ActivityId exceeds length limit. ActivityId={LONG} ActivityType=Charge Length=1001 Limit=1000",
        ),
        (
            activity(activity_type=ActivityType(name=LONG)),
            ACTIVITY,
            f"ActivityType exceeds length limit. ActivityId=activity ActivityType={LONG} Length=1001 Limit=1000",
        ),
        (
            activity(activity_type=ActivityType(name="\0")),
            ACTIVITY,
            "ActivityType contains the character NUL. ActivityId=activity ActivityType=\0",
        ),
        (
            activity(schedule_to_close_timeout=NEGATIVE),
            ACTIVITY,
            f"Invalid ScheduleToCloseTimeout: negative duration {WHERE}",
        ),
        (
            activity(schedule_to_start_timeout=NEGATIVE),
            ACTIVITY,
            f"Invalid ScheduleToStartTimeout: negative duration {WHERE}",
        ),
        (
            activity(start_to_close_timeout=NEGATIVE),
            ACTIVITY,
            f"Invalid StartToCloseTimeout: negative duration {WHERE}",
        ),
        (
            activity(heartbeat_timeout=NEGATIVE),
            ACTIVITY,
            f"Invalid HeartbeatTimeout: negative duration {WHERE}",
        ),
        (
            activity(start_to_close_timeout=None),
            ACTIVITY,
            f"A valid StartToClose or ScheduleToCloseTimeout is not set on ScheduleActivityTaskCommand. {WHERE}",
        ),
        (
            build.schedule_activity("pending"),
            "SCHEDULE_ACTIVITY_DUPLICATE_ID",
            f"{BUILDER}: add-activitytask-scheduled-event, ActivityID: pending",
        ),
        (
            build.cancel_activity(0),
            "BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES",
            "ScheduledEventId is not set on RequestCancelActivityTaskCommand.",
        ),
        (
            build.cancel_activity(99),
            "BAD_REQUEST_CANCEL_ACTIVITY_ATTRIBUTES",
            f"{BUILDER}: add-activitytask-cancel-requested-event, ScheduledEventID: 99",
        ),
        (build.start_timer(""), "BAD_START_TIMER_ATTRIBUTES", "TimerId is not set on StartTimerCommand."),
        (
            build.start_timer(LONG),
            "BAD_START_TIMER_ATTRIBUTES",
            f"TimerId on StartTimerCommand exceeds length limit. TimerId={LONG} Length=1001 Limit=1000",
        ),
        (
            build.start_timer("t", -1),
            "BAD_START_TIMER_ATTRIBUTES",
            "An invalid StartToFireTimeout is set on StartTimerCommand: negative duration. TimerId=t",
        ),
        (
            build.start_timer("pending"),
            "START_TIMER_DUPLICATE_ID",
            f"{BUILDER}: add-timer-started-event, TimerID: pending",
        ),
        (build.cancel_timer(""), "BAD_CANCEL_TIMER_ATTRIBUTES", "TimerId is not set on CancelTimerCommand."),
        (
            build.cancel_timer(LONG),
            "BAD_CANCEL_TIMER_ATTRIBUTES",
            f"TimerId on CancelTimerCommand exceeds length limit. TimerId={LONG} Length=1001 Limit=1000",
        ),
        (
            build.cancel_timer("unknown"),
            "BAD_CANCEL_TIMER_ATTRIBUTES",
            f"{BUILDER}: add-timer-canceled-event, TimerID: unknown",
        ),
        (build.record_marker(""), "BAD_RECORD_MARKER_ATTRIBUTES", "MarkerName is not set on RecordMarkerCommand."),
        (
            build.record_marker(LONG),
            "BAD_RECORD_MARKER_ATTRIBUTES",
            f"MarkerName on RecordMarkerCommand exceeds length limit. MarkerName={LONG} Length=1001 Limit=1000",
        ),
        (
            failing(commands.FailWorkflowExecutionCommandAttributes()),
            "BAD_FAIL_WORKFLOW_EXECUTION_ATTRIBUTES",
            "Failure is not set on FailWorkflowExecutionCommand.",
        ),
        (
            build.upsert(SearchAttributes()),
            "BAD_SEARCH_ATTRIBUTES",
            "IndexedFields is not set on UpsertWorkflowSearchAttributesCommand.",
        ),
        (
            build.upsert(build.attributes(Unknown="1")),
            "BAD_SEARCH_ATTRIBUTES",
            "Namespace default has no mapping defined for search attribute Unknown",
        ),
        (
            build.modify(Memo()),
            "BAD_MODIFY_WORKFLOW_PROPERTIES_ATTRIBUTES",
            "UpsertedMemo.Fields is not set on ModifyWorkflowPropertiesCommand.",
        ),
        (
            message("m"),
            "BAD_UPDATE_WORKFLOW_EXECUTION_MESSAGE",
            "ProtocolMessageCommand referenced absent message ID m",
        ),
        (
            bare(_C.COMMAND_TYPE_START_TIMER),
            "BAD_START_TIMER_ATTRIBUTES",
            "StartTimerCommandAttributes is not set on StartTimerCommand.",
        ),
        (
            bare(_C.COMMAND_TYPE_COMPLETE_WORKFLOW_EXECUTION),
            "BAD_COMPLETE_WORKFLOW_EXECUTION_ATTRIBUTES",
            "CompleteWorkflowExecutionCommandAttributes is not set on CompleteWorkflowExecutionCommand.",
        ),
    ],
)
def test_a_bad_command(command: Command, cause: str, text: str) -> None:
    simulation = Simulation()
    simulation.turn(build.schedule_activity("pending"), build.start_timer("pending", 1000), force=True)
    simulation.poll()
    before = simulation.state.next_event_id
    expected = f"{''.join(word.capitalize() for word in cause.split('_'))}: {text}"
    assert simulation.complete(build.record_marker(), command) == expected
    assert simulation.story(before - 1) == ["WorkflowTaskFailed"], "nothing else of the completion is kept"
    failed = simulation.last("WorkflowTaskFailed")
    assert WorkflowTaskFailedCause.Name(failed.cause) == f"WORKFLOW_TASK_FAILED_CAUSE_{cause}"
    assert failed.failure.message == expected
    assert failed.failure.HasField("server_failure_info")
    assert (simulation.task.attempt, simulation.task.started_event_id) == (2, 0)


def test_an_activity_is_cancelled_once() -> None:
    simulation = Simulation()
    simulation.turn(build.schedule_activity(), force=True)
    simulation.poll_activity("activity")
    simulation.turn(build.cancel_activity(5), force=True)
    assert simulation.turn(build.cancel_activity(5)).startswith("BadRequestCancelActivityAttributes")


def test_a_later_attempt_with_a_bad_command_is_left_to_time_out() -> None:
    simulation = Simulation()
    simulation.poll()
    simulation.fail_task()
    simulation.poll()
    assert simulation.complete(build.cancel_timer()).startswith("BadCancelTimerAttributes")
    assert len(simulation.events) == 4
    assert simulation.task.started_event_id
    simulation.advance(10)
    assert simulation.task.attempt == 3


def test_too_many_activities() -> None:
    simulation = Simulation(limits=Limits(pending_activities=2))
    text = simulation.turn(*(build.schedule_activity(each) for each in "abc"))
    assert text == (
        "PendingActivitiesLimitExceeded: the number of pending activities, 2, has reached the per-workflow limit of 2"
    )


BIG = build.payloads("x" * 3000)


@pytest.mark.parametrize(
    ("command", "text"),
    [
        (
            build.schedule_activity(input=BIG),
            "BadScheduleActivityAttributes: ScheduleActivityTaskCommandAttributes.Input exceeds size limit.",
        ),
        (
            build.record_marker(details={"d": BIG}),
            "BadRecordMarkerAttributes: RecordMarkerCommandAttributes.Details exceeds size limit.",
        ),
        (
            build.complete_workflow(BIG),
            "BadScheduleActivityAttributes: CompleteWorkflowExecutionCommandAttributes.Result exceeds size limit.",
        ),
        (
            build.fail_workflow(build.application_failure("x" * 3000)),
            "BadFailWorkflowExecutionAttributes: FailWorkflowExecutionCommandAttributes.Failure exceeds size limit.",
        ),
        (
            build.modify(build.memo(a="x" * 3000)),
            "BadModifyWorkflowPropertiesAttributes: ModifyWorkflowPropertiesCommandAttributes exceeds size limit.",
        ),
    ],
)
def test_a_payload_past_its_limit_ends_the_run(command: Command, text: str) -> None:
    simulation = Simulation(limits=Limits(blob_size=2000, memo_size=2000))
    assert simulation.turn(command) == text
    assert simulation.story(3) == ["WorkflowTaskFailed WorkflowExecutionTerminated"]
    terminated = simulation.last("WorkflowExecutionTerminated")
    assert (terminated.reason, terminated.identity) == (text, "history-service")


def test_a_search_attribute_past_its_limit_ends_the_run() -> None:
    simulation = Simulation()
    text = simulation.turn(build.upsert(build.attributes(Kind=f'"{"x" * 3000}"')))
    assert text.startswith("BadSearchAttributes: search attribute Kind value size ")
    assert simulation.story(3) == ["WorkflowTaskFailed WorkflowExecutionTerminated"]


def test_a_memo_that_grows_past_its_limit_ends_the_run() -> None:
    simulation = Simulation(build.start_request(memo=build.memo(a="x" * 1500)), limits=Limits(memo_size=2000))
    assert simulation.turn(build.modify(build.memo(b="x" * 1500))).endswith(". Memo exceeds size limit.")
    assert not simulation.state.running


@pytest.mark.parametrize("name", ["START_CHILD_WORKFLOW_EXECUTION", "CONTINUE_AS_NEW_WORKFLOW_EXECUTION"])
def test_commands_are_named_in_texts(name: str) -> None:
    kind = _C.Value(f"COMMAND_TYPE_{name}")
    assert command_name(kind) == "".join(word.capitalize() for word in name.split("_"))
    field = attributes_field(Command(command_type=kind))
    assert field in Command.DESCRIPTOR.fields_by_name
