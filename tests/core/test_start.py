"""The first events of a run, and what a start request makes of its fields."""

from typing import Any

import pytest
from temporalio.api.common.v1 import Priority
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.sdk.v1 import UserMetadata

from orchestrator.core.limits import Limits
from orchestrator.core.wire import LONGEST, SECOND, length_ns, time_ns
from tests.core import builders as build
from tests.core.simulation import IDENTITY, NOW, QUEUE, Simulation


def started(simulation: Simulation) -> Any:
    """The attributes of the first event."""
    return simulation.last("WorkflowExecutionStarted")


def test_a_start_writes_its_event_and_schedules_the_first_workflow_task() -> None:
    simulation = Simulation(build.start_request(input=build.payloads('"hello"')))
    assert simulation.story() == ["WorkflowExecutionStarted WorkflowTaskScheduled"]
    event = started(simulation)
    assert event.workflow_id == "workflow"
    assert event.workflow_type.name == "Order"
    assert (event.task_queue.name, event.task_queue.kind) == (QUEUE, TaskQueueKind.TASK_QUEUE_KIND_NORMAL)
    assert event.input == build.payloads('"hello"')
    assert event.original_execution_run_id == event.first_execution_run_id == IDENTITY.run_id
    assert (event.identity, event.attempt) == ("client", 1)
    assert not event.HasField("retry_policy")
    assert not event.HasField("root_workflow_execution")
    scheduled = simulation.last("WorkflowTaskScheduled")
    assert scheduled.task_queue.name == QUEUE
    assert (scheduled.start_to_close_timeout.seconds, scheduled.attempt) == (10, 1)
    assert [each.task_queue for each in simulation.tasks.values()] == [QUEUE]


def test_event_ids_and_times_and_increasing_task_ids() -> None:
    simulation = Simulation()
    simulation.sleep(1)
    simulation.poll()
    assert [event.event_id for event in simulation.events] == [1, 2, 3]
    assert [time_ns(event.event_time) - NOW for event in simulation.events] == [0, 0, SECOND]
    task_ids = [event.task_id for event in simulation.events]
    assert task_ids == sorted(set(task_ids))


@pytest.mark.parametrize(
    ("given", "execution", "run", "task"),
    [
        ({}, 0, 0, 10),
        ({"workflow_execution_timeout": 60}, 60, 60, 10),
        ({"workflow_run_timeout": 60}, 0, 60, 10),
        ({"workflow_execution_timeout": 60, "workflow_run_timeout": 30}, 60, 30, 10),
        ({"workflow_execution_timeout": 30, "workflow_run_timeout": 60}, 30, 30, 10),
        ({"workflow_task_timeout": 20}, 0, 0, 20),
        ({"workflow_task_timeout": 500}, 0, 0, 120),
        ({"workflow_run_timeout": 4}, 0, 4, 4),
        ({"workflow_run_timeout": 4, "workflow_task_timeout": 8}, 0, 4, 4),
    ],
)
def test_timeouts_are_filled_in_and_capped(given: dict[str, float], execution: int, run: int, task: int) -> None:
    simulation = Simulation(build.start_request(**{name: build.seconds(value) for name, value in given.items()}))
    event = started(simulation)
    assert length_ns(event.workflow_execution_timeout) == execution * SECOND
    assert length_ns(event.workflow_run_timeout) == run * SECOND
    assert length_ns(event.workflow_task_timeout) == task * SECOND
    assert event.HasField("workflow_execution_expiration_time") == bool(execution)
    if execution:
        assert time_ns(event.workflow_execution_expiration_time) == NOW + execution * SECOND
    assert simulation.state.run_expiration == (NOW + run * SECOND if run else 0)


def test_a_retry_policy_gets_its_defaults() -> None:
    simulation = Simulation(build.start_request(retry_policy=build.retry_policy(2, maximum_attempts=5)))
    policy = started(simulation).retry_policy
    assert policy.initial_interval.seconds == 2
    assert policy.backoff_coefficient == 2.0
    assert policy.maximum_interval.seconds == 200
    assert policy.maximum_attempts == 5


def test_memo_and_search_attributes_without_nulls() -> None:
    memo = build.memo(kept='"x"', gone="null")
    memo.fields["empty"].CopyFrom(build.null())
    simulation = Simulation(build.start_request(memo=memo, search_attributes=build.attributes(Kind='"y"')))
    event = started(simulation)
    assert event.memo == build.memo(kept='"x"')
    assert event.search_attributes == build.attributes(Kind='"y"')
    assert list(simulation.state.memo) == ["kept"]
    assert list(simulation.state.search_attributes) == ["Kind"]


