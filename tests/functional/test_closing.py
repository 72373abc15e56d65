"""How runs end: cancelled, terminated, failed; and workflow tasks that fail on the way."""

import asyncio
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import ApplicationError, CancelledError, TerminatedError
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.workers import all_of, events_of, eventually, has_event, names, new_worker, only


@workflow.defn
class Forever:
    """Never ends by itself; says what it was cancelled for."""

    @workflow.run
    async def run(self, clean_up: bool) -> str:
        try:
            await workflow.wait_condition(lambda: False)
        except asyncio.CancelledError:
            if clean_up:
                return f"cleaned up: {workflow.cancellation_reason()}"
            raise
        return ""


@workflow.defn
class Fails:
    """Fails."""

    @workflow.run
    async def run(self) -> None:
        raise ApplicationError("out of paper", "tray 2", type="Paper")


class Trouble:
    """How often the workflow below still fails its task."""

    left = 0


@workflow.defn
class Troubled:
    """Fails its workflow task a few times, as a bug in its code would."""

    @workflow.run
    async def run(self) -> str:
        if Trouble.left:
            Trouble.left -= 1
            raise RuntimeError("a bug")
        return "mended"


async def test_a_cancelled_workflow_ends_cancelled(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Forever]):
        handle = await client.start_workflow(Forever.run, False, id=workflow_id, task_queue=task_queue)
        await eventually(lambda: has_event(handle, "WORKFLOW_TASK_COMPLETED"))
        await handle.cancel()
        await handle.cancel()
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert isinstance(raised.value.cause, CancelledError)
    assert (await handle.describe()).status == WorkflowExecutionStatus.CANCELED
    assert names(await events_of(handle)).count("WORKFLOW_EXECUTION_CANCEL_REQUESTED") == 1


async def test_a_workflow_may_refuse_to_be_cancelled(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Forever]):
        handle = await client.start_workflow(Forever.run, True, id=workflow_id, task_queue=task_queue)
        await eventually(lambda: has_event(handle, "WORKFLOW_TASK_COMPLETED"))
        await handle.cancel(reason="no time")
        assert await handle.result() == "cleaned up: no time"


async def test_a_workflow_is_cancelled_before_a_worker_has_seen_it(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    handle = await client.start_workflow(Forever.run, False, id=workflow_id, task_queue=task_queue)
    await handle.cancel()
    async with new_worker(client, task_queue, workflows=[Forever]):
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert isinstance(raised.value.cause, CancelledError)


async def test_a_terminated_workflow_ends_at_once(client: Client, task_queue: str, workflow_id: str) -> None:
    handle = await client.start_workflow(Forever.run, False, id=workflow_id, task_queue=task_queue)
    waiting = asyncio.create_task(handle.result())
    await handle.terminate("a detail", reason="enough")
    with pytest.raises(WorkflowFailureError) as raised:
        await waiting
    assert isinstance(raised.value.cause, TerminatedError)
    attributes = (await events_of(handle))[-1].workflow_execution_terminated_event_attributes
    assert (attributes.reason, attributes.details.payloads[0].data) == ("enough", b'"a detail"')
    with pytest.raises(RPCError) as refused:
        await handle.terminate()
    assert refused.value.status == RPCStatusCode.NOT_FOUND
    with pytest.raises(RPCError) as refused:
        await handle.signal("any")
    assert refused.value.status == RPCStatusCode.NOT_FOUND


async def test_a_worker_loses_the_run_that_is_terminated_under_it(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Forever]):
        handles = [
            await client.start_workflow(Forever.run, False, id=f"{workflow_id}-{number}", task_queue=task_queue)
            for number in range(20)
        ]
        await asyncio.gather(*(handle.terminate() for handle in handles))
        other = await client.start_workflow(Forever.run, True, id=workflow_id, task_queue=task_queue)
        await other.cancel()
        assert (await other.result()).startswith("cleaned up")
    for handle in handles:
        assert names(await events_of(handle))[-1] == "WORKFLOW_EXECUTION_TERMINATED"


async def test_a_failed_workflow_tells_why(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Fails]):
        handle = await client.start_workflow(Fails.run, id=workflow_id, task_queue=task_queue)
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    cause = raised.value.cause
    assert isinstance(cause, ApplicationError)
    assert (cause.message, cause.type, list(cause.details)) == ("out of paper", "Paper", ["tray 2"])
    assert (await handle.describe()).status == WorkflowExecutionStatus.FAILED


async def test_a_workflow_task_that_fails_is_tried_again(client: Client, task_queue: str, workflow_id: str) -> None:
    Trouble.left = 1
    async with new_worker(client, task_queue, workflows=[Troubled]):
        handle = await client.start_workflow(Troubled.run, id=workflow_id, task_queue=task_queue)
        assert await handle.result() == "mended"
    events = await events_of(handle)
    failed = only(events, "WORKFLOW_TASK_FAILED").workflow_task_failed_event_attributes
    assert failed.failure.message == "a bug"
    again = all_of(events, "WORKFLOW_TASK_SCHEDULED")[-1].workflow_task_scheduled_event_attributes
    assert again.attempt == 2


async def test_a_task_that_fails_for_long_leaves_one_failure_and_heeds_a_signal(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    Trouble.left = 1_000_000
    async with new_worker(client, task_queue, workflows=[Troubled]):
        handle = await client.start_workflow(
            Troubled.run, id=workflow_id, task_queue=task_queue, task_timeout=timedelta(seconds=1)
        )

        async def failing() -> bool:
            raw = (await handle.describe()).raw_description
            return raw.pending_workflow_task.attempt >= 2

        await eventually(failing)
        assert len(all_of(await events_of(handle), "WORKFLOW_TASK_FAILED")) == 1
        Trouble.left = 0
        await handle.signal("unheard")
        assert await handle.result() == "mended"


async def test_the_end_is_one_event_a_waiting_reader_gets(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Fails]):
        handle = await client.start_workflow(Fails.run, id=workflow_id, task_queue=task_queue)
        seen = [event async for event in handle.fetch_history_events(wait_new_event=True)]
    assert [event.event_id for event in seen] == list(range(1, len(seen) + 1))
    assert seen[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED
