"""Names and texts in any script arrive as they were sent, and times keep their microseconds."""

import pytest
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.order import Order, step
from tests.functional.workers import new_worker

LONGEST = 1000
"""Bytes of an id."""


async def test_characters_of_four_bytes(client: Client, workflow_id: str, task_queue: str) -> None:
    workflow_id, task_queue = f"🚚 {workflow_id} Ünïcode 漢字", f"🐘 {task_queue} 🎼"
    note = "paid with 💶, thanks 🙏🏽"
    async with new_worker(client, task_queue, workflows=[Order], activities=[step]):
        handle = await client.start_workflow(Order.run, 0, id=workflow_id, task_queue=task_queue, memo={"note": note})
        assert await handle.result() == ["reserve", "ship"]
    described = await handle.describe()
    assert (described.id, described.task_queue) == (workflow_id, task_queue)
    (listed,) = [each async for each in client.list_workflows(f"WorkflowId = '{workflow_id}'")]
    assert (listed.id, listed.task_queue, await listed.memo()) == (workflow_id, task_queue, {"note": note})
    assert [each async for each in client.list_workflows(f"WorkflowId = '{workflow_id.upper()}'")] == []
    assert (listed.start_time, listed.close_time) == (described.start_time, described.close_time)
    started = (await handle.fetch_history()).events[0].event_time
    assert listed.start_time.microsecond == started.nanos // 1000


async def test_the_longest_id(client: Client, workflow_id: str, task_queue: str) -> None:
    longest = workflow_id + "🎉" * ((LONGEST - len(workflow_id)) // 4)
    longest += "x" * (LONGEST - len(longest.encode()))
    handle = await client.start_workflow("Order", id=longest, task_queue=task_queue)
    assert (await handle.describe()).id == longest
    await handle.terminate()
    with pytest.raises(RPCError) as refused:
        await client.start_workflow("Order", id=longest[:-4] + "🎉🎉", task_queue=task_queue)
    assert refused.value.status == RPCStatusCode.INVALID_ARGUMENT