def test_a_bare_start_has_no_memo_and_no_search_attributes() -> None:
    event = started(Simulation())
    assert not event.HasField("memo")
    assert not event.HasField("search_attributes")


def test_what_else_a_start_carries() -> None:
    request = build.start_request(
        priority=Priority(priority_key=2, fairness_key="tenant"),
        user_metadata=UserMetadata(summary=build.payload('"summary"')),
        continued_failure=build.application_failure(),
        last_completion_result=build.payloads("1"),
    )
    request.header.fields["trace"].CopyFrom(build.payload('"t"'))
    request.links.add().batch_job.job_id = "job"
    simulation = Simulation(request)
    event = started(simulation)
    assert event.priority == request.priority
    assert event.continued_failure == request.continued_failure
    assert event.last_completion_result == request.last_completion_result
    assert event.header == request.header
    envelope = simulation.events[0]
    assert envelope.user_metadata == request.user_metadata
    assert list(envelope.links) == list(request.links)


def test_a_delayed_start_has_no_workflow_task_until_the_delay_is_over() -> None:
    simulation = Simulation(build.start_request(workflow_start_delay=build.seconds(30)))
    assert simulation.story() == ["WorkflowExecutionStarted"]
    assert started(simulation).first_workflow_task_backoff.seconds == 30
    assert simulation.state.execution_time == NOW + 30 * SECOND
    assert not simulation.tasks
    simulation.advance(29)
    assert len(simulation.events) == 1
    simulation.advance(1)
    assert simulation.story(1) == ["WorkflowTaskScheduled"]
    assert not simulation.state.backoff_until


def test_run_and_execution_timeouts_of_a_delayed_start() -> None:
    timeouts = {"workflow_run_timeout": build.seconds(60), "workflow_execution_timeout": build.seconds(80)}
    simulation = Simulation(build.start_request(workflow_start_delay=build.seconds(30), **timeouts))
    assert simulation.state.execution_expiration == NOW + 80 * SECOND
    assert simulation.state.run_expiration == NOW + 80 * SECOND, "from the first workflow task, within the execution"


def test_a_delay_for_ever_stays_within_what_databases_store() -> None:
    simulation = Simulation(build.start_request(workflow_start_delay=build.seconds(300 * 365 * 86400)))
    state = simulation.state
    assert state.execution_time == state.backoff_until == state.wake_time == LONGEST
    simulation.cancel()
    assert simulation.story(1) == ["WorkflowExecutionCancelRequested WorkflowTaskScheduled"]


def test_an_eager_start_hands_over_its_first_workflow_task() -> None:
    simulation = Simulation(build.start_request(request_eager_execution=True))
    assert simulation.story() == ["WorkflowExecutionStarted WorkflowTaskScheduled WorkflowTaskStarted"]
    assert started(simulation).eager_execution_accepted
    task = simulation.last("WorkflowTaskStarted")
    assert (task.request_id, task.identity) == (IDENTITY.request_id, "client")
    assert not simulation.tasks
    assert simulation.state.wake_time == NOW + 10 * SECOND


def test_a_delayed_start_is_not_eager() -> None:
    simulation = Simulation(build.start_request(request_eager_execution=True, workflow_start_delay=build.seconds(1)))
    assert simulation.story() == ["WorkflowExecutionStarted"]
    assert not started(simulation).eager_execution_accepted


def test_signal_with_start_puts_the_signal_before_the_first_task() -> None:
    request = build.signal_with_start_request(signal_input=build.payloads("1"), request_id="request")
    request.links.add().batch_job.job_id = "job"
    simulation = Simulation(request)
    assert simulation.story() == ["WorkflowExecutionStarted WorkflowExecutionSignaled WorkflowTaskScheduled"]
    signal = simulation.last("WorkflowExecutionSignaled")
    assert (signal.signal_name, signal.input, signal.identity) == ("signal", build.payloads("1"), "client")
    assert not simulation.events[0].links
    assert list(simulation.events[1].links) == list(request.links)
    assert simulation.state.signal_request_ids == ["request"]


def test_a_delayed_signal_with_start() -> None:
    simulation = Simulation(build.signal_with_start_request(workflow_start_delay=build.seconds(5)))
    assert simulation.story() == ["WorkflowExecutionStarted WorkflowExecutionSignaled"]
    simulation.advance(5)
    assert simulation.story(2) == ["WorkflowTaskScheduled"]


def test_the_limits_give_the_default_workflow_task_timeout() -> None:
    limits = Limits(default_workflow_task_timeout=3 * SECOND)
    assert Simulation(limits=limits).task.timeout == 3 * SECOND
