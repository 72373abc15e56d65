"""Runs that follow one another: continue-as-new, the workflow's retry policy, its cron schedule."""

from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Header, Priority, WorkerVersionStamp, WorkflowType
from temporalio.api.enums.v1 import (
    ContinueAsNewInitiator,
    RetryState,
    TimeoutType,
    WorkflowExecutionStatus,
    WorkflowTaskFailedCause,
)
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import WorkflowExecutionOptions

from orchestrator.core import execution_options, reset_points
from orchestrator.core.wire import SECOND, time_ns
from orchestrator.errors import InvalidArgument
from tests.core import builders as build
from tests.core.simulation import QUEUE, RETENTION, Simulation

_I = ContinueAsNewInitiator
_R = RetryState
_S = WorkflowExecutionStatus


def next_run(simulation: Simulation) -> Simulation:
    """The run that goes on."""
    assert simulation.successor is not None
    return simulation.successor


def begun(simulation: Simulation) -> Any:
    """The attributes of the next run's STARTED event."""
    return next_run(simulation).last("WorkflowExecutionStarted")


# Continue-as-new.


def test_a_signal_that_is_repeated_after_continue_as_new_is_known() -> None:
    first = Simulation()
    first.signal("paid", "once")
    first.turn(build.continue_as_new())
    second = next_run(first)
    before = second.story()
    second.signal("paid", "once")
    assert second.story() == before
    second.signal("paid", "twice")
    assert second.story() != before


def test_continue_as_new_takes_from_the_run_what_the_command_leaves_out() -> None:
    first = Simulation(
        build.start_request(
            input=build.payloads("1"),
            header=Header(fields={"trace": build.payload("2")}),
            memo=build.memo(a="3"),
            search_attributes=build.attributes(Kind='"x"'),
            retry_policy=build.retry_policy(2),
            workflow_run_timeout=build.seconds(60),
            workflow_task_timeout=build.seconds(5),
            workflow_execution_timeout=build.seconds(600),
            priority=Priority(priority_key=2),
            user_metadata=UserMetadata(summary=build.payload('"x"')),
        )
    )
    first.advance(2)
    first.turn(build.continue_as_new())
    assert first.story(3) == ["WorkflowTaskCompleted WorkflowExecutionContinuedAsNew"]
    assert first.state.status == _S.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW
    second = next_run(first)
    assert second.story() == ["WorkflowExecutionStarted WorkflowTaskScheduled"]
    started = begun(first)
    assert (started.workflow_type.name, started.task_queue.name) == ("Order", QUEUE)
    assert (started.workflow_run_timeout, started.workflow_task_timeout) == (Duration(seconds=60), Duration(seconds=5))
    for field in ("input", "header", "memo", "search_attributes", "retry_policy", "continued_failure"):
        assert not started.HasField(field), field
    before = first.last("WorkflowExecutionStarted")
    assert started.workflow_execution_timeout == Duration(seconds=600)
    assert started.workflow_execution_expiration_time == before.workflow_execution_expiration_time
    assert second.state.execution_expiration == first.state.execution_expiration
    assert (started.first_execution_run_id, started.continued_execution_run_id) == ("run-id", "run-id")
    assert started.original_execution_run_id == second.state.run_id
    assert (started.initiator, started.attempt) == (_I.CONTINUE_AS_NEW_INITIATOR_WORKFLOW, 1)
    assert started.priority == Priority(priority_key=2)
    (point,) = started.prev_auto_reset_points.points
    assert (point.run_id, time_ns(point.expire_time)) == ("run-id", first.now + RETENTION)
    assert second.last_event("WorkflowExecutionStarted").user_metadata.summary == build.payload('"x"')
    assert second.state.original_start_time == first.state.start_time
    event = first.last("WorkflowExecutionContinuedAsNew")
    assert (event.new_execution_run_id, event.workflow_task_completed_event_id) == (second.state.run_id, 4)
    assert (event.workflow_type.name, event.task_queue.name) == ("Order", QUEUE)
    assert (event.workflow_run_timeout, event.workflow_task_timeout) == (Duration(seconds=60), Duration(seconds=5))


