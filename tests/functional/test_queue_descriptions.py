"""What is told of a task queue: who polls it, what waits in it and how long, how fast it may go; in both modes."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.api.enums.v1 import DescribeTaskQueueMode, TaskQueueType
from temporalio.api.taskqueue.v1 import TaskQueue, TaskQueueTypeInfo
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest, DescribeTaskQueueResponse
from temporalio.client import Client
from temporalio.common import Priority

from tests.functional.workers import eventually, new_worker

WORKFLOW, ACTIVITY = TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY
ENHANCED = DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED


@workflow.defn
class Fan:
    """Runs so many activities at once, on a queue of their own."""

    @workflow.run
    async def run(self, count: int) -> None:
        await asyncio.gather(
            *(
                workflow.execute_activity(
                    nothing,
                    task_queue=f"{workflow.info().task_queue}-activities",
                    start_to_close_timeout=timedelta(seconds=30),
                    priority=Priority(priority_key=1 + number % 2),
                )
                for number in range(count)
            )
        )


@activity.defn
async def nothing() -> None:
    """Does nothing."""


async def describe(client: Client, name: str, kind: TaskQueueType.ValueType = WORKFLOW) -> DescribeTaskQueueResponse:
    """A queue in the plain mode, with its statistics."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=name), task_queue_type=kind, report_stats=True
    )
    return await client.workflow_service.describe_task_queue(request)


async def by_type(client: Client, name: str) -> dict[int, TaskQueueTypeInfo]:
    """What is told of a queue in the enhanced mode, by type."""
    request = DescribeTaskQueueRequest(
        namespace=client.namespace,
        task_queue=TaskQueue(name=name),
        api_mode=ENHANCED,
        task_queue_types=[WORKFLOW, ACTIVITY],
        report_stats=True,
        report_pollers=True,
    )
    reply = await client.workflow_service.describe_task_queue(request)
    (version,) = reply.versions_info.values()
    return dict(version.types_info)


async def backlogs(client: Client, name: str) -> dict[int, int]:
    """How many tasks of a queue wait, by type, as the enhanced mode tells it."""
    return {kind: info.stats.approximate_backlog_count for kind, info in (await by_type(client, name)).items()}


def by_level(seen: DescribeTaskQueueResponse) -> dict[int, int]:
    """How many tasks wait, by priority."""
    return {level: each.approximate_backlog_count for level, each in seen.stats_by_priority_key.items()}


async def test_a_queue_nobody_knows_is_empty(client: Client, task_queue: str) -> None:
    seen = await describe(client, task_queue)
    assert not seen.pollers
    assert seen.stats.approximate_backlog_count == 0


async def test_tasks_that_wait_are_counted_until_they_are_taken(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    handles = [
        await client.start_workflow(
            Fan.run,
            0,
            id=f"{workflow_id}-{number}",
            task_queue=task_queue,
            priority=Priority(priority_key=1 + number % 2),
        )
        for number in range(6)
    ]

    async def all_wait() -> DescribeTaskQueueResponse | None:
        seen = await describe(client, task_queue)
        return seen if seen.stats.approximate_backlog_count == 6 else None

    seen = await eventually(all_wait)
    assert by_level(seen) == {1: 3, 2: 3, 3: 0}
    assert seen.stats.approximate_backlog_age.ToNanoseconds() > 0
    assert seen.stats.tasks_add_rate > 0
    assert await backlogs(client, task_queue) == {WORKFLOW: 6, ACTIVITY: 0}
    async with new_worker(client, task_queue, workflows=[Fan], identity="the worker"):
        for handle in handles:
            await handle.result()
        seen = await describe(client, task_queue)
        assert "the worker" in {poller.identity for poller in seen.pollers}
        polled = await by_type(client, task_queue)
        assert "the worker" in {poller.identity for poller in polled[WORKFLOW].pollers}
        assert not polled[ACTIVITY].pollers
        assert seen.stats.approximate_backlog_count == 0
        assert seen.stats.approximate_backlog_age.ToNanoseconds() == 0
        assert seen.stats.tasks_dispatch_rate > 0


async def test_the_backlog_of_activities_is_told_apart(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Fan]):
        handle = await client.start_workflow(Fan.run, 4, id=workflow_id, task_queue=task_queue)
        queue = f"{task_queue}-activities"

        async def all_wait() -> bool:
            return (await describe(client, queue, ACTIVITY)).stats.approximate_backlog_count == 4

        await eventually(all_wait)
        assert by_level(await describe(client, queue, ACTIVITY)) == {1: 2, 2: 2, 3: 0}
        assert await backlogs(client, queue) == {WORKFLOW: 0, ACTIVITY: 4}
        async with new_worker(client, queue, activities=[nothing]):
            await handle.result()
        assert (await describe(client, queue, ACTIVITY)).stats.approximate_backlog_count == 0
