"""Child workflows: what they return, how their failures nest, cancellation, taken ids, who their parents are."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ApplicationError,
    CancelledError,
    ChildWorkflowError,
    TerminatedError,
    TimeoutError,
    TimeoutType,
    WorkflowAlreadyStartedError,
)
from temporalio.workflow import ChildWorkflowCancellationType

from tests.functional.workers import all_of, events_of, eventually, names, new_worker, only


@workflow.defn
class Kin:
    """Tells who it is and who its parents are; starts one of its own kind while there are generations left."""

    @workflow.run
    async def run(self, generations: int) -> list[dict[str, Any]]:
        info = workflow.info()
        me = {
            "id": info.workflow_id,
            "run": info.run_id,
            "parent": info.parent and [info.parent.workflow_id, info.parent.run_id],
            "root": info.root and [info.root.workflow_id, info.root.run_id],
        }
        if not generations:
            return [me]
        younger = await workflow.execute_child_workflow(
            Kin.run, generations - 1, id=f"{info.workflow_id}-c", memo={"born": "as a child"}
        )
        return [me, *younger]


@workflow.defn
class Ends:
    """Ends as it is told to, or waits for ever."""

    @workflow.run
    async def run(self, how: str) -> str:
        if how == "fail":
            raise ApplicationError("out of paper", "tray 2", type="Paper")
        if how == "fail twice" and workflow.info().attempt < 3:
            raise ApplicationError("not yet")
        if how == "continue":
            workflow.continue_as_new("complete")
        if how == "wait":
            await workflow.wait_condition(lambda: False)
        return f"attempt {workflow.info().attempt}"


@workflow.defn
class Parent:
    """Runs one child; cancels it on a signal."""

    def __init__(self) -> None:
        self._cancel = False

    @workflow.run
    async def run(self, how: str, child_id: str, options: dict[str, float]) -> Any:
        child = await workflow.start_child_workflow(
            Ends.run,
            how,
            id=child_id,
            run_timeout=timedelta(seconds=options["run_timeout"]) if "run_timeout" in options else None,
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=10)) if "retry" in options else None,
            cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
        )
        cancelled = asyncio.ensure_future(workflow.wait_condition(lambda: self._cancel))
        await workflow.wait([child, cancelled], return_when=asyncio.FIRST_COMPLETED)
        if self._cancel:
            child.cancel()
        return await child

    @workflow.signal
    def cancel(self) -> None:
        self._cancel = True


@workflow.defn
class Waiting:
    """Waits for a child that waits for ever."""

    @workflow.run
    async def run(self, child_id: str) -> None:
        await workflow.execute_child_workflow(
            Ends.run, "wait", id=child_id, cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED
        )


async def start(
    client: Client, task_queue: str, workflow_id: str, how: str, **options: float
) -> tuple[WorkflowHandle[Any, Any], WorkflowHandle[Any, Any]]:
    """Starts a parent of one child; both handles."""
    child_id = f"{workflow_id}-child"
    parent = await client.start_workflow(
        Parent.run, args=[how, child_id, options], id=workflow_id, task_queue=task_queue
    )
    return parent, client.get_workflow_handle(child_id)


async def failure_of(parent: WorkflowHandle[Any, Any]) -> ChildWorkflowError:
    """Why the child of a parent failed."""
    with pytest.raises(WorkflowFailureError) as raised:
        await parent.result()
    assert isinstance(raised.value.cause, ChildWorkflowError)
    return raised.value.cause


async def started(parent: WorkflowHandle[Any, Any]) -> bool:
    """Whether the description of a parent shows a child that has a run."""
    children = (await parent.describe()).raw_description.pending_children
    return bool(children) and bool(children[0].run_id)


async def test_a_family_knows_its_parent_and_its_root(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Kin]):
        handle = await client.start_workflow(Kin.run, 2, id=workflow_id, task_queue=task_queue)
        grandparent, parent, child = await handle.result()
    assert [each["id"] for each in (grandparent, parent, child)] == [
        workflow_id,
        f"{workflow_id}-c",
        f"{workflow_id}-c-c",
    ]
    assert (grandparent["parent"], grandparent["root"]) == (None, None)
    root = [grandparent["id"], grandparent["run"]]
    assert (parent["parent"], parent["root"]) == (root, root)
    assert (child["parent"], child["root"]) == ([parent["id"], parent["run"]], root)
    described = await client.get_workflow_handle(child["id"]).describe()
    assert (described.parent_id, described.parent_run_id) == (parent["id"], parent["run"])
    assert (described.root_id, described.root_run_id) == (grandparent["id"], grandparent["run"])
    assert await described.memo() == {"born": "as a child"}


async def test_a_child_returns_its_result(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Parent, Ends]):
        parent, child = await start(client, task_queue, workflow_id, "complete")
        assert await parent.result() == "attempt 1"
    assert names(await events_of(parent)) == [
        "WORKFLOW_EXECUTION_STARTED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
        "CHILD_WORKFLOW_EXECUTION_STARTED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "CHILD_WORKFLOW_EXECUTION_COMPLETED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "WORKFLOW_EXECUTION_COMPLETED",
    ]
    begun = (await events_of(child))[0].workflow_execution_started_event_attributes
    initiated = only(await events_of(parent), "START_CHILD_WORKFLOW_EXECUTION_INITIATED")
    assert begun.parent_initiated_event_id == initiated.event_id
    assert begun.parent_workflow_execution.run_id == parent.result_run_id


async def test_a_failure_of_a_child_is_the_cause_of_its_parents(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Parent, Ends]):
        parent, child = await start(client, task_queue, workflow_id, "fail")
        error = await failure_of(parent)
    assert (error.workflow_id, error.workflow_type) == (child.id, "Ends")
    assert error.run_id == (await child.describe()).run_id
    assert error.retry_state is not None and error.retry_state.name == "RETRY_POLICY_NOT_SET"
    assert isinstance(error.cause, ApplicationError)
    assert (error.cause.message, error.cause.type, list(error.cause.details)) == ("out of paper", "Paper", ["tray 2"])


async def test_a_terminated_child_fails_its_parent(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Parent, Ends]):
        parent, child = await start(client, task_queue, workflow_id, "wait")
        await eventually(lambda: started(parent))
        await child.terminate()
        error = await failure_of(parent)
    assert isinstance(error.cause, TerminatedError)


async def test_a_child_that_is_out_of_time_fails_its_parent(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Parent, Ends]):
        parent, _ = await start(client, task_queue, workflow_id, "wait", run_timeout=0.3)
        error = await failure_of(parent)
    assert isinstance(error.cause, TimeoutError)
    assert error.cause.type == TimeoutType.START_TO_CLOSE


@pytest.mark.parametrize("how", ["fail twice", "continue"])
async def test_the_last_run_of_a_child_answers_its_parent(
    how: str, client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Parent, Ends]):
        parent, child = await start(client, task_queue, workflow_id, how, retry=True)
        assert await parent.result() == ("attempt 3" if how == "fail twice" else "attempt 1")
    completed = only(await events_of(parent), "CHILD_WORKFLOW_EXECUTION_COMPLETED")
    first = only(await events_of(parent), "CHILD_WORKFLOW_EXECUTION_STARTED")
    last_run = completed.child_workflow_execution_completed_event_attributes.workflow_execution.run_id
    assert last_run == (await child.describe()).run_id
    assert last_run != first.child_workflow_execution_started_event_attributes.workflow_execution.run_id


async def test_a_parent_cancels_its_child(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Parent, Ends]):
        parent, child = await start(client, task_queue, workflow_id, "wait")
        await eventually(lambda: started(parent))
        await parent.signal(Parent.cancel)
        error = await failure_of(parent)
    assert isinstance(error.cause, CancelledError)
    requested = only(await events_of(child), "WORKFLOW_EXECUTION_CANCEL_REQUESTED")
    asked_by = requested.workflow_execution_cancel_requested_event_attributes
    assert asked_by.external_workflow_execution.workflow_id == parent.id
    initiated = only(await events_of(parent), "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED")
    assert asked_by.external_initiated_event_id == initiated.event_id


async def test_a_cancel_request_is_passed_on_to_a_child(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Waiting, Ends]):
        child = client.get_workflow_handle(f"{workflow_id}-child")
        parent = await client.start_workflow(Waiting.run, child.id, id=workflow_id, task_queue=task_queue)
        await eventually(lambda: started(parent))
        await parent.cancel()
        with pytest.raises(WorkflowFailureError) as raised:
            await parent.result()
    assert isinstance(raised.value.cause, CancelledError)
    for handle in (parent, child):
        assert (await handle.describe()).status == WorkflowExecutionStatus.CANCELED


async def test_an_id_in_use_is_refused_to_a_child(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Parent, Ends]):
        other = await client.start_workflow(Ends.run, "wait", id=f"{workflow_id}-child", task_queue=task_queue)
        parent, _ = await start(client, task_queue, workflow_id, "complete")
        with pytest.raises(WorkflowFailureError) as raised:
            await parent.result()
        await other.terminate()
    assert str(raised.value.cause) == str(WorkflowAlreadyStartedError(other.id, "Ends"))
    events = await events_of(parent)
    failed = only(events, "START_CHILD_WORKFLOW_EXECUTION_FAILED")
    assert failed.start_child_workflow_execution_failed_event_attributes.workflow_id == other.id
    assert not all_of(events, "CHILD_WORKFLOW_EXECUTION_STARTED")
