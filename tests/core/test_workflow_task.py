"""The life of a workflow task: which events it leaves, which attempt follows, and where it goes."""

import pytest
from temporalio.api.common.v1 import WorkerVersionStamp
from temporalio.api.enums.v1 import SuggestContinueAsNewReason, TaskQueueKind, TimeoutType, WorkflowTaskFailedCause
from temporalio.api.sdk.v1 import WorkflowTaskCompletedMetadata

from orchestrator.core import reset_points, workflow_task
from orchestrator.core.limits import Limits
from orchestrator.core.run import WORKFLOW
from orchestrator.core.wire import SECOND
from orchestrator.errors import NotFound
from tests.core import builders as build
from tests.core.simulation import NOW, QUEUE, Simulation, name_of

_F = WorkflowTaskFailedCause


def polled(**options: object) -> Simulation:
    """A run whose first workflow task a worker has: three events."""
    simulation = Simulation(**options)  # type: ignore[arg-type]
    simulation.poll()
    return simulation


def test_scheduled_started_completed() -> None:
    simulation = polled()
    simulation.complete(
        worker_version=WorkerVersionStamp(build_id="build"),
        sdk_metadata=WorkflowTaskCompletedMetadata(lang_used_flags=[1]),
        binary_checksum="checksum",
    )
    assert simulation.story() == [
        "WorkflowExecutionStarted WorkflowTaskScheduled",
        "WorkflowTaskStarted",
        "WorkflowTaskCompleted",
    ]
    started = simulation.last("WorkflowTaskStarted")
    assert (started.scheduled_event_id, started.identity, started.request_id) == (2, "worker", "poll-1")
    assert started.history_size_bytes > 0
    completed = simulation.last("WorkflowTaskCompleted")
    assert (completed.scheduled_event_id, completed.started_event_id) == (2, 3)
    assert completed.identity == "worker"
    assert completed.worker_version.build_id == "build"
    assert list(completed.sdk_metadata.lang_used_flags) == [1]
    assert completed.binary_checksum == "checksum"
    state = simulation.state
    assert state.workflow_task is None
    assert state.previous_started_event_id == 3
    assert state.completed_workflow_tasks == 1


def test_a_started_event_ends_its_batch() -> None:
    simulation = Simulation()
    simulation.turn(force=True, inline=True)
    assert simulation.story(3) == ["WorkflowTaskCompleted WorkflowTaskScheduled WorkflowTaskStarted"]
    simulation.fail_task()
    assert simulation.story(6) == ["WorkflowTaskFailed"]


def test_there_is_one_pending_task() -> None:
    simulation = polled()
    simulation.transact(workflow_task.schedule)
    assert len(simulation.events) == 3


@pytest.mark.parametrize("field", ["scheduled_event_id", "started_event_id", "started_time", "attempt"])
def test_a_token_of_another_task_is_refused(field: str) -> None:
    simulation = polled()
    token = {"scheduled_event_id": 2, "started_event_id": 3, "started_time": NOW, "attempt": 1}
    run = simulation.open()
    assert workflow_task.check(run, **token) is run.state.workflow_task
    token[field] += 1
    with pytest.raises(NotFound, match="Workflow task not found"):
        workflow_task.check(run, **token)


def test_a_token_of_a_task_nobody_has_is_refused() -> None:
    with pytest.raises(NotFound):
        workflow_task.check(Simulation().open(), scheduled_event_id=2, started_event_id=0, started_time=0, attempt=1)


def test_a_failed_task_is_tried_again_without_further_events() -> None:
    simulation = polled()
    simulation.fail_task()
    assert simulation.story(3) == ["WorkflowTaskFailed"]
    failed = simulation.last("WorkflowTaskFailed")
    assert (failed.scheduled_event_id, failed.started_event_id) == (2, 3)
    assert failed.cause == _F.WORKFLOW_TASK_FAILED_CAUSE_WORKFLOW_WORKER_UNHANDLED_FAILURE
    assert (failed.failure.message, failed.identity) == ("broken", "worker")
    assert (simulation.task.attempt, simulation.task.scheduled_event_id) == (2, 5)
    for attempt in (2, 3, 4):
        simulation.poll()
        assert simulation.task.attempt == attempt
        simulation.fail_task()
    assert len(simulation.events) == 4


