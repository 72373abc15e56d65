"""Shapes of updates: accepted, rejected, with handlers that wait, before the first task, with the start."""

import asyncio
import contextlib
from datetime import timedelta

from temporalio import workflow
from temporalio.client import WithStartWorkflowOperation, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.common import WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError

from tests.functional.account import ADMITTED, stage_of
from tests.functional.shapes.activities import echo
from tests.functional.shapes.stage import Handle, Stage, shape
from tests.functional.workers import eventually

LONG = timedelta(seconds=60)


@workflow.defn
class Ledger:
    """Takes entries by updates until it is closed."""

    def __init__(self) -> None:
        self._entries: list[str] = []
        self._closed = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self._closed and workflow.all_handlers_finished())
        return self._entries

    @workflow.update
    def enter(self, what: str) -> int:
        self._entries.append(what)
        return len(self._entries)

    @enter.validator
    def check(self, what: str) -> None:
        if not what:
            raise ApplicationError("nothing to enter")

    @workflow.update
    async def confirm(self, what: str) -> str:
        confirmed: str = await workflow.execute_activity(echo, what, start_to_close_timeout=LONG)
        await workflow.sleep(0.01)
        await workflow.execute_local_activity("local_echo", 1, start_to_close_timeout=LONG)
        self._entries.append(confirmed)
        return confirmed

    @workflow.update
    async def refuse(self) -> None:
        await workflow.sleep(0.01)
        raise ApplicationError("refused")

    @workflow.signal
    def close(self) -> None:
        self._closed = True


async def reject(ledger: Handle) -> None:
    """Sends an update that is rejected."""
    with contextlib.suppress(WorkflowUpdateFailedError):
        await ledger.execute_update(Ledger.enter, "")


async def close(ledger: Handle) -> None:
    """Ends the workflow."""
    await ledger.signal(Ledger.close)
    await ledger.result()


@shape("WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "WORKFLOW_EXECUTION_UPDATE_COMPLETED")
async def updates(stage: Stage) -> None:
    ledger = await stage.start(Ledger.run)
    for number in range(4):
        await ledger.execute_update(Ledger.enter, str(number))
    await close(ledger)


@shape("WORKFLOW_EXECUTION_UPDATE_ACCEPTED")
async def rejected_updates_between_accepted_ones(stage: Stage) -> None:
    ledger = await stage.start(Ledger.run)
    await reject(ledger)
    await ledger.execute_update(Ledger.enter, "one")
    await reject(ledger)
    await asyncio.gather(reject(ledger), ledger.execute_update(Ledger.enter, "two"), reject(ledger))
    await close(ledger)


@shape("WORKFLOW_EXECUTION_UPDATE_COMPLETED", "ACTIVITY_TASK_COMPLETED", "TIMER_FIRED", "MARKER_RECORDED")
async def updates_with_handlers_that_wait(stage: Stage) -> None:
    ledger = await stage.start(Ledger.run)
    await asyncio.gather(*(ledger.execute_update(Ledger.confirm, str(number)) for number in range(4)))
    await close(ledger)


@shape("WORKFLOW_EXECUTION_UPDATE_COMPLETED", "TIMER_FIRED")
async def an_update_that_fails(stage: Stage) -> None:
    ledger = await stage.start(Ledger.run)
    with contextlib.suppress(WorkflowUpdateFailedError):
        await ledger.execute_update(Ledger.refuse)
    await close(ledger)


@shape("WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "WORKFLOW_EXECUTION_SIGNALED")
async def updates_and_signals_before_the_first_task(stage: Stage) -> None:
    ledger = await stage.start(Ledger.run, task_queue=stage.own_queue)
    entered = asyncio.create_task(ledger.execute_update(Ledger.enter, "early", id="early"))

    async def admitted() -> bool:
        return await stage_of(stage.client, ledger.id, "early") == ADMITTED

    await eventually(admitted)
    await ledger.signal(Ledger.close)
    async with stage.worker(workflows=[Ledger]):
        await entered
        await ledger.result()


@shape("WORKFLOW_EXECUTION_UPDATE_COMPLETED")
async def updates_that_start_a_workflow(stage: Stage) -> None:
    for word in ("first", "second"):
        start = WithStartWorkflowOperation(
            Ledger.run,
            id=stage.workflow_id,
            task_queue=stage.task_queue,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
        )
        await stage.client.execute_update_with_start_workflow(Ledger.enter, word, start_workflow_operation=start)
    await close(await start.workflow_handle())


@shape("WORKFLOW_EXECUTION_UPDATE_ACCEPTED", "WORKFLOW_EXECUTION_TERMINATED")
async def an_update_that_is_never_completed(stage: Stage) -> None:
    ledger = await stage.start(Ledger.run)
    await ledger.start_update(Ledger.confirm, "half", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    await ledger.terminate()


WORKFLOWS = [Ledger]
