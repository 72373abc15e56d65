"""Signals and cancel requests from one workflow to another."""

from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.exceptions import ApplicationError, CancelledError

from tests.functional.workers import all_of, events_of, eventually, has_event, new_worker, only


@workflow.defn
class Target:
    """Collects signals until it is cancelled, and tells why that was."""

    def __init__(self) -> None:
        self._seen: list[str] = []

    @workflow.run
    async def run(self, wanted: int) -> list[str]:
        await workflow.wait_condition(lambda: len(self._seen) >= wanted)
        return self._seen

    @workflow.signal
    def add(self, what: str) -> None:
        self._seen.append(what)


@workflow.defn
class Caller:
    """Signals or cancels another workflow, which it knows by its id alone or by its run."""

    @workflow.run
    async def run(self, what: str, workflow_id: str, run_id: str | None) -> str:
        target = workflow.get_external_workflow_handle_for(Target.run, workflow_id, run_id=run_id)
        if what == "cancel":
            await target.cancel()
        else:
            for number in range(int(what)):
                await target.signal(Target.add, f"signal {number}")
        return "done"


async def target_of(client: Client, task_queue: str, workflow_id: str, wanted: int) -> WorkflowHandle[Any, Any]:
    """A target that has begun."""
    target = await client.start_workflow(Target.run, wanted, id=f"{workflow_id}-target", task_queue=task_queue)
    await eventually(lambda: has_event(target, "WORKFLOW_TASK_COMPLETED"))
    return target


@pytest.mark.parametrize("by_run", [False, True], ids=["by id", "by run"])
async def test_a_workflow_signals_another(by_run: bool, client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Target, Caller]):
        target = await target_of(client, task_queue, workflow_id, 3)
        run_id = target.result_run_id if by_run else None
        caller = await client.start_workflow(
            Caller.run, args=["3", target.id, run_id], id=workflow_id, task_queue=task_queue
        )
        assert await caller.result() == "done"
        assert await target.result() == ["signal 0", "signal 1", "signal 2"]
    sent = all_of(await events_of(caller), "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED")
    arrived = all_of(await events_of(caller), "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED")
    assert [each.external_workflow_execution_signaled_event_attributes.initiated_event_id for each in arrived] == [
        each.event_id for each in sent
    ]
    signalled = all_of(await events_of(target), "WORKFLOW_EXECUTION_SIGNALED")[0]
    source = signalled.workflow_execution_signaled_event_attributes.external_workflow_execution
    assert (source.workflow_id, source.run_id) == (caller.id, caller.result_run_id)


async def test_a_workflow_cancels_another(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Target, Caller]):
        target = await target_of(client, task_queue, workflow_id, 1)
        caller = await client.start_workflow(
            Caller.run, args=["cancel", target.id, None], id=workflow_id, task_queue=task_queue
        )
        assert await caller.result() == "done"
        with pytest.raises(WorkflowFailureError) as raised:
            await target.result()
        again = await client.start_workflow(
            Caller.run, args=["cancel", target.id, None], id=f"{workflow_id}-again", task_queue=task_queue
        )
        assert await again.result() == "done"
    assert isinstance(raised.value.cause, CancelledError)
    asked = only(await events_of(target), "WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    by = asked.workflow_execution_cancel_requested_event_attributes
    assert by.external_workflow_execution.workflow_id == caller.id


@pytest.mark.parametrize("what", ["1", "cancel"], ids=["signal", "cancel"])
@pytest.mark.parametrize("whom", ["nobody", "itself"])
async def test_a_target_that_cannot_be_reached_fails_the_caller(
    what: str, whom: str, client: Client, task_queue: str, workflow_id: str
) -> None:
    target_id = workflow_id if whom == "itself" else f"{workflow_id}-nobody"
    async with new_worker(client, task_queue, workflows=[Caller]):
        caller = await client.start_workflow(
            Caller.run, args=[what, target_id, None], id=workflow_id, task_queue=task_queue
        )
        with pytest.raises(WorkflowFailureError) as raised:
            await caller.result()
    cause = raised.value.cause
    assert isinstance(cause, ApplicationError)
    assert "not found" in cause.message


async def test_a_signal_to_a_closed_workflow_fails_the_caller(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Target, Caller]):
        target = await client.start_workflow(Target.run, 0, id=f"{workflow_id}-target", task_queue=task_queue)
        await target.result()
        caller = await client.start_workflow(
            Caller.run, args=["1", target.id, None], id=workflow_id, task_queue=task_queue
        )
        with pytest.raises(WorkflowFailureError, match="Workflow execution failed"):
            await caller.result()
    assert len(all_of(await events_of(caller), "SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")) == 1
    assert not all_of(await events_of(target), "WORKFLOW_EXECUTION_SIGNALED")
