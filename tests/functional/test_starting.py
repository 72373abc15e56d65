"""Starts: one open run an id, the policies about ids, signal with start, delays, what is given along."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.api.common.v1 import WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import StartWorkflowExecutionRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import TimeoutError, WorkflowAlreadyStartedError
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.workers import all_of, events_of, new_worker, only

FAIL, USE, TERMINATE = (
    WorkflowIDConflictPolicy.FAIL,
    WorkflowIDConflictPolicy.USE_EXISTING,
    WorkflowIDConflictPolicy.TERMINATE_EXISTING,
)
ALLOW, FAILED_ONLY, REJECT = (
    WorkflowIDReusePolicy.ALLOW_DUPLICATE,
    WorkflowIDReusePolicy.ALLOW_DUPLICATE_FAILED_ONLY,
    WorkflowIDReusePolicy.REJECT_DUPLICATE,
)
STARTS = 50


@workflow.defn
class UntilSignalled:
    """Collects signals until it is told to end."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._end = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self._end)
        return self._seen

    @workflow.signal
    def add(self, what: str) -> None:
        self._seen.append(what)

    @workflow.signal
    def end(self) -> None:
        self._end = True


async def start(client: Client, task_queue: str, workflow_id: str, conflict: WorkflowIDConflictPolicy) -> str:
    """The run id of a started workflow; empty when the policy forbade it."""
    try:
        handle = await client.start_workflow(
            UntilSignalled.run, id=workflow_id, task_queue=task_queue, id_conflict_policy=conflict
        )
    except WorkflowAlreadyStartedError:
        return ""
    assert handle.result_run_id is not None
    return handle.result_run_id


async def test_of_many_starts_at_once_one_wins(client: Client, task_queue: str, workflow_id: str) -> None:
    runs = await asyncio.gather(*(start(client, task_queue, workflow_id, FAIL) for _ in range(STARTS)))
    (winner,) = (run_id for run_id in runs if run_id)
    handle = client.get_workflow_handle(workflow_id)
    assert (await handle.describe()).run_id == winner
    with pytest.raises(WorkflowAlreadyStartedError) as raised:
        await client.start_workflow(UntilSignalled.run, id=workflow_id, task_queue=task_queue)
    assert raised.value.run_id == winner
    await handle.terminate()


async def test_many_starts_at_once_share_one_run(client: Client, task_queue: str, workflow_id: str) -> None:
    runs = await asyncio.gather(*(start(client, task_queue, workflow_id, USE) for _ in range(STARTS)))
    assert len(set(runs)) == 1
    assert runs[0]
    await client.get_workflow_handle(workflow_id).terminate()


async def test_of_many_starts_at_once_the_last_is_left(client: Client, task_queue: str, workflow_id: str) -> None:
    runs = await asyncio.gather(*(start(client, task_queue, workflow_id, TERMINATE) for _ in range(STARTS)))
    assert len(set(runs)) == STARTS
    last = (await client.get_workflow_handle(workflow_id).describe()).run_id
    statuses = {
        run_id: (await client.get_workflow_handle(workflow_id, run_id=run_id).describe()).status for run_id in runs
    }
    assert statuses.pop(last) == WorkflowExecutionStatus.RUNNING
    assert set(statuses.values()) == {WorkflowExecutionStatus.TERMINATED}
    await client.get_workflow_handle(workflow_id).terminate()