def test_the_reset_points_of_a_chain_expire_with_the_runs_they_are_of() -> None:
    first = Simulation()
    first.turn(build.continue_as_new(), worker_version=WorkerVersionStamp(build_id="a"))
    second = next_run(first)
    assert [time_ns(point.expire_time) for point in reset_points.message(first.state).points] == [first.now + RETENTION]
    second.advance(7)
    second.turn(build.continue_as_new(), worker_version=WorkerVersionStamp(build_id="b"))
    points = {point.build_id: point for point in begun(second).prev_auto_reset_points.points}
    assert time_ns(points["a"].expire_time) == first.now + RETENTION
    assert time_ns(points["b"].expire_time) == second.now + RETENTION
    assert list(reset_points.message(next_run(second).state).points) == list(points.values())


def test_continue_as_new_has_what_the_command_says() -> None:
    first = Simulation()
    given: dict[str, Any] = {
        "workflow_type": WorkflowType(name="Invoice"),
        "input": build.payloads("1"),
        "header": Header(fields={"trace": build.payload("2")}),
        "memo": build.memo(a="3"),
        "search_attributes": build.attributes(Kind='"x"'),
        "last_completion_result": build.payloads("4"),
        "workflow_run_timeout": build.seconds(30),
        "workflow_task_timeout": build.seconds(3),
    }
    first.turn(
        build.continue_as_new(
            **given,
            task_queue=TaskQueue(name="invoices"),
            failure=build.application_failure(),
            retry_policy=build.retry_policy(2),
            cron_schedule="@daily",
        )
    )
    started = begun(first)
    assert {name: getattr(started, name) for name in given} == given
    assert (started.task_queue.name, started.cron_schedule) == ("invoices", "@daily")
    assert started.continued_failure == build.application_failure()
    assert started.retry_policy.maximum_interval == Duration(seconds=200)
    event = first.last("WorkflowExecutionContinuedAsNew")
    assert {name: getattr(event, name) for name in given} == given
    assert event.failure == build.application_failure()
    assert next_run(first).state.task_queue == "invoices"


def test_a_priority_that_was_changed_is_that_of_the_next_run() -> None:
    first = Simulation(build.start_request(priority=Priority(priority_key=4)))
    options = WorkflowExecutionOptions(priority=Priority(priority_key=1))
    first.transact(lambda run: execution_options.update(run, options, ["priority"], "operator"))
    first.turn(build.continue_as_new())
    assert begun(first).priority == Priority(priority_key=1)


def test_a_priority_that_was_taken_away_stays_away() -> None:
    first = Simulation(build.start_request(priority=Priority(priority_key=4)))
    nothing = WorkflowExecutionOptions()
    first.transact(lambda run: execution_options.update(run, nothing, ["priority"], "operator"))
    first.turn(build.continue_as_new())
    assert not begun(first).HasField("priority")


@pytest.mark.parametrize(
    ("lived", "asked", "waits"), [(0.25, 0, 0.75), (0.25, 5, 5), (1, 0, 0), (20, 0, 0), (0.25, 0.5, 0.75)]
)
def test_runs_of_a_chain_begin_a_second_apart(lived: float, asked: float, waits: float) -> None:
    first = Simulation()
    first.advance(lived)
    first.turn(build.continue_as_new(backoff_start_interval=build.seconds(asked)))
    second = next_run(first)
    backoff = begun(first).first_workflow_task_backoff
    assert backoff == build.seconds(waits)
    assert first.last("WorkflowExecutionContinuedAsNew").backoff_start_interval == build.seconds(asked)
    assert bool(second.tasks) == (not waits)
    second.advance(waits)
    assert second.tasks


