"""Shapes of families: children of all kinds, and workflows that signal and cancel each other."""

import asyncio
from typing import Any

from temporalio import workflow
from temporalio.exceptions import ApplicationError, ChildWorkflowError
from temporalio.workflow import ChildWorkflowCancellationType, ParentClosePolicy

from tests.functional.shapes.stage import Stage, ended, reached, shape


@workflow.defn
class Child:
    """Ends as it is told to; has children of its own while there are generations left."""

    def __init__(self) -> None:
        self._told = ""

    @workflow.run
    async def run(self, how: str, generations: int = 0) -> str:
        me = workflow.info().workflow_id
        if generations:
            younger = [
                workflow.execute_child_workflow(Child.run, args=[how, generations - 1], id=f"{me}-{number}")
                for number in range(2)
            ]
            return "".join(await asyncio.gather(*younger))
        if how == "fail":
            raise ApplicationError("as told")
        if how == "wait":
            await workflow.wait_condition(lambda: bool(self._told))
        return self._told or how

    @workflow.signal
    def tell(self, how: str) -> None:
        self._told = how


@workflow.defn
class OneChild:
    """Has one child, and does something to it."""

    @workflow.run
    async def run(self, how: str, then: str) -> str:
        child_id = f"{workflow.info().workflow_id}-child"
        policy = ParentClosePolicy.ABANDON if then == "abandon" else ParentClosePolicy.TERMINATE
        try:
            child = await workflow.start_child_workflow(
                Child.run,
                how,
                id=child_id,
                parent_close_policy=policy,
                cancellation_type=ChildWorkflowCancellationType.WAIT_CANCELLATION_COMPLETED,
            )
            if then == "signal":
                await child.signal(Child.tell, "told by its parent")
            if then == "cancel":
                child.cancel()
            if then in ("abandon", "leave"):
                return then
            return await child
        except (ChildWorkflowError, ApplicationError) as error:
            return f"caught {type(error.cause or error).__name__}"


@workflow.defn
class CancelledStart:
    """Cancels a child in the very task that starts it, and another one before it has begun."""

    @workflow.run
    async def run(self) -> str:
        start = asyncio.create_task(
            workflow.execute_child_workflow(Child.run, "wait", id=f"{workflow.info().workflow_id}-child")
        )
        await asyncio.sleep(0)
        start.cancel()
        try:
            await start
        except (ChildWorkflowError, asyncio.CancelledError) as error:
            return type(error).__name__
        return "completed"


@workflow.defn
class Meddles:
    """Signals or cancels another workflow; catches the failure."""

    @workflow.run
    async def run(self, other: str, how: str) -> str:
        target: workflow.ExternalWorkflowHandle[Any] = workflow.get_external_workflow_handle(other)
        try:
            if how == "cancel":
                await target.cancel()
            else:
                await target.signal("tell", how)
        except ApplicationError as error:
            return error.message
        return "done"


@shape("CHILD_WORKFLOW_EXECUTION_COMPLETED")
async def a_child(stage: Stage) -> None:
    assert await stage.play(OneChild.run, "complete", "wait") == "complete"


@shape("CHILD_WORKFLOW_EXECUTION_COMPLETED")
async def children_and_grandchildren(stage: Stage) -> None:
    assert await stage.play(Child.run, "x", 2) == "xxxx"


@shape("CHILD_WORKFLOW_EXECUTION_FAILED", "WORKFLOW_EXECUTION_FAILED")
async def a_child_that_fails(stage: Stage) -> None:
    assert (await stage.play(OneChild.run, "fail", "wait")).startswith("caught")


@shape("CHILD_WORKFLOW_EXECUTION_CANCELED", "WORKFLOW_EXECUTION_CANCELED")
async def a_child_that_is_cancelled(stage: Stage) -> None:
    assert (await stage.play(OneChild.run, "wait", "cancel")).startswith("caught")


@shape("WORKFLOW_EXECUTION_COMPLETED")
async def a_child_that_is_cancelled_before_it_began(stage: Stage) -> None:
    await stage.play(CancelledStart.run)


@shape("CHILD_WORKFLOW_EXECUTION_TERMINATED", "WORKFLOW_EXECUTION_TERMINATED")
async def a_child_that_is_terminated(stage: Stage) -> None:
    parent = await stage.start(OneChild.run, "wait", "wait")
    await reached(parent, "CHILD_WORKFLOW_EXECUTION_STARTED")
    await stage.client.get_workflow_handle(f"{parent.id}-child").terminate()
    await parent.result()


@shape("CHILD_WORKFLOW_EXECUTION_STARTED")
async def a_child_that_is_abandoned(stage: Stage) -> None:
    await stage.play(OneChild.run, "wait", "abandon")
    child = stage.client.get_workflow_handle(f"{stage.workflow_id}-child")
    await child.signal(Child.tell, "told by a client")
    await child.result()


@shape("CHILD_WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_TERMINATED")
async def a_child_that_ends_with_its_parent(stage: Stage) -> None:
    await stage.play(OneChild.run, "wait", "leave")
    await ended(stage.client.get_workflow_handle(f"{stage.workflow_id}-child"))


@shape("START_CHILD_WORKFLOW_EXECUTION_FAILED")
async def a_child_whose_id_is_taken(stage: Stage) -> None:
    other = await stage.start(Child.run, "wait", id=f"{stage.workflow_id}-child")
    await ended(await stage.start(OneChild.run, "complete", "wait"))
    await other.terminate()


@shape("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED", "CHILD_WORKFLOW_EXECUTION_COMPLETED")
async def a_child_that_is_signalled(stage: Stage) -> None:
    assert await stage.play(OneChild.run, "wait", "signal") == "told by its parent"


@shape("EXTERNAL_WORKFLOW_EXECUTION_SIGNALED")
async def a_signal_to_another_workflow(stage: Stage) -> None:
    other = await stage.start(Child.run, "wait", id=f"{stage.workflow_id}-other")
    assert await stage.play(Meddles.run, other.id, "told by another") == "done"
    await other.result()


@shape("EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED")
async def a_cancel_request_to_another_workflow(stage: Stage) -> None:
    other = await stage.start(Child.run, "wait", id=f"{stage.workflow_id}-other")
    assert await stage.play(Meddles.run, other.id, "cancel") == "done"
    await ended(other)


@shape("SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
async def a_signal_to_nobody(stage: Stage) -> None:
    await stage.play(Meddles.run, f"{stage.workflow_id}-nobody", "told in vain")


@shape("REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED")
async def a_cancel_request_to_nobody(stage: Stage) -> None:
    await stage.play(Meddles.run, f"{stage.workflow_id}-nobody", "cancel")


WORKFLOWS = [Child, OneChild, CancelledStart, Meddles]