def test_a_later_attempt_that_completes_writes_all_its_events() -> None:
    simulation = polled()
    simulation.fail_task()
    simulation.sleep(1)
    simulation.poll(identity="other worker")
    simulation.sleep(1)
    simulation.complete(build.record_marker())
    assert simulation.story(4) == ["WorkflowTaskScheduled WorkflowTaskStarted", "WorkflowTaskCompleted MarkerRecorded"]
    scheduled, started = simulation.last_event("WorkflowTaskScheduled"), simulation.last_event("WorkflowTaskStarted")
    assert scheduled.workflow_task_scheduled_event_attributes.attempt == 2
    assert scheduled.event_time.seconds * SECOND == NOW
    assert started.event_time.seconds * SECOND == NOW + SECOND
    assert started.workflow_task_started_event_attributes.identity == "other worker"
    assert simulation.state.workflow_task_attempt == 1


def test_what_a_worker_sees_of_a_later_attempt() -> None:
    simulation = polled()
    assert workflow_task.transient_events(simulation.open()) == []
    simulation.fail_task()
    assert [name_of(each) for each in workflow_task.transient_events(simulation.open())] == ["WorkflowTaskScheduled"]
    simulation.poll()
    run = simulation.open()
    events = workflow_task.transient_events(run)
    assert [(each.event_id, name_of(each)) for each in events] == [
        (5, "WorkflowTaskScheduled"),
        (6, "WorkflowTaskStarted"),
    ]
    assert (simulation.task.scheduled_event_id, simulation.task.started_event_id) == (5, 6)
    assert run.state.next_event_id == 5
    assert not run.batches


def test_an_event_before_a_later_attempt_starts_makes_it_a_first_one() -> None:
    simulation = polled()
    simulation.fail_task()
    simulation.signal()
    assert simulation.story(4) == ["WorkflowExecutionSignaled"]
    simulation.poll()
    assert simulation.story(5) == ["WorkflowTaskScheduled WorkflowTaskStarted"]
    assert simulation.last("WorkflowTaskScheduled").attempt == 1
    simulation.fail_task()
    assert simulation.story(7) == ["WorkflowTaskFailed"]
    assert simulation.task.attempt == 2


def test_an_event_during_a_later_attempt_makes_the_next_one_a_first_one() -> None:
    simulation = polled()
    simulation.fail_task()
    simulation.poll()
    simulation.signal()
    simulation.fail_task()
    assert simulation.story(4) == ["WorkflowExecutionSignaled WorkflowTaskScheduled"]
    assert simulation.task.attempt == 1


def test_a_reset_counts_from_one_again() -> None:
    simulation = polled()
    simulation.fail_task()
    simulation.poll()
    simulation.fail_task(_F.WORKFLOW_TASK_FAILED_CAUSE_RESET_WORKFLOW)
    assert simulation.task.attempt == 1


def test_a_worker_that_never_answers_times_out() -> None:
    simulation = polled()
    simulation.advance(9.9)
    assert len(simulation.events) == 3
    simulation.advance(0.1)
    assert simulation.story(3) == ["WorkflowTaskTimedOut"]
    timed_out = simulation.last("WorkflowTaskTimedOut")
    assert timed_out.timeout_type == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
    assert (timed_out.scheduled_event_id, timed_out.started_event_id) == (2, 3)
    simulation.poll()
    simulation.advance(10)
    assert len(simulation.events) == 4
    assert simulation.task.attempt == 3