def test_a_run_timeout_is_no_longer_than_the_execution_timeout() -> None:
    first = Simulation(build.start_request(workflow_execution_timeout=build.seconds(30)))
    first.turn(build.continue_as_new(workflow_run_timeout=build.seconds(3600)))
    assert begun(first).workflow_run_timeout == Duration(seconds=30)


def test_the_execution_timeout_ends_the_chain() -> None:
    first = Simulation(
        build.start_request(workflow_execution_timeout=build.seconds(30), retry_policy=build.retry_policy(1))
    )
    first.advance(20)
    first.turn(build.continue_as_new(retry_policy=build.retry_policy(1)))
    second = next_run(first)
    second.advance(10)
    assert second.story(2) == ["WorkflowExecutionTimedOut"]
    assert second.last("WorkflowExecutionTimedOut").retry_state == _R.RETRY_STATE_TIMEOUT
    assert second.successor is None


def test_a_signal_the_workflow_has_not_seen_stops_it_from_going_on() -> None:
    first = Simulation()
    first.poll()
    first.signal()
    assert first.complete(build.continue_as_new()) == "UnhandledCommand"
    assert first.successor is None
    assert first.story(3) == ["WorkflowTaskFailed WorkflowExecutionSignaled WorkflowTaskScheduled"]
    assert (
        first.last("WorkflowTaskFailed").cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
    )
    first.turn(build.continue_as_new())
    assert begun(first).continued_execution_run_id == "run-id"


def test_open_work_ends_with_the_run() -> None:
    first = Simulation()
    first.turn(build.schedule_activity(), build.start_timer(), force=True)
    first.turn(build.continue_as_new())
    second = next_run(first)
    assert not first.tasks
    assert not second.state.activities
    assert not second.state.timers


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        (
            {"workflow_run_timeout": Duration(seconds=-1)},
            "Invalid WorkflowRunTimeout on ContinueAsNewWorkflowExecutionCommand: negative duration. "
            f'WorkflowType=Order TaskQueue=name:"{QUEUE}" kind:TASK_QUEUE_KIND_NORMAL',
        ),
        ({"workflow_task_timeout": Duration(seconds=-1)}, "Invalid WorkflowTaskTimeout on ContinueAsNew"),
        ({"backoff_start_interval": Duration(seconds=-1)}, "Invalid BackoffStartInterval on ContinueAsNew"),
        ({"workflow_type": WorkflowType(name="x" * 1001)}, "WorkflowType on ContinueAsNew"),
        ({"input": build.payloads("1" * (2 << 20))}, "ContinueAsNewWorkflowExecutionCommandAttributes. Input"),
    ],
)
def test_a_bad_command_fails_the_workflow_task(fields: dict[str, Any], text: str) -> None:
    first = Simulation()
    first.poll()
    assert first.complete(build.continue_as_new(**fields)).startswith(f"BadContinueAsNewAttributes: {text}")
    assert first.successor is None


@pytest.mark.parametrize(
    "fields",
    [{"task_queue": TaskQueue(name="/_sys/x")}, {"retry_policy": build.retry_policy(1, backoff_coefficient=0.5)}],
)
def test_some_bad_commands_fail_the_call(fields: dict[str, Any]) -> None:
    first = Simulation()
    first.poll()
    with pytest.raises(InvalidArgument):
        first.complete(build.continue_as_new(**fields))


def test_a_bad_cron_schedule_never_ticks() -> None:
    first = Simulation()
    first.advance(1)
    first.turn(build.continue_as_new(cron_schedule="often"))
    second = next_run(first)
    second.turn(build.complete_workflow())
    assert second.successor is None


# The retry policy of a workflow.


def retried(**fields: Any) -> Simulation:
    """A run with a retry policy, two seconds old."""
    first = Simulation(build.start_request(retry_policy=build.retry_policy(5, maximum_attempts=3), **fields))
    first.advance(2)
    return first


