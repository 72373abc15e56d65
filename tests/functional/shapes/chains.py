"""Shapes of chains of runs: continued as new, tried again, repeated by cron, reset."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError

from tests.functional.resets import completed_tasks, reset
from tests.functional.shapes.activities import echo
from tests.functional.shapes.stage import Handle, Stage, ended, reached, shape
from tests.functional.workers import eventually

LONG = timedelta(seconds=60)


@workflow.defn
class Relay:
    """Continues as new, at once or after some work, while there are legs left."""

    @workflow.run
    async def run(self, legs: int, work: bool) -> str:
        if work:
            await workflow.execute_activity(echo, legs, start_to_close_timeout=LONG)
            await workflow.sleep(0.01)
        if legs > 1:
            workflow.continue_as_new(args=[legs - 1, work])
        return "arrived"


@workflow.defn
class Stubborn:
    """Fails after an activity until its third attempt."""

    @workflow.run
    async def run(self) -> int:
        attempt = workflow.info().attempt
        await workflow.execute_activity(echo, attempt, start_to_close_timeout=LONG)
        if attempt < 3:
            raise ApplicationError(f"attempt {attempt}")
        return attempt


@workflow.defn
class Ticks:
    """Counts its ticks."""

    @workflow.run
    async def run(self) -> int:
        last: int = workflow.get_last_completion_result(int) or 0
        await workflow.execute_activity(echo, last, start_to_close_timeout=LONG)
        return last + 1


@workflow.defn
class Rewound:
    """Draws a number, works, waits; takes signals and updates."""

    def __init__(self) -> None:
        self._seen: list[str] = []

    @workflow.run
    async def run(self) -> list[Any]:
        drawn = [workflow.random().random(), str(workflow.uuid4())]
        for number in range(2):
            await workflow.execute_activity(echo, number, start_to_close_timeout=LONG)
        drawn.append(workflow.random().random())
        await workflow.wait_condition(lambda: "end" in self._seen)
        return drawn + self._seen

    @workflow.signal
    def put(self, what: str) -> None:
        self._seen.append(what)

    @workflow.update
    async def work(self, what: str) -> str:
        await workflow.execute_activity(echo, what, start_to_close_timeout=LONG)
        self._seen.append(what)
        return what


async def rewindable(stage: Stage) -> Handle:
    """A run that waits, and has three workflow tasks behind it."""
    handle = stage.run_of(await stage.start(Rewound.run))

    async def waits() -> bool:
        return len(await completed_tasks(handle)) >= 3

    await eventually(waits)
    return handle


@shape("WORKFLOW_EXECUTION_CONTINUED_AS_NEW")
async def a_workflow_that_continues_at_once(stage: Stage) -> None:
    await stage.play(Relay.run, 3, False)


@shape("WORKFLOW_EXECUTION_CONTINUED_AS_NEW", "ACTIVITY_TASK_COMPLETED")
async def a_workflow_that_continues_after_work(stage: Stage) -> None:
    await stage.play(Relay.run, 3, True)


@shape("WORKFLOW_EXECUTION_FAILED", "WORKFLOW_EXECUTION_COMPLETED")
async def a_workflow_that_is_tried_again(stage: Stage) -> None:
    assert await stage.play(Stubborn.run, retry_policy=RetryPolicy(initial_interval=timedelta(seconds=0.1))) == 3


@shape("WORKFLOW_EXECUTION_COMPLETED")
async def a_workflow_of_a_cron_schedule(stage: Stage) -> None:
    first = await stage.start(Ticks.run, cron_schedule="@every 1s")
    handle = stage.client.get_workflow_handle(first.id)

    async def third_run() -> bool:
        runs = [run async for run in stage.client.list_workflows(f'WorkflowId = "{first.id}"')]
        return len(runs) >= 3

    await eventually(third_run)
    await handle.terminate()


@shape("WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_TERMINATED", "WORKFLOW_EXECUTION_COMPLETED")
async def a_reset_run(stage: Stage) -> None:
    base = await rewindable(stage)
    fresh = await reset(stage.client, base, (await completed_tasks(base))[1])
    await fresh.signal(Rewound.put, "end")
    await fresh.result()


@shape("WORKFLOW_EXECUTION_UPDATE_ADMITTED", "WORKFLOW_EXECUTION_SIGNALED")
async def a_reset_run_that_takes_over_signals_and_updates(stage: Stage) -> None:
    base = await rewindable(stage)
    await base.signal(Rewound.put, "signal")
    await base.execute_update(Rewound.work, "update")
    fresh = await reset(stage.client, base, (await completed_tasks(base))[0])
    await reached(fresh, "WORKFLOW_EXECUTION_UPDATE_COMPLETED")
    await fresh.signal(Rewound.put, "end")
    await fresh.result()


@shape("WORKFLOW_TASK_FAILED", "WORKFLOW_EXECUTION_COMPLETED")
async def a_closed_run_that_is_reset_twice(stage: Stage) -> None:
    base = await rewindable(stage)
    await base.signal(Rewound.put, "end")
    await base.result()
    once = await reset(stage.client, base, (await completed_tasks(base))[0])
    await once.result()
    twice = await reset(stage.client, once, (await completed_tasks(once))[-1])
    await asyncio.wait_for(ended(twice), 30)


WORKFLOWS = [Relay, Stubborn, Ticks, Rewound]
