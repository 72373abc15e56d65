"""Cron workflows: each tick a run, what a run knows of the one before, and how the chain is ended."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import ContinueAsNewInitiator
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.workers import events_of, eventually, names, new_worker

EVERY_SECOND = "@every 1s"


@workflow.defn
class Ticks:
    """Counts the ticks; fails on the one it is told to, or waits for ever on a negative one."""

    @workflow.run
    async def run(self, fail_on: int) -> int:
        last = workflow.get_last_completion_result(int) if workflow.has_last_completion_result() else 0
        if fail_on < 0:
            await workflow.wait_condition(lambda: False)
        if last + 1 == fail_on and workflow.get_last_failure() is None:
            raise ApplicationError("this tick")
        return last + 1


async def run_after(client: Client, run: WorkflowHandle[Any, Any]) -> WorkflowHandle[Any, Any]:
    """The run after one, once that has ended."""
    await asyncio.wait([asyncio.ensure_future(run.result(follow_runs=False))])
    end = (await events_of(run))[-1]
    return client.get_workflow_handle(
        run.id, run_id=getattr(end, str(end.WhichOneof("attributes"))).new_execution_run_id
    )


async def start(client: Client, task_queue: str, workflow_id: str, fail_on: int) -> WorkflowHandle[Any, Any]:
    """Starts a workflow that ticks each second; the handle of its first run."""
    handle = await client.start_workflow(
        Ticks.run, fail_on, id=workflow_id, task_queue=task_queue, cron_schedule=EVERY_SECOND
    )
    return client.get_workflow_handle(workflow_id, run_id=handle.result_run_id)


async def begun(run: WorkflowHandle[Any, Any]) -> Any:
    """The attributes of the first event of a run."""
    return (await events_of(run))[0].workflow_execution_started_event_attributes


async def test_each_tick_is_a_run_that_knows_the_result_of_the_last(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Ticks]):
        first = await start(client, task_queue, workflow_id, 0)
        second = await run_after(client, first)
        third = await run_after(client, second)
        await client.get_workflow_handle(workflow_id).terminate()
    attributes = await begun(third)
    assert attributes.cron_schedule == EVERY_SECOND
    assert attributes.initiator == ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE
    assert attributes.last_completion_result.payloads[0].data == b"2"
    assert attributes.first_execution_run_id == first.run_id
    assert attributes.attempt == 1
    backoffs = [(await begun(run)).first_workflow_task_backoff.ToTimedelta() for run in (first, second, third)]
    assert all(timedelta() < backoff <= timedelta(seconds=1) for backoff in backoffs)
    end = (await events_of(second))[-1].workflow_execution_completed_event_attributes
    assert end.new_execution_run_id == third.run_id


async def test_a_tick_that_failed_is_followed_by_another(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Ticks]):
        first = await start(client, task_queue, workflow_id, 2)
        failed = await run_after(client, first)
        after = await run_after(client, failed)
        await client.get_workflow_handle(workflow_id).terminate()
    assert names(await events_of(failed))[-1] == "WORKFLOW_EXECUTION_FAILED"
    attributes = await begun(after)
    assert attributes.continued_failure.message == "this tick"
    # The result of the last run that had one is handed on past the failure.
    assert attributes.last_completion_result.payloads[0].data == b"1"


@pytest.mark.parametrize("how", ["cancel", "terminate"])
async def test_an_ended_cron_workflow_does_not_tick_again(
    how: str, client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Ticks]):
        handle = await client.start_workflow(
            Ticks.run, -1, id=workflow_id, task_queue=task_queue, cron_schedule="0 0 1 1 *"
        )
        described = await handle.describe()
        assert described.execution_time is not None
        assert described.execution_time > described.start_time
        assert names(await events_of(handle)) == ["WORKFLOW_EXECUTION_STARTED"]
        if how == "cancel":
            await handle.cancel()
        else:
            await handle.terminate()

        async def closed() -> bool:
            return (await handle.describe()).status != WorkflowExecutionStatus.RUNNING

        await eventually(closed)
    assert (await client.get_workflow_handle(workflow_id).describe()).run_id == handle.result_run_id


@pytest.mark.parametrize("schedule", ["every day", "61 * * * *", "0 0 31 2 *"])
async def test_a_schedule_that_is_none_is_refused(
    schedule: str, client: Client, task_queue: str, workflow_id: str
) -> None:
    with pytest.raises(RPCError, match="invalid CronSchedule") as raised:
        await client.start_workflow(Ticks.run, 0, id=workflow_id, task_queue=task_queue, cron_schedule=schedule)
    assert raised.value.status == RPCStatusCode.INVALID_ARGUMENT
