"""Updates: what the caller waits for, validators, updates that are sent twice, outcomes that are asked for later."""

import asyncio
import uuid
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.account import ACCEPTED, ADMITTED, COMPLETED, Account, opened, stage_of
from tests.functional.workers import all_of, events_of, eventually, names, new_worker, only


async def test_an_update_returns_its_result(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        assert await handle.execute_update(Account.deposit, 5) == 5
        assert await handle.execute_update(Account.deposit, 6, id="second") == 11
        await handle.signal(Account.close)
        assert await handle.result() == 11
    events = await events_of(handle)
    accepted = all_of(events, "WORKFLOW_EXECUTION_UPDATE_ACCEPTED")
    completed = all_of(events, "WORKFLOW_EXECUTION_UPDATE_COMPLETED")
    assert len(accepted) == len(completed) == 2
    assert accepted[1].workflow_execution_update_accepted_event_attributes.protocol_instance_id == "second"
    last = completed[1].workflow_execution_update_completed_event_attributes
    assert (last.meta.update_id, last.accepted_event_id) == ("second", accepted[1].event_id)


async def test_a_rejected_update_leaves_no_event(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        before = names(await events_of(handle))
        for _ in range(2):
            with pytest.raises(WorkflowUpdateFailedError) as raised:
                await handle.execute_update(Account.deposit, -5, id="the-same")
            cause = raised.value.cause
            assert isinstance(cause, ApplicationError)
            assert (cause.message, cause.type) == ("a deposit is positive", "Negative")
        assert await stage_of(client, workflow_id, "the-same") is None
        assert names(await events_of(handle)) == before
        await handle.terminate()


async def test_an_update_that_fails_is_accepted_before(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        with pytest.raises(WorkflowUpdateFailedError) as raised:
            await handle.execute_update(Account.overdraw)
        assert isinstance(raised.value.cause, ApplicationError)
        assert raised.value.cause.type == "Credit"
        await handle.terminate()
    events = await events_of(handle)
    assert len(all_of(events, "WORKFLOW_EXECUTION_UPDATE_ACCEPTED")) == 1
    outcome = only(events, "WORKFLOW_EXECUTION_UPDATE_COMPLETED").workflow_execution_update_completed_event_attributes
    assert outcome.outcome.failure.message == "no credit"


async def test_a_caller_waits_for_acceptance_or_for_the_end(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        update = await handle.start_update(
            Account.transfer, 5, id="transfer", wait_for_stage=WorkflowUpdateStage.ACCEPTED
        )
        assert await stage_of(client, workflow_id, "transfer") == ACCEPTED
        assert not all_of(await events_of(handle), "WORKFLOW_EXECUTION_UPDATE_COMPLETED")
        finished = asyncio.create_task(
            handle.start_update(Account.transfer, 7, id="second", wait_for_stage=WorkflowUpdateStage.COMPLETED)
        )
        await handle.signal(Account.clear)
        assert await update.result() == 5
        assert await (await finished).result() == 12
        assert await stage_of(client, workflow_id, "transfer") == COMPLETED
        await handle.terminate()


async def test_an_update_nobody_works_on_is_admitted(client: Client, task_queue: str, workflow_id: str) -> None:
    handle = await client.start_workflow(Account.run, id=workflow_id, task_queue=task_queue)
    assert await stage_of(client, workflow_id, "early") is None
    early = asyncio.create_task(handle.execute_update(Account.deposit, 5, id="early"))

    async def admitted() -> bool:
        return await stage_of(client, workflow_id, "early") == ADMITTED

    await eventually(admitted)
    assert names(await events_of(handle)) == ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED"]
    async with new_worker(client, task_queue, workflows=[Account]):
        assert await early == 5
        await handle.terminate()


async def test_an_update_id_counts_once(client: Client, task_queue: str, workflow_id: str) -> None:
    update_id = str(uuid.uuid4())
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        results = await asyncio.gather(
            *(handle.execute_update(Account.deposit, 5, id=update_id, result_type=int) for _ in range(8))
        )
        assert results == [5] * 8
        assert await handle.execute_update(Account.deposit, 5, id=update_id) == 5
        await handle.signal(Account.close)
        assert await handle.result() == 5
    assert len(all_of(await events_of(handle), "WORKFLOW_EXECUTION_UPDATE_ACCEPTED")) == 1


async def test_an_outcome_is_asked_for_by_id_also_after_the_close(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        await handle.execute_update(Account.deposit, 5, id="kept")
        await handle.signal(Account.close)
        await handle.result()
    other: WorkflowHandle[Any, Any] = client.get_workflow_handle(workflow_id)
    assert await other.get_update_handle("kept", result_type=int).result() == 5
    with pytest.raises(RPCError) as raised:
        await other.get_update_handle("unheard of").result()
    assert raised.value.status == RPCStatusCode.NOT_FOUND


async def test_an_update_the_workflow_does_not_know_is_rejected(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        with pytest.raises(WorkflowUpdateFailedError, match="Workflow update failed") as raised:
            await handle.execute_update("unheard of")
        assert "unheard of" in str(raised.value.cause)
        await handle.terminate()
    assert not all_of(await events_of(handle), "WORKFLOW_EXECUTION_UPDATE_ACCEPTED")


async def test_many_updates_at_once_are_answered_each(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        results = await asyncio.gather(*(handle.execute_update(Account.deposit, 1) for _ in range(10)))
        assert sorted(results) == list(range(1, 11))
        await handle.signal(Account.close)
        assert await handle.result() == 10