def test_a_failed_run_is_tried_again() -> None:
    first = retried(
        input=build.payloads("1"),
        header=Header(fields={"trace": build.payload("2")}),
        memo=build.memo(a="3"),
        search_attributes=build.attributes(Kind='"x"'),
        workflow_run_timeout=build.seconds(60),
        workflow_execution_timeout=build.seconds(600),
        priority=Priority(priority_key=2),
    )
    first.turn(build.modify(build.memo(a="9")), build.fail_workflow())
    assert first.story(3) == ["WorkflowTaskCompleted WorkflowPropertiesModified WorkflowExecutionFailed"]
    failed = first.last("WorkflowExecutionFailed")
    second = next_run(first)
    assert (failed.retry_state, failed.new_execution_run_id) == (_R.RETRY_STATE_IN_PROGRESS, second.state.run_id)
    started, before = begun(first), first.last("WorkflowExecutionStarted")
    for field in (
        "input",
        "header",
        "memo",
        "search_attributes",
        "workflow_run_timeout",
        "workflow_task_timeout",
        "workflow_execution_timeout",
        "workflow_execution_expiration_time",
        "retry_policy",
        "priority",
    ):
        assert getattr(started, field) == getattr(before, field), field
    assert (started.attempt, started.initiator) == (2, _I.CONTINUE_AS_NEW_INITIATOR_RETRY)
    assert started.continued_failure == build.application_failure()
    assert started.first_workflow_task_backoff == Duration(seconds=5)
    assert second.story() == ["WorkflowExecutionStarted"]
    second.advance(5)
    assert second.story(1) == ["WorkflowTaskScheduled"]


def test_intervals_grow_and_attempts_end() -> None:
    run = retried()
    backoffs = []
    while run.state.running:
        run.turn(build.fail_workflow())
        if run.successor is None:
            break
        backoffs.append(begun(run).first_workflow_task_backoff.seconds)
        run = run.successor
        run.advance(backoffs[-1] + 2)
    assert backoffs == [5, 10]
    assert run.state.attempt == 3
    failed = run.last("WorkflowExecutionFailed")
    assert (failed.retry_state, failed.new_execution_run_id) == (_R.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED, "")


def test_a_failure_that_must_not_be_retried() -> None:
    first = retried()
    first.turn(build.fail_workflow(build.application_failure(non_retryable=True)))
    assert first.last("WorkflowExecutionFailed").retry_state == _R.RETRY_STATE_NON_RETRYABLE_FAILURE
    assert first.successor is None


def test_no_retry_begins_after_the_execution_has_expired() -> None:
    first = retried(workflow_execution_timeout=build.seconds(6))
    first.turn(build.fail_workflow())
    assert first.last("WorkflowExecutionFailed").retry_state == _R.RETRY_STATE_TIMEOUT
    assert first.successor is None


def test_a_quick_failure_waits_for_its_second() -> None:
    first = Simulation(build.start_request(retry_policy=build.retry_policy(0.2)))
    first.advance(0.1)
    first.turn(build.fail_workflow())
    assert begun(first).first_workflow_task_backoff == build.seconds(0.9)


def test_the_delay_a_failure_asks_for() -> None:
    first = retried()
    first.turn(build.fail_workflow(build.application_failure(next_retry_delay=build.seconds(40))))
    assert begun(first).first_workflow_task_backoff == Duration(seconds=40)


def test_a_run_that_timed_out_is_tried_again() -> None:
    first = retried(workflow_run_timeout=build.seconds(10))
    first.poll()
    first.advance(8)
    assert first.story(3) == ["WorkflowTaskFailed WorkflowExecutionTimedOut"]
    timed_out = first.last("WorkflowExecutionTimedOut")
    assert timed_out.retry_state == _R.RETRY_STATE_IN_PROGRESS
    assert timed_out.new_execution_run_id == next_run(first).state.run_id
    failure = begun(first).continued_failure
    assert failure.message == "workflow timeout"
    assert failure.timeout_failure_info.timeout_type == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
    second = next_run(first)
    assert second.state.run_expiration == first.now + 15 * SECOND, "its time begins after the backoff"


def test_cancelled_and_terminated_runs_are_not_tried_again() -> None:
    cancelled = retried(cron_schedule="@every 60s")
    cancelled.advance(60)
    cancelled.cancel()
    cancelled.turn(build.cancel_workflow())
    terminated = retried(cron_schedule="@every 60s")
    terminated.terminate()
    assert (cancelled.successor, terminated.successor) == (None, None)


# Cron.


def every_minute(**fields: Any) -> Simulation:
    """A run with a cron schedule, in its first tick."""
    first = Simulation(build.start_request(cron_schedule="@every 60s", **fields))
    first.advance(60)
    return first


def test_a_completed_run_waits_for_its_next_tick() -> None:
    first = every_minute(input=build.payloads("1"))
    first.advance(10)
    first.turn(build.complete_workflow(build.payloads("2")))
    second = next_run(first)
    completed = first.last("WorkflowExecutionCompleted")
    assert (completed.new_execution_run_id, completed.result) == (second.state.run_id, build.payloads("2"))
    started = begun(first)
    assert (started.initiator, started.attempt) == (_I.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE, 1)
    assert (started.input, started.last_completion_result) == (build.payloads("1"), build.payloads("2"))
    assert started.cron_schedule == "@every 60s"
    assert started.first_workflow_task_backoff == Duration(seconds=50)
    assert second.story() == ["WorkflowExecutionStarted"]
    second.advance(50)
    assert second.story(1) == ["WorkflowTaskScheduled"]


def test_ticks_that_were_missed_are_left_out() -> None:
    first = every_minute()
    first.advance(150)
    first.turn(build.complete_workflow())
    assert begun(first).first_workflow_task_backoff == Duration(seconds=30)


def test_a_failed_run_hands_on_its_failure_and_the_last_result() -> None:
    first = every_minute()
    first.turn(build.complete_workflow(build.payloads("2")))
    second = next_run(first)
    second.advance(60)
    second.turn(build.fail_workflow())
    failed = second.last("WorkflowExecutionFailed")
    assert failed.retry_state == _R.RETRY_STATE_RETRY_POLICY_NOT_SET
    assert failed.new_execution_run_id == next_run(second).state.run_id
    started = begun(second)
    assert (started.continued_failure, started.last_completion_result) == (
        build.application_failure(),
        build.payloads("2"),
    )
    third = next_run(second)
    third.advance(60)
    third.turn(build.complete_workflow(build.payloads("3")))
    assert not begun(third).HasField("continued_failure")
    assert begun(third).last_completion_result == build.payloads("3")


def test_retries_go_before_ticks() -> None:
    first = every_minute(retry_policy=build.retry_policy(5, maximum_attempts=2))
    first.turn(build.fail_workflow())
    started = begun(first)
    assert (started.initiator, started.attempt) == (_I.CONTINUE_AS_NEW_INITIATOR_RETRY, 2)
    second = next_run(first)
    second.advance(5)
    second.turn(build.fail_workflow())
    assert second.last("WorkflowExecutionFailed").retry_state == _R.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED
    started = begun(second)
    assert (started.initiator, started.attempt) == (_I.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE, 1)


def test_a_run_that_timed_out_waits_for_its_next_tick() -> None:
    first = every_minute(workflow_run_timeout=build.seconds(45))
    first.advance(45)
    assert first.last("WorkflowExecutionTimedOut").new_execution_run_id == next_run(first).state.run_id
    assert begun(first).first_workflow_task_backoff == Duration(seconds=15)


def test_no_tick_comes_after_the_execution_has_expired() -> None:
    first = every_minute(workflow_execution_timeout=build.seconds(100))
    first.turn(build.complete_workflow())
    assert first.successor is None
    assert first.last("WorkflowExecutionCompleted").new_execution_run_id == ""
