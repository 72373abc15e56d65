"""Who gets a workflow task: the worker that remembers the run, another one, or the caller itself."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.client import Client

from tests.functional.workers import all_of, events_of, eventually, has_event, names, new_worker, only


@activity.defn
async def echo(number: int) -> int:
    """Returns what it is given."""
    return number


@workflow.defn
class Chain:
    """Activities and timers by turns; counts how often it was begun, replays included."""

    begun = 0

    @workflow.run
    async def run(self, steps: int) -> int:
        Chain.begun += 1
        total = 0
        for number in range(steps):
            total += await workflow.execute_activity(echo, number, start_to_close_timeout=timedelta(seconds=30))
            await asyncio.sleep(0.01)
        return total


@workflow.defn
class Waiting:
    """Waits for signals."""

    def __init__(self) -> None:
        self._seen = 0

    @workflow.run
    async def run(self, wanted: int) -> int:
        await workflow.wait_condition(lambda: self._seen >= wanted)
        return self._seen

    @workflow.signal
    def more(self) -> None:
        self._seen += 1


async def test_later_workflow_tasks_go_to_the_worker_that_remembers(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    Chain.begun = 0
    async with new_worker(client, task_queue, workflows=[Chain], activities=[echo]):
        handle = await client.start_workflow(Chain.run, 5, id=workflow_id, task_queue=task_queue)
        assert await handle.result() == 10
    assert Chain.begun == 1
    scheduled = all_of(await events_of(handle), "WORKFLOW_TASK_SCHEDULED")
    queues = [each.workflow_task_scheduled_event_attributes.task_queue for each in scheduled]
    assert queues[0].kind == TaskQueueKind.TASK_QUEUE_KIND_NORMAL
    assert {queue.kind for queue in queues[1:]} == {TaskQueueKind.TASK_QUEUE_KIND_STICKY}
    assert {queue.normal_name for queue in queues[1:]} == {task_queue}


async def test_a_worker_without_a_cache_gets_the_whole_history_each_time(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    Chain.begun = 0
    async with new_worker(client, task_queue, workflows=[Chain], activities=[echo], max_cached_workflows=0):
        handle = await client.start_workflow(Chain.run, 5, id=workflow_id, task_queue=task_queue)
        assert await handle.result() == 10
    events = await events_of(handle)
    completed = all_of(events, "WORKFLOW_TASK_COMPLETED")
    assert Chain.begun == len(completed) > 5
    queues = {
        each.workflow_task_scheduled_event_attributes.task_queue.kind
        for each in all_of(events, "WORKFLOW_TASK_SCHEDULED")
    }
    assert queues == {TaskQueueKind.TASK_QUEUE_KIND_NORMAL}


async def test_another_worker_takes_over_when_the_one_that_remembers_stops(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Waiting]):
        handle = await client.start_workflow(Waiting.run, 2, id=workflow_id, task_queue=task_queue)
        await handle.signal(Waiting.more)
        await eventually(lambda: has_event(handle, "WORKFLOW_TASK_COMPLETED"))
    async with new_worker(client, task_queue, workflows=[Waiting]):
        await handle.signal(Waiting.more)
        assert await handle.result() == 2


async def test_a_task_for_a_sticky_queue_nobody_polls_any_more_times_out_to_the_normal_queue(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    first = new_worker(
        client, task_queue, workflows=[Waiting], sticky_queue_schedule_to_start_timeout=timedelta(seconds=0.3)
    )
    async with first:
        handle = await client.start_workflow(Waiting.run, 1, id=workflow_id, task_queue=task_queue)
        await eventually(lambda: has_event(handle, "WORKFLOW_TASK_COMPLETED"))
    await handle.signal(Waiting.more)
    await eventually(lambda: has_event(handle, "WORKFLOW_TASK_TIMED_OUT"))
    async with new_worker(client, task_queue, workflows=[Waiting]):
        assert await handle.result() == 1
    scheduled = all_of(await events_of(handle), "WORKFLOW_TASK_SCHEDULED")
    kinds = [each.workflow_task_scheduled_event_attributes.task_queue.kind for each in scheduled]
    normal, sticky = TaskQueueKind.TASK_QUEUE_KIND_NORMAL, TaskQueueKind.TASK_QUEUE_KIND_STICKY
    assert kinds == [normal, sticky, normal]


async def test_many_runs_share_a_small_cache(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Chain], activities=[echo], max_cached_workflows=2):
        handles = [
            await client.start_workflow(Chain.run, 3, id=f"{workflow_id}-{number}", task_queue=task_queue)
            for number in range(8)
        ]
        assert await asyncio.gather(*(handle.result() for handle in handles)) == [3] * 8


async def test_a_caller_that_is_a_worker_gets_the_first_task_with_the_start(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Chain], activities=[echo]):
        handle = await client.start_workflow(
            Chain.run, 1, id=workflow_id, task_queue=task_queue, request_eager_start=True
        )
        assert handle.__temporal_eagerly_started
        assert await handle.result() == 0
    events = await events_of(handle)
    assert only(
        events, "WORKFLOW_EXECUTION_STARTED"
    ).workflow_execution_started_event_attributes.eager_execution_accepted


async def test_an_eager_start_without_a_worker_is_an_ordinary_one(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    handle = await client.start_workflow(Chain.run, 1, id=workflow_id, task_queue=task_queue, request_eager_start=True)
    async with new_worker(client, task_queue, workflows=[Chain], activities=[echo]):
        assert await handle.result() == 0


async def test_an_activity_on_the_queue_of_its_workflow_comes_with_the_completion(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Chain], activities=[echo], identity="the worker"):
        handle = await client.start_workflow(Chain.run, 1, id=workflow_id, task_queue=task_queue)
        assert await handle.result() == 0
    events = await events_of(handle)
    started = only(events, "ACTIVITY_TASK_STARTED")
    assert started.activity_task_started_event_attributes.identity == "the worker"
    assert started.event_time == only(events, "ACTIVITY_TASK_SCHEDULED").event_time


async def test_activities_are_taken_from_the_queue_when_eagerness_is_off(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(
        client, task_queue, workflows=[Chain], activities=[echo], disable_eager_activity_execution=True
    ):
        handle = await client.start_workflow(Chain.run, 2, id=workflow_id, task_queue=task_queue)
        assert await handle.result() == 1
    assert names(await events_of(handle)).count("ACTIVITY_TASK_COMPLETED") == 2
