"""Shapes that workers give to histories: no cache, a small one, a restart in the middle, a sticky queue left alone."""

import asyncio
from datetime import timedelta
from typing import Any

from tests.functional.shapes.activities import AtOnce, Sequence, echo
from tests.functional.shapes.stage import Stage, reached, shape
from tests.functional.shapes.waiting import Inbox, Naps

ALL: dict[str, Any] = {"workflows": [Sequence, AtOnce, Inbox, Naps], "activities": [echo]}


@shape("WORKFLOW_EXECUTION_COMPLETED")
async def a_worker_without_a_cache(stage: Stage) -> None:
    async with stage.worker(**ALL, max_cached_workflows=0):
        await stage.play(Sequence.run, 4, task_queue=stage.own_queue)
        await stage.play(Naps.run, task_queue=stage.own_queue, id=f"{stage.workflow_id}-naps")


@shape("WORKFLOW_EXECUTION_COMPLETED")
async def a_worker_with_a_small_cache(stage: Stage) -> None:
    async with stage.worker(**ALL, max_cached_workflows=2):
        await asyncio.gather(
            *(
                stage.play(Sequence.run, 3, task_queue=stage.own_queue, id=f"{stage.workflow_id}-{number}")
                for number in range(6)
            )
        )


@shape("WORKFLOW_EXECUTION_SIGNALED", "WORKFLOW_EXECUTION_COMPLETED")
async def a_worker_that_is_replaced(stage: Stage) -> None:
    handle = await stage.start(Inbox.run, 3600.0, task_queue=stage.own_queue)
    for word in ("first", "second", "end"):
        async with stage.worker(**ALL):
            await handle.signal(Inbox.put, word)
            if word != "end":
                await reached(handle, "ACTIVITY_TASK_COMPLETED")
            else:
                await handle.result()


@shape("WORKFLOW_TASK_TIMED_OUT", "WORKFLOW_EXECUTION_COMPLETED")
async def a_sticky_queue_that_is_left_alone(stage: Stage) -> None:
    handle = await stage.start(Inbox.run, 3600.0, task_queue=stage.own_queue)
    async with stage.worker(**ALL, sticky_queue_schedule_to_start_timeout=timedelta(seconds=0.3)):
        await reached(handle, "WORKFLOW_TASK_COMPLETED")
    await handle.signal(Inbox.put, "end")
    await reached(handle, "WORKFLOW_TASK_TIMED_OUT")
    async with stage.worker(**ALL):
        await handle.result()


@shape("ACTIVITY_TASK_COMPLETED")
async def a_worker_that_is_never_eager(stage: Stage) -> None:
    async with stage.worker(**ALL, disable_eager_activity_execution=True):
        await stage.play(AtOnce.run, None, task_queue=stage.own_queue)


@shape("WORKFLOW_EXECUTION_STARTED")
async def an_eager_start(stage: Stage) -> None:
    async with stage.worker(**ALL):
        await stage.play(Sequence.run, 2, task_queue=stage.own_queue, request_eager_start=True)
