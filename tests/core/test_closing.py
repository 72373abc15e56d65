"""How a run ends, and what that leaves behind."""

import pytest
from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import RetryState, WorkflowExecutionStatus, WorkflowTaskFailedCause

from orchestrator.core.enforcement import OverLimit
from orchestrator.core.limits import Limits
from orchestrator.core.wire import SECOND
from tests.core import builders as build
from tests.core.simulation import NOW, Simulation

S = WorkflowExecutionStatus


def busy() -> Simulation:
    """A run with all that can be pending; a worker holds its workflow task, and two events wait behind that."""
    simulation = Simulation()
    simulation.turn(
        build.schedule_activity("a"), build.schedule_activity("b"), build.start_timer(), force=True, sticky="sticky"
    )
    simulation.poll_activity("a")
    simulation.poll()
    simulation.signal()
    simulation.complete_activity("a")
    return simulation


def test_terminate_while_a_worker_has_the_task() -> None:
    simulation = busy()
    before = simulation.state.next_event_id
    link = Link(batch_job=Link.BatchJob(job_id="job"))
    simulation.terminate(reason="enough", details=build.payloads("1"), identity="operator", links=[link])
    assert simulation.story(before - 1) == [
        "WorkflowTaskFailed WorkflowExecutionSignaled ActivityTaskStarted ActivityTaskCompleted "
        "WorkflowExecutionTerminated"
    ]
    failed = simulation.last("WorkflowTaskFailed")
    assert failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND
    assert failed.identity == "history-service"
    event = simulation.last("WorkflowExecutionTerminated")
    assert (event.reason, event.details, event.identity) == ("enough", build.payloads("1"), "operator")
    assert list(simulation.events[-1].links) == [link]
    assert simulation.state.status == S.WORKFLOW_EXECUTION_STATUS_TERMINATED
    assert not simulation.tasks, "nobody gets the other activity"
    assert not simulation.state.sticky_queue


def test_terminate_while_the_task_waits() -> None:
    simulation = Simulation()
    simulation.terminate()
    assert simulation.story(2) == ["WorkflowExecutionTerminated"]
    event = simulation.last("WorkflowExecutionTerminated")
    assert (event.reason, event.identity) == ("terminated by user via frontend", "frontend-service")


def test_terminate_during_a_later_attempt() -> None:
    simulation = Simulation()
    simulation.poll()
    simulation.fail_task()
    simulation.poll()
    simulation.signal()
    simulation.terminate()
    assert simulation.story(4) == ["WorkflowExecutionSignaled WorkflowExecutionTerminated"]


def test_terminate_before_the_first_task() -> None:
    simulation = Simulation(build.start_request(workflow_start_delay=build.seconds(30)))
    simulation.terminate()
    assert simulation.story(1) == ["WorkflowExecutionTerminated"]
    simulation.advance(60)
    assert len(simulation.events) == 2


@pytest.mark.parametrize("task", ["waits", "is started"])
def test_the_run_timeout(task: str) -> None:
    simulation = Simulation(build.start_request(workflow_run_timeout=build.seconds(8)))
    simulation.turn(build.start_timer("t", 60), force=True)
    if task == "is started":
        simulation.poll()
        simulation.advance(7)
        simulation.signal()
        before = simulation.state.next_event_id
        simulation.advance(1)
        assert simulation.story(before - 1) == [
            "WorkflowTaskFailed WorkflowExecutionSignaled WorkflowExecutionTimedOut"
        ]
    else:
        simulation.advance(8)
        assert simulation.story(6) == ["WorkflowExecutionTimedOut"]
    event = simulation.last("WorkflowExecutionTimedOut")
    assert event.retry_state == RetryState.RETRY_STATE_RETRY_POLICY_NOT_SET
    assert simulation.state.status == S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT
    assert simulation.state.close_time == NOW + 8 * SECOND
    assert not simulation.tasks


def test_the_run_timeout_counts_from_the_first_task() -> None:
    simulation = Simulation(
        build.start_request(workflow_run_timeout=build.seconds(8), workflow_start_delay=build.seconds(30))
    )
    simulation.advance(37)
    assert simulation.state.running
    simulation.advance(1)
    assert simulation.story(2) == ["WorkflowExecutionTimedOut"]


def test_the_execution_timeout_counts_from_the_start() -> None:
    simulation = Simulation(
        build.start_request(workflow_execution_timeout=build.seconds(8), workflow_start_delay=build.seconds(30))
    )
    simulation.advance(8)
    assert simulation.story(1) == ["WorkflowExecutionTimedOut"]
    assert simulation.last("WorkflowExecutionTimedOut").retry_state == RetryState.RETRY_STATE_TIMEOUT


def test_a_closed_run_is_never_woken() -> None:
    simulation = busy()
    simulation.terminate()
    before = len(simulation.events)
    simulation.advance(1000)
    simulation.fire()
    assert len(simulation.events) == before


def test_a_history_with_too_many_events_ends_the_run() -> None:
    simulation = Simulation(limits=Limits(history_count=10))
    # The event of a signal has no id yet while the limit is looked at.
    for _ in range(9):
        simulation.signal()
    with pytest.raises(OverLimit, match=r"^Workflow history count exceeds limit\.$"):
        simulation.signal()
    assert len(simulation.events) == 12
    event = simulation.last("WorkflowExecutionTerminated")
    assert (event.reason, event.identity) == ("Workflow history count exceeds limit.", "history-service")


def test_a_completion_beyond_the_limit_is_thrown_away() -> None:
    simulation = Simulation(limits=Limits(history_count=5))
    simulation.poll()
    with pytest.raises(OverLimit):
        simulation.complete(build.record_marker(), build.record_marker())
    assert simulation.story(3) == ["WorkflowTaskFailed WorkflowExecutionTerminated"]
    failed = simulation.last("WorkflowTaskFailed")
    assert failed.cause == WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_FORCE_CLOSE_COMMAND
    assert failed.identity == "history-service"


def test_a_history_that_is_too_large_ends_the_run() -> None:
    simulation = Simulation(limits=Limits(history_size=2000))
    simulation.signal("x" * 2000)
    with pytest.raises(OverLimit, match=r"^Workflow history size exceeds limit\.$"):
        simulation.signal()
    assert simulation.story(3) == ["WorkflowExecutionTerminated"]
    assert simulation.last("WorkflowExecutionTerminated").reason == "Workflow history size exceeds limit."


def test_a_state_that_is_too_large_ends_the_run() -> None:
    simulation = Simulation(limits=Limits(state_size=2000))
    simulation.turn(build.modify(build.memo(a="x" * 2000)))
    with pytest.raises(OverLimit, match=r"^Workflow mutable state size exceeds limit\.$"):
        simulation.signal()
    assert simulation.story(5) == ["WorkflowExecutionTerminated"]


def test_a_run_over_its_limits_can_still_close() -> None:
    simulation = Simulation(limits=Limits(history_size=2000))
    simulation.signal("x" * 2000)
    simulation.terminate()
    assert simulation.story(3) == ["WorkflowExecutionTerminated"]
    assert simulation.last("WorkflowExecutionTerminated").identity != "history-service"


def test_a_run_within_its_limits_goes_on() -> None:
    simulation = Simulation(limits=Limits(history_count=5))
    simulation.turn(build.record_marker())
    assert simulation.state.running
    assert len(simulation.events) == 5
