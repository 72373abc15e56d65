"""Queries of running and closed runs: answers, failures, refusals, and what they leave behind (nothing)."""

import asyncio
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.client import (
    Client,
    WorkflowExecutionStatus,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
)
from temporalio.common import QueryRejectCondition
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.workers import events_of, eventually, has_event, new_worker

NOT_OPEN = QueryRejectCondition.NOT_OPEN
NOT_COMPLETED = QueryRejectCondition.NOT_COMPLETED_CLEANLY


@workflow.defn
class Counter:
    """Counts signals, answers queries, ends as it is told to."""

    def __init__(self) -> None:
        self._count = 0
        self._end = ""

    @workflow.run
    async def run(self) -> int:
        await workflow.wait_condition(lambda: bool(self._end))
        if self._end == "fail":
            raise ApplicationError("as told")
        return self._count

    @workflow.signal
    def up(self) -> None:
        self._count += 1

    @workflow.signal
    def end(self, how: str) -> None:
        self._end = how

    @workflow.query
    def count(self) -> int:
        return self._count

    @workflow.query
    def plus(self, number: int) -> int:
        return self._count + number

    @workflow.query
    def broken(self) -> int:
        raise ApplicationError("this query fails")


async def test_a_query_sees_every_signal_that_was_acknowledged_before(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Counter]):
        handle = await client.start_workflow(Counter.run, id=workflow_id, task_queue=task_queue)
        for number in range(1, 11):
            await handle.signal(Counter.up)
            assert await handle.query(Counter.count) == number
        assert await handle.query(Counter.plus, 5) == 15
        await handle.signal(Counter.end, "complete")
        assert await handle.result() == 10


async def test_a_query_of_an_idle_run_leaves_no_event(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Counter]):
        handle = await client.start_workflow(Counter.run, id=workflow_id, task_queue=task_queue)
        await eventually(lambda: has_event(handle, "WORKFLOW_TASK_COMPLETED"))
        before = await events_of(handle)
        assert await asyncio.gather(*(handle.query(Counter.count) for _ in range(20))) == [0] * 20
        assert await events_of(handle) == before
        await handle.terminate()


async def test_a_query_is_answered_by_a_worker_that_has_to_replay(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Counter]):
        handle = await client.start_workflow(Counter.run, id=workflow_id, task_queue=task_queue)
        await handle.signal(Counter.up)
        assert await handle.query(Counter.count) == 1
    async with new_worker(client, task_queue, workflows=[Counter], max_cached_workflows=0):
        assert await handle.query(Counter.count) == 1
    await handle.terminate()


async def test_a_closed_run_answers(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Counter]):
        handle = await client.start_workflow(Counter.run, id=workflow_id, task_queue=task_queue)
        await handle.signal(Counter.up)
        await handle.signal(Counter.end, "complete")
        assert await handle.result() == 1
        assert await handle.query(Counter.count) == 1
        assert await handle.query(Counter.count, reject_condition=NOT_COMPLETED) == 1


@pytest.mark.parametrize("condition", [NOT_OPEN, NOT_COMPLETED])
async def test_a_query_of_a_closed_run_may_be_rejected(
    condition: QueryRejectCondition, client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Counter]):
        handle = await client.start_workflow(Counter.run, id=workflow_id, task_queue=task_queue)
        assert await handle.query(Counter.count, reject_condition=condition) == 0
        await handle.signal(Counter.end, "fail")
        await eventually(lambda: has_event(handle, "WORKFLOW_EXECUTION_FAILED"))
        with pytest.raises(WorkflowQueryRejectedError) as raised:
            await handle.query(Counter.count, reject_condition=condition)
        assert raised.value.status == WorkflowExecutionStatus.FAILED
        assert await handle.query(Counter.count) == 0


async def test_a_query_may_fail_and_the_run_goes_on(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Counter]):
        handle = await client.start_workflow(Counter.run, id=workflow_id, task_queue=task_queue)
        with pytest.raises(WorkflowQueryFailedError, match="this query fails"):
            await handle.query(Counter.broken)
        with pytest.raises(WorkflowQueryFailedError, match="unknown"):
            await handle.query("unknown")
        await handle.signal(Counter.end, "complete")
        assert await handle.result() == 0


async def test_a_query_says_that_nobody_polls_when_its_time_is_up(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    handle = await client.start_workflow(Counter.run, id=workflow_id, task_queue=task_queue)
    with pytest.raises(RPCError, match="no poller seen for task queue recently") as raised:
        await handle.query(Counter.count, rpc_timeout=timedelta(seconds=0.5))
    assert raised.value.status == RPCStatusCode.FAILED_PRECONDITION
    await handle.terminate()


async def test_a_query_waits_for_a_worker(client: Client, task_queue: str, workflow_id: str) -> None:
    handle = await client.start_workflow(Counter.run, id=workflow_id, task_queue=task_queue)
    asked = asyncio.create_task(handle.query(Counter.count))
    async with new_worker(client, task_queue, workflows=[Counter]):
        assert await asked == 0
    await handle.terminate()


async def test_queries_and_signals_together(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Counter]):
        handle = await client.start_workflow(Counter.run, id=workflow_id, task_queue=task_queue)

        async def up_and_ask() -> int:
            await handle.signal(Counter.up)
            return await handle.query(Counter.count)

        seen = await asyncio.gather(*(up_and_ask() for _ in range(30)))
        assert max(seen) == 30
        assert sorted(seen)[0] >= 1
        await handle.terminate()


async def test_a_query_that_waits_with_a_workflow_task_survives_the_end_of_its_run(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    handle = await client.start_workflow(Counter.run, id=workflow_id, task_queue=task_queue)
    async with new_worker(client, task_queue, workflows=[Counter]):
        assert await handle.query(Counter.count) == 0
    await handle.signal(Counter.up)
    asked = asyncio.create_task(handle.query(Counter.count))
    await handle.terminate()
    async with new_worker(client, task_queue, workflows=[Counter]):
        assert await asked == 1
