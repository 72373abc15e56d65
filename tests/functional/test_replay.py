"""Histories of this server are replayed by the SDK: of workflows of many shapes, and of one whose code has changed."""

import asyncio
from collections import Counter
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.functional.shapes import ACTIVITIES, SHAPES, WORKFLOWS, Shape, Stage
from tests.functional.shapes.activities import Sequence, echo
from tests.functional.workers import names, new_worker

AT_ONCE = 12


async def histories_of(stage: Stage) -> list[WorkflowHistory]:
    """Of every run that a shape has left, families and chains included."""
    return [
        await stage.client.get_workflow_handle(run.id, run_id=run.run_id).fetch_history()
        async for run in stage.client.list_workflows(f'WorkflowId STARTS_WITH "{stage.workflow_id}"')
    ]


async def played(client: Client, task_queue: str, shape: Shape) -> list[WorkflowHistory]:
    """What a shape has left to replay; in all, there are the events that it is about."""
    prefix = f"{task_queue}-{shape.name}"
    stage = Stage(client, task_queue, f"{prefix}-queue", prefix)
    await shape.play(stage)
    left = await histories_of(stage)
    seen = {name for history in left for name in names(history.events)}
    assert seen >= set(shape.events), f"{shape.name} lacks {set(shape.events) - seen}"
    return [history for history in left if "WORKFLOW_TASK_COMPLETED" in names(history.events)]


def replayer(*workflows: type) -> Replayer:
    """A replayer of workflows."""
    return Replayer(workflows=workflows, workflow_runner=UnsandboxedWorkflowRunner())


def test_there_are_many_shapes() -> None:
    assert len(SHAPES) >= 40
    assert max(Counter(shape.name for shape in SHAPES).values()) == 1


@pytest.mark.timeout(180)
async def test_every_shape_is_replayed(client: Client, task_queue: str) -> None:
    places = asyncio.Semaphore(AT_ONCE)

    async def one(shape: Shape) -> list[WorkflowHistory]:
        async with places:
            return await played(client, task_queue, shape)

    async with new_worker(client, task_queue, workflows=WORKFLOWS, activities=ACTIVITIES):
        left = await asyncio.gather(*(one(shape) for shape in SHAPES))
    failures = {}
    for shape, histories in zip(SHAPES, left, strict=True):
        assert histories, f"{shape.name} has left nothing"
        for history in histories:
            result = await replayer(*WORKFLOWS).replay_workflow(history, raise_on_replay_failure=False)
            if result.replay_failure is not None:
                failures[shape.name] = f"{history.workflow_id} {history.run_id}: {result.replay_failure}"
    assert not failures


@workflow.defn(name="Sequence")
class Changed:
    """Other code under the name of a workflow that there are histories of."""

    @workflow.run
    async def run(self, count: int) -> list[int]:
        await workflow.sleep(1)
        return [
            await workflow.execute_activity(echo, number, start_to_close_timeout=timedelta(seconds=60))
            for number in range(count)
        ]


async def test_changed_code_is_found_out(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Sequence], activities=[echo]):
        handle = await client.start_workflow(Sequence.run, 2, id=workflow_id, task_queue=task_queue)
        await handle.result()
    history = await handle.fetch_history()
    await replayer(Sequence).replay_workflow(history)
    with pytest.raises(workflow.NondeterminismError):
        await replayer(Changed).replay_workflow(history)
