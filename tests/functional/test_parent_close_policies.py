"""What becomes of a child when its parent ends: each policy, each way to end."""

import asyncio
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ParentClosePolicy

from tests.functional.workers import events_of, eventually, has_event, names, new_worker, only

RUNNING, TERMINATED, CANCELED = (
    WorkflowExecutionStatus.RUNNING,
    WorkflowExecutionStatus.TERMINATED,
    WorkflowExecutionStatus.CANCELED,
)


@workflow.defn
class Child:
    """Waits until it is cancelled."""

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)


@workflow.defn
class Parent:
    """Starts a child with a policy, waits for a signal that says how to end, and ends without the child."""

    def __init__(self) -> None:
        self._how = ""

    @workflow.run
    async def run(self, policy: int) -> str:
        if policy < 0:
            return "continued"
        await workflow.start_child_workflow(
            Child.run, id=f"{workflow.info().workflow_id}-child", parent_close_policy=ParentClosePolicy(policy)
        )
        await workflow.wait_condition(lambda: bool(self._how))
        if self._how == "fail":
            raise ApplicationError("as told")
        if self._how == "continue":
            workflow.continue_as_new(-1)
        return "completed"

    @workflow.signal
    def end(self, how: str) -> None:
        self._how = how


async def start(
    client: Client, task_queue: str, workflow_id: str, policy: ParentClosePolicy
) -> tuple[WorkflowHandle[Any, Any], WorkflowHandle[Any, Any]]:
    """Starts a parent; its handle and that of its child, whose first workflow task is done."""
    parent = await client.start_workflow(Parent.run, int(policy), id=workflow_id, task_queue=task_queue)
    await eventually(lambda: has_event(parent, "CHILD_WORKFLOW_EXECUTION_STARTED"))
    child = client.get_workflow_handle(f"{workflow_id}-child")
    await eventually(lambda: has_event(child, "WORKFLOW_TASK_COMPLETED"))
    return parent, child


async def becomes(handle: WorkflowHandle[Any, Any], status: WorkflowExecutionStatus) -> None:
    """Returns when a run has a status."""

    async def has_status() -> bool:
        return (await handle.describe()).status == status

    await eventually(has_status, f"the status {status.name}")


@pytest.mark.parametrize("how", ["complete", "fail", "continue", "terminate"])
@pytest.mark.parametrize(
    ("policy", "status"),
    [
        (ParentClosePolicy.TERMINATE, TERMINATED),
        (ParentClosePolicy.REQUEST_CANCEL, CANCELED),
        (ParentClosePolicy.ABANDON, RUNNING),
    ],
    ids=["terminate", "cancel", "abandon"],
)
async def test_a_child_ends_as_its_policy_says(
    policy: ParentClosePolicy,
    status: WorkflowExecutionStatus,
    how: str,
    client: Client,
    task_queue: str,
    workflow_id: str,
) -> None:
    async with new_worker(client, task_queue, workflows=[Parent, Child]):
        parent, child = await start(client, task_queue, workflow_id, policy)
        if how == "terminate":
            await parent.terminate()
        else:
            await parent.signal(Parent.end, how)
        await asyncio.wait([asyncio.ensure_future(parent.result())])
        await becomes(child, status)
        if status == RUNNING:
            assert (await child.describe()).parent_id == parent.id
            await child.terminate()


async def test_a_child_learns_that_its_parent_ended_it(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Parent, Child]):
        parent, child = await start(client, task_queue, workflow_id, ParentClosePolicy.TERMINATE)
        await parent.signal(Parent.end, "complete")
        await becomes(child, TERMINATED)
    reason = (await events_of(child))[-1].workflow_execution_terminated_event_attributes.reason
    assert reason == "by parent close policy"


async def test_an_abandoned_child_goes_on_while_its_closed_parent_hears_nothing(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Parent, Child]):
        parent, child = await start(client, task_queue, workflow_id, ParentClosePolicy.ABANDON)
        await parent.signal(Parent.end, "complete")
        assert await parent.result() == "completed"
        before = names(await events_of(parent))
        await child.cancel()
        await becomes(child, CANCELED)
    assert names(await events_of(parent)) == before
    asked = only(await events_of(child), "WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    assert not asked.workflow_execution_cancel_requested_event_attributes.external_workflow_execution.workflow_id
