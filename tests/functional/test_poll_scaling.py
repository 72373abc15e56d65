"""What a worker is told about the number of its polls, and a worker that heeds it."""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
)
from temporalio.client import Client
from temporalio.worker import PollerBehaviorAutoscaling

from tests.functional.workers import eventually, new_worker


@workflow.defn
class Nothing:
    """Does nothing."""

    @workflow.run
    async def run(self) -> None:
        return None


async def poll(client: Client, task_queue: str) -> PollWorkflowTaskQueueResponse:
    """The next workflow task of a queue."""
    request = PollWorkflowTaskQueueRequest(
        namespace=client.namespace, task_queue=TaskQueue(name=task_queue), identity="raw worker"
    )
    return await client.workflow_service.poll_workflow_task_queue(request, timeout=timedelta(seconds=20))


async def test_a_backlog_asks_for_more_polls(client: Client, task_queue: str, workflow_id: str) -> None:
    for number in range(5):
        await client.start_workflow(Nothing.run, id=f"{workflow_id}-{number}", task_queue=task_queue)

    async def old() -> bool:
        request = DescribeTaskQueueRequest(
            namespace=client.namespace, task_queue=TaskQueue(name=task_queue), report_stats=True
        )
        stats = (await client.workflow_service.describe_task_queue(request)).stats
        return stats.approximate_backlog_age.ToTimedelta() > timedelta(seconds=0.5)

    await eventually(old)
    task = await poll(client, task_queue)
    assert task.poller_scaling_decision.poll_request_delta_suggestion == 1
    async with new_worker(client, task_queue, workflows=[Nothing]):
        for number in range(5):
            handle = client.get_workflow_handle(f"{workflow_id}-{number}")
            if handle.id != task.workflow_execution.workflow_id:
                await handle.result()
    await client.get_workflow_handle(task.workflow_execution.workflow_id).terminate()


async def test_a_poll_that_waited_for_long_could_be_spared(client: Client, task_queue: str, workflow_id: str) -> None:
    waiting = asyncio.create_task(poll(client, task_queue))
    handle = await client.start_workflow(
        Nothing.run, id=workflow_id, task_queue=task_queue, start_delay=timedelta(seconds=1.5)
    )
    assert (await waiting).poller_scaling_decision.poll_request_delta_suggestion == -1
    await handle.terminate()


async def test_a_worker_that_scales_its_polls_does_all_work(client: Client, task_queue: str, workflow_id: str) -> None:
    scaling = PollerBehaviorAutoscaling(minimum=1, maximum=10, initial=1)
    handles = [
        await client.start_workflow(Nothing.run, id=f"{workflow_id}-{number}", task_queue=task_queue)
        for number in range(40)
    ]
    async with new_worker(
        client, task_queue, workflows=[Nothing], workflow_task_poller_behavior=scaling, max_concurrent_workflow_tasks=20
    ):
        await asyncio.gather(*(handle.result() for handle in handles))