async def test_a_repeated_request_is_answered_with_the_run_it_made(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    request = StartWorkflowExecutionRequest(
        namespace="default",
        workflow_id=workflow_id,
        workflow_type=WorkflowType(name="UntilSignalled"),
        task_queue=TaskQueue(name=task_queue),
        request_id=str(uuid.uuid4()),
    )
    replies = await asyncio.gather(*(client.workflow_service.start_workflow_execution(request) for _ in range(STARTS)))
    assert len({reply.run_id for reply in replies}) == 1
    handle = client.get_workflow_handle(workflow_id)
    await handle.terminate()
    again = await client.workflow_service.start_workflow_execution(request)
    assert again.run_id == replies[0].run_id


@pytest.mark.parametrize(
    ("reuse", "after_success", "after_failure"),
    [(ALLOW, True, True), (FAILED_ONLY, False, True), (REJECT, False, False)],
    ids=["allow", "failed only", "reject"],
)
async def test_an_id_is_used_again_as_the_policy_says(
    reuse: WorkflowIDReusePolicy,
    after_success: bool,
    after_failure: bool,
    client: Client,
    task_queue: str,
    workflow_id: str,
) -> None:
    async with new_worker(client, task_queue, workflows=[UntilSignalled]):
        for ending, allowed in (("success", after_success), ("failure", after_failure)):
            first = await client.start_workflow(UntilSignalled.run, id=f"{workflow_id}-{ending}", task_queue=task_queue)
            if ending == "success":
                await first.signal(UntilSignalled.end)
                await first.result()
            else:
                await first.terminate()
            again = client.start_workflow(UntilSignalled.run, id=first.id, task_queue=task_queue, id_reuse_policy=reuse)
            if allowed:
                second = await again
                assert second.result_run_id != first.result_run_id
                await second.terminate()
            else:
                with pytest.raises(WorkflowAlreadyStartedError):
                    await again


async def test_signal_with_start_starts_once_and_signals_each_time(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async def signal(number: int) -> str:
        handle = await client.start_workflow(
            UntilSignalled.run,
            id=workflow_id,
            task_queue=task_queue,
            start_signal="add",
            start_signal_args=[str(number)],
        )
        assert handle.result_run_id is not None
        return handle.result_run_id

    runs = await asyncio.gather(*(signal(number) for number in range(STARTS)))
    assert len(set(runs)) == 1
    handle = client.get_workflow_handle(workflow_id, result_type=list[str])
    await handle.signal(UntilSignalled.end)
    async with new_worker(client, task_queue, workflows=[UntilSignalled]):
        seen = await handle.result()
    assert sorted(seen, key=int) == [str(number) for number in range(STARTS)]
    assert len(all_of(await events_of(handle), "WORKFLOW_EXECUTION_STARTED")) == 1


async def test_a_delayed_start_waits(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[UntilSignalled]):
        handle = await client.start_workflow(
            UntilSignalled.run, id=workflow_id, task_queue=task_queue, start_delay=timedelta(seconds=0.5)
        )
        described = await handle.describe()
        assert described.execution_time is not None
        assert described.execution_time - described.start_time == timedelta(seconds=0.5)
        await handle.signal(UntilSignalled.end)
        assert await handle.result() == []
    events = await events_of(handle)
    begun, scheduled = events[0], only(events, "WORKFLOW_TASK_SCHEDULED")
    delay = begun.workflow_execution_started_event_attributes.first_workflow_task_backoff.ToTimedelta()
    assert delay == timedelta(seconds=0.5)
    assert scheduled.event_time.ToDatetime() - begun.event_time.ToDatetime() >= delay


async def test_signal_with_start_ends_the_delay(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[UntilSignalled]):
        handle = await client.start_workflow(
            UntilSignalled.run, id=workflow_id, task_queue=task_queue, start_delay=timedelta(hours=1)
        )
        await client.start_workflow(UntilSignalled.run, id=workflow_id, task_queue=task_queue, start_signal="end")
        assert await handle.result() == []


async def test_a_run_ends_when_its_time_is_up(client: Client, task_queue: str, workflow_id: str) -> None:
    handle = await client.start_workflow(
        UntilSignalled.run, id=workflow_id, task_queue=task_queue, run_timeout=timedelta(seconds=0.3)
    )
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, TimeoutError)
    assert (await handle.describe()).status == WorkflowExecutionStatus.TIMED_OUT


async def test_an_unknown_workflow_is_not_found(client: Client, task_queue: str, workflow_id: str) -> None:
    for call in (
        client.get_workflow_handle(workflow_id).describe(),
        client.get_workflow_handle(workflow_id).terminate(),
        client.get_workflow_handle(workflow_id).cancel(),
        client.get_workflow_handle(workflow_id).signal("any"),
        client.get_workflow_handle(workflow_id).query("any"),
    ):
        with pytest.raises(RPCError) as raised:
            await call
        assert raised.value.status == RPCStatusCode.NOT_FOUND