def test_attempts_behind_the_third_get_more_time() -> None:
    simulation = Simulation()
    timeouts = []
    for _ in range(13):
        timeouts.append(simulation.task.timeout // SECOND)
        simulation.poll()
        simulation.fail_task()
    assert timeouts == [10, 10, 10, 15, 20, 30, 50, 90, 170, 330, 610, 610, 610]


def sticky() -> Simulation:
    """A run whose worker keeps it in a queue of its own, with a scheduled task there: seven events."""
    simulation = Simulation()
    simulation.turn(sticky="sticky")
    simulation.signal()
    return simulation


def test_a_sticky_worker_gets_the_next_task() -> None:
    simulation = sticky()
    assert simulation.story(3) == ["WorkflowTaskCompleted", "WorkflowExecutionSignaled WorkflowTaskScheduled"]
    queue = simulation.last("WorkflowTaskScheduled").task_queue
    assert (queue.name, queue.kind, queue.normal_name) == ("sticky", TaskQueueKind.TASK_QUEUE_KIND_STICKY, QUEUE)
    assert simulation.tasks[WORKFLOW, 6].task_queue == "sticky"
    simulation.turn(sticky="sticky")
    assert simulation.state.sticky_queue == "sticky"


def test_a_completion_without_a_sticky_queue_ends_stickiness() -> None:
    simulation = sticky()
    simulation.turn()
    simulation.signal()
    assert simulation.tasks[WORKFLOW, 10].task_queue == QUEUE


def test_a_sticky_worker_that_is_gone_loses_the_task_to_the_normal_queue() -> None:
    simulation = sticky()
    simulation.advance(10)
    assert simulation.story(6) == ["WorkflowTaskTimedOut WorkflowTaskScheduled"]
    timed_out = simulation.last("WorkflowTaskTimedOut")
    assert timed_out.timeout_type == TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_START
    assert timed_out.started_event_id == 0
    assert simulation.task.attempt == 1
    assert [each.task_queue for each in simulation.tasks.values()] == [QUEUE]
    assert not simulation.state.wake_time, "a normal queue has no such timeout"


@pytest.mark.parametrize("how", ["failure", "timeout"])
def test_a_sticky_task_that_fails_starts_over_on_the_normal_queue(how: str) -> None:
    simulation = sticky()
    simulation.poll()
    if how == "failure":
        simulation.fail_task()
    else:
        simulation.advance(10)
    name = "WorkflowTaskFailed" if how == "failure" else "WorkflowTaskTimedOut"
    assert simulation.story(7) == [f"{name} WorkflowTaskScheduled"]
    assert (simulation.task.attempt, simulation.task.task_queue) == (1, QUEUE)
    assert not simulation.state.sticky_queue


def test_a_poll_of_the_normal_queue_takes_a_sticky_task_and_ends_stickiness() -> None:
    simulation = sticky()
    assert simulation.poll(QUEUE)
    assert not simulation.state.sticky_queue


def test_a_sticky_poll_does_not_get_a_task_of_the_normal_queue() -> None:
    simulation = Simulation()
    assert not simulation.poll("sticky")
    assert len(simulation.events) == 2
    assert simulation.tasks


def test_resetting_stickiness() -> None:
    simulation = Simulation()
    simulation.turn(sticky="sticky")
    simulation.transact(workflow_task.clear_sticky)
    simulation.signal()
    assert [each.task_queue for each in simulation.tasks.values()] == [QUEUE]


def test_a_heartbeat_keeps_a_task_going() -> None:
    simulation = Simulation()
    for _ in range(3):
        simulation.poll() if not simulation.task.started_event_id else None
        simulation.advance(5)
        simulation.complete(force=True, inline=True)
    assert simulation.story(3) == ["WorkflowTaskCompleted WorkflowTaskScheduled WorkflowTaskStarted"] * 3
    assert simulation.task.original_scheduled_time == NOW
    assert simulation.last("WorkflowTaskStarted").request_id == workflow_task.INLINE_REQUEST_ID
    simulation.complete(build.record_marker(), force=True)
    assert simulation.task.original_scheduled_time == simulation.now, "commands are progress"


def test_a_worker_is_told_when_the_history_gets_long() -> None:
    simulation = polled(limits=Limits(suggest_continue_as_new_count=3))
    started = simulation.last("WorkflowTaskStarted")
    assert started.suggest_continue_as_new
    assert list(started.suggest_continue_as_new_reasons) == [
        SuggestContinueAsNewReason.SUGGEST_CONTINUE_AS_NEW_REASON_TOO_MANY_HISTORY_EVENTS
    ]
    simulation = polled(limits=Limits(suggest_continue_as_new_size=100))
    assert list(simulation.last("WorkflowTaskStarted").suggest_continue_as_new_reasons) == [
        SuggestContinueAsNewReason.SUGGEST_CONTINUE_AS_NEW_REASON_HISTORY_SIZE_TOO_LARGE
    ]
    assert not polled().last("WorkflowTaskStarted").suggest_continue_as_new


def test_the_first_task_of_each_build_is_remembered() -> None:
    simulation = Simulation()
    for build_id in ["a", "a", "b"]:
        simulation.turn(worker_version=WorkerVersionStamp(build_id=build_id), force=True)
    assert [(each.build_id, each.completed_event_id) for each in simulation.state.reset_points] == [("a", 4), ("b", 10)]
    for number in range(25):
        simulation.turn(binary_checksum=f"checksum-{number}", force=True)
    points = simulation.state.reset_points
    assert len(points) == reset_points.KEPT
    assert points[-1].binary_checksum == "checksum-24"
