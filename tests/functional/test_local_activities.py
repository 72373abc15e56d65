"""Local activities: results in markers, attempts, and workflow tasks that are kept alive while they run."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from tests.functional.workers import all_of, events_of, eventually, has_event, names, new_worker


@workflow.defn
class RunLocally:
    """Runs one local activity by name."""

    @workflow.run
    async def run(self, name: str) -> int:
        result: int = await workflow.execute_local_activity(
            name,
            start_to_close_timeout=timedelta(seconds=60),
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=10), maximum_attempts=3),
            result_type=int,
        )
        return result


async def test_a_local_activity_leaves_a_marker(client: Client, task_queue: str, workflow_id: str) -> None:
    @activity.defn(name="seven")
    async def seven() -> int:
        return 7

    async with new_worker(client, task_queue, workflows=[RunLocally], activities=[seven]):
        handle = await client.start_workflow(RunLocally.run, "seven", id=workflow_id, task_queue=task_queue)
        assert await handle.result() == 7
    assert names(await events_of(handle)) == [
        "WORKFLOW_EXECUTION_STARTED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "MARKER_RECORDED",
        "WORKFLOW_EXECUTION_COMPLETED",
    ]


async def test_a_local_activity_is_tried_again(client: Client, task_queue: str, workflow_id: str) -> None:
    @activity.defn(name="flaky")
    async def flaky() -> int:
        if activity.info().attempt < 3:
            raise ApplicationError("not yet")
        return activity.info().attempt

    async with new_worker(client, task_queue, workflows=[RunLocally], activities=[flaky]):
        handle = await client.start_workflow(RunLocally.run, "flaky", id=workflow_id, task_queue=task_queue)
        assert await handle.result() == 3


async def test_a_long_local_activity_keeps_its_workflow_task_alive(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    over = asyncio.Event()

    @activity.defn(name="long")
    async def long() -> int:
        await over.wait()
        return 1

    async with new_worker(client, task_queue, workflows=[RunLocally], activities=[long]):
        handle = await client.start_workflow(
            RunLocally.run, "long", id=workflow_id, task_queue=task_queue, task_timeout=timedelta(seconds=1)
        )

        async def kept_alive() -> bool:
            return len(all_of(await events_of(handle), "WORKFLOW_TASK_COMPLETED")) >= 2

        await eventually(kept_alive, "a second workflow task")
        over.set()
        assert await handle.result() == 1
    events = await events_of(handle)
    assert not all_of(events, "WORKFLOW_TASK_TIMED_OUT")
    assert not all_of(events, "WORKFLOW_TASK_FAILED")
    inline = [event.workflow_task_started_event_attributes for event in all_of(events, "WORKFLOW_TASK_STARTED")][1:]
    assert {each.request_id for each in inline} == {"request-from-RespondWorkflowTaskCompleted"}


async def test_a_signal_reaches_a_workflow_while_its_local_activity_runs(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    over = asyncio.Event()

    @activity.defn(name="waiting")
    async def waiting() -> int:
        await over.wait()
        return 1

    async with new_worker(client, task_queue, workflows=[RunLocally], activities=[waiting]):
        handle = await client.start_workflow(
            RunLocally.run, "waiting", id=workflow_id, task_queue=task_queue, task_timeout=timedelta(seconds=1)
        )
        await eventually(lambda: has_event(handle, "WORKFLOW_TASK_STARTED"))
        await handle.signal("unheard")
        await eventually(lambda: has_event(handle, "WORKFLOW_EXECUTION_SIGNALED"))
        over.set()
        assert await handle.result() == 1
