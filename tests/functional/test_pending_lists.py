"""What the description of a run lists as pending: tasks, activities, children, deadlines, request ids."""

from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.api.enums.v1 import (
    EventType,
    ParentClosePolicy,
    PendingActivityState,
    PendingWorkflowTaskState,
)
from temporalio.api.workflowservice.v1 import DescribeWorkflowExecutionResponse
from temporalio.client import Client, WorkflowHandle
from temporalio.common import Priority, RetryPolicy
from temporalio.exceptions import ApplicationError

from tests.functional.workers import eventually, new_worker


@workflow.defn
class Child:
    """Waits for ever."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@workflow.defn
class Busy:
    """Has one activity that fails, one that runs, one that nobody takes; and a child."""

    @workflow.run
    async def run(self) -> None:
        for name, queue in (("fails", None), ("runs", None), ("absent", "a queue nobody polls")):
            workflow.start_activity(
                name,
                activity_id=name,
                task_queue=queue,
                start_to_close_timeout=timedelta(minutes=5),
                schedule_to_close_timeout=timedelta(hours=1),
                retry_policy=RetryPolicy(initial_interval=timedelta(minutes=30), maximum_attempts=7),
                priority=Priority(priority_key=2),
            )
        await workflow.start_child_workflow(
            Child.run,
            id=f"{workflow.info().workflow_id}-child",
            parent_close_policy=workflow.ParentClosePolicy.REQUEST_CANCEL,
        )
        await workflow.wait_condition(lambda: False)


@activity.defn(name="fails")
async def fails() -> None:
    """Fails."""
    raise ApplicationError("not today", type="Weather")


async def described(handle: WorkflowHandle[Any, Any]) -> DescribeWorkflowExecutionResponse:
    """The whole description."""
    return (await handle.describe()).raw_description


async def test_a_workflow_task_that_waits_is_listed(client: Client, task_queue: str, workflow_id: str) -> None:
    handle = await client.start_workflow(
        Child.run,
        id=workflow_id,
        task_queue=task_queue,
        run_timeout=timedelta(minutes=5),
        execution_timeout=timedelta(hours=1),
    )
    seen = await described(handle)
    task = seen.pending_workflow_task
    assert task.state == PendingWorkflowTaskState.PENDING_WORKFLOW_TASK_STATE_SCHEDULED
    assert task.attempt == 1
    assert task.HasField("scheduled_time") and task.HasField("original_scheduled_time")
    extended, begun = seen.workflow_extended_info, seen.workflow_execution_info.start_time.ToDatetime()
    assert extended.run_expiration_time.ToDatetime() - begun == timedelta(minutes=5)
    assert extended.execution_expiration_time.ToDatetime() - begun == timedelta(hours=1)
    (info,) = extended.request_id_infos.values()
    assert (info.event_type, info.event_id) == (EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED, 1)
    assert not extended.cancel_requested
    await handle.cancel()
    assert (await described(handle)).workflow_extended_info.cancel_requested
    await handle.terminate()


async def test_activities_and_children_are_listed_until_the_run_closes(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    @activity.defn(name="runs")
    async def runs() -> None:
        activity.heartbeat("half")
        activity.raise_complete_async()

    async with new_worker(client, task_queue, workflows=[Busy, Child], activities=[fails, runs], identity="the worker"):
        handle = await client.start_workflow(Busy.run, id=workflow_id, task_queue=task_queue)

        async def all_there() -> dict[str, Any]:
            raw = await described(handle)
            listed = {each.activity_id: each for each in raw.pending_activities}
            done = (
                len(listed) == 3
                and listed["fails"].last_failure.message
                and listed["runs"].HasField("heartbeat_details")
                and raw.pending_children
                and raw.pending_children[0].run_id
                and not raw.HasField("pending_workflow_task")
            )
            return listed if done else {}

        listed = await eventually(all_there)
        raw = await described(handle)
        await handle.terminate()
    waits, runs_now = (
        PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED,
        PendingActivityState.PENDING_ACTIVITY_STATE_STARTED,
    )
    assert {name: each.state for name, each in listed.items()} == {"fails": waits, "runs": runs_now, "absent": waits}
    failed = listed["fails"]
    assert (failed.attempt, failed.maximum_attempts, failed.last_worker_identity) == (2, 7, "the worker")
    assert failed.last_failure.application_failure_info.type == "Weather"
    assert failed.current_retry_interval.ToTimedelta() == timedelta(minutes=30)
    next_attempt = failed.next_attempt_schedule_time.ToDatetime()
    assert next_attempt - failed.last_attempt_complete_time.ToDatetime() == timedelta(minutes=30)
    running = listed["runs"]
    assert (running.attempt, running.heartbeat_details.payloads[0].data) == (1, b'"half"')
    assert running.HasField("last_started_time")
    absent = listed["absent"]
    assert not absent.HasField("last_started_time")
    for each in listed.values():
        assert each.priority.priority_key == 2
        options = each.activity_options
        assert options.start_to_close_timeout.ToTimedelta() == timedelta(minutes=5)
        assert options.schedule_to_close_timeout.ToTimedelta() == timedelta(hours=1)
        assert options.retry_policy.maximum_attempts == 7
    assert absent.activity_options.task_queue.name == "a queue nobody polls"
    (child,) = raw.pending_children
    assert (child.workflow_id, child.workflow_type_name) == (f"{workflow_id}-child", "Child")
    assert child.parent_close_policy == ParentClosePolicy.PARENT_CLOSE_POLICY_REQUEST_CANCEL
    closed = await described(handle)
    assert not closed.pending_children
    assert not closed.pending_activities
