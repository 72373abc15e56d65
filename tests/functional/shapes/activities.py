"""Shapes of activities: one after another, at once, tried again, timed out, cancelled, completed from elsewhere."""

import asyncio
from datetime import timedelta
from typing import Any

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError
from temporalio.workflow import ActivityCancellationType

from tests.functional.shapes.stage import Stage, reached, shape

LONG = timedelta(seconds=60)
QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=10), maximum_attempts=3)
ONCE = RetryPolicy(maximum_attempts=1)


@activity.defn
async def echo(what: Any) -> Any:
    """Returns what it is given."""
    return what


@activity.defn
async def flaky(good: int) -> int:
    """Fails until an attempt."""
    if activity.info().attempt < good:
        raise ApplicationError(f"attempt {activity.info().attempt}")
    return activity.info().attempt


@activity.defn
async def beating() -> None:
    """Beats until it is cancelled."""
    while True:
        activity.heartbeat()
        await asyncio.sleep(0.05)


@activity.defn
async def silent() -> None:
    """Is too slow for its timeout."""
    await asyncio.sleep(1)


@activity.defn
async def elsewhere() -> None:
    """Is completed by somebody else."""
    activity.raise_complete_async()


@workflow.defn
class Sequence:
    """Activities one after another."""

    @workflow.run
    async def run(self, count: int) -> list[int]:
        return [await workflow.execute_activity(echo, number, start_to_close_timeout=LONG) for number in range(count)]


@workflow.defn
class AtOnce:
    """Activities at once, some on a queue of nobody's until their worker comes."""

    @workflow.run
    async def run(self, queue: str | None) -> list[int]:
        return list(
            await asyncio.gather(
                *(
                    workflow.execute_activity(echo, number, task_queue=queue, start_to_close_timeout=LONG)
                    for number in range(6)
                )
            )
        )


@workflow.defn
class FirstOf:
    """The first of two activities; the other one is cancelled."""

    @workflow.run
    async def run(self) -> int:
        fast = workflow.start_activity(echo, 1, start_to_close_timeout=LONG)
        slow = workflow.start_activity(
            beating,
            start_to_close_timeout=LONG,
            heartbeat_timeout=timedelta(seconds=2),
            cancellation_type=ActivityCancellationType.TRY_CANCEL,
        )
        done, _ = await workflow.wait([fast, slow], return_when=asyncio.FIRST_COMPLETED)
        slow.cancel()
        return len(done)


@workflow.defn
class Retried:
    """An activity that is tried again, and one that fails for good."""

    @workflow.run
    async def run(self) -> str:
        await workflow.execute_activity(flaky, 3, start_to_close_timeout=LONG, retry_policy=QUICK)
        try:
            await workflow.execute_activity(flaky, 9, start_to_close_timeout=LONG, retry_policy=QUICK)
        except ActivityError as error:
            return str(error.cause)
        return "no error"


@workflow.defn
class TimedOut:
    """An activity that is too slow, and one that nobody takes."""

    @workflow.run
    async def run(self) -> int:
        late = 0
        for name, timeouts in (
            ("silent", {"start_to_close_timeout": timedelta(seconds=0.2)}),
            ("nobody has it", {"start_to_close_timeout": LONG, "schedule_to_start_timeout": timedelta(seconds=0.2)}),
        ):
            queue = None if name == "silent" else "a queue nobody polls"
            try:
                await workflow.execute_activity(name, task_queue=queue, retry_policy=ONCE, **timeouts)
            except ActivityError:
                late += 1
        return late


@workflow.defn
class Cancels:
    """Cancels an activity in one of the ways there are."""

    @workflow.run
    async def run(self, how: int) -> str:
        beats = workflow.start_activity(
            beating,
            start_to_close_timeout=LONG,
            heartbeat_timeout=timedelta(seconds=2),
            cancellation_type=ActivityCancellationType(how),
        )
        await asyncio.sleep(0.2)
        beats.cancel()
        try:
            await beats
        except (ActivityError, CancelledError, asyncio.CancelledError) as error:
            return type(error).__name__
        return "completed"


@workflow.defn
class Elsewhere:
    """Waits for an activity that somebody else completes."""

    @workflow.run
    async def run(self) -> str:
        return str(
            await workflow.execute_activity(
                "elsewhere", activity_id="elsewhere", start_to_close_timeout=LONG, result_type=str
            )
        )


@shape("ACTIVITY_TASK_COMPLETED")
async def activities_one_after_another(stage: Stage) -> None:
    await stage.play(Sequence.run, 5)


@shape("ACTIVITY_TASK_COMPLETED")
async def activities_at_once(stage: Stage) -> None:
    await stage.play(AtOnce.run, None)


@shape("ACTIVITY_TASK_COMPLETED")
async def activities_of_another_queue(stage: Stage) -> None:
    async with stage.worker(activities=[echo], disable_eager_activity_execution=True):
        await stage.play(AtOnce.run, stage.own_queue)


@shape("ACTIVITY_TASK_CANCEL_REQUESTED")
async def the_first_of_two_activities(stage: Stage) -> None:
    await stage.play(FirstOf.run)


@shape("ACTIVITY_TASK_FAILED", "ACTIVITY_TASK_COMPLETED")
async def activities_that_fail(stage: Stage) -> None:
    await stage.play(Retried.run)


@shape("ACTIVITY_TASK_TIMED_OUT")
async def activities_that_are_timed_out(stage: Stage) -> None:
    assert await stage.play(TimedOut.run) == 2


@shape("ACTIVITY_TASK_CANCELED")
async def a_cancelled_activity_that_is_waited_for(stage: Stage) -> None:
    await stage.play(Cancels.run, int(ActivityCancellationType.WAIT_CANCELLATION_COMPLETED))


@shape("ACTIVITY_TASK_CANCEL_REQUESTED")
async def a_cancelled_activity(stage: Stage) -> None:
    await stage.play(Cancels.run, int(ActivityCancellationType.TRY_CANCEL))


@shape("ACTIVITY_TASK_SCHEDULED")
async def an_abandoned_activity(stage: Stage) -> None:
    await stage.play(Cancels.run, int(ActivityCancellationType.ABANDON))


@shape("ACTIVITY_TASK_COMPLETED")
async def an_activity_completed_from_elsewhere(stage: Stage) -> None:
    handle = await stage.start(Elsewhere.run)
    await reached(handle, "ACTIVITY_TASK_SCHEDULED")
    outside = stage.client.get_async_activity_handle(
        workflow_id=stage.workflow_id, run_id=None, activity_id="elsewhere"
    )
    await outside.complete("done")
    await handle.result()


WORKFLOWS = [Sequence, AtOnce, FirstOf, Retried, TimedOut, Cancels, Elsewhere]
ACTIVITIES = [echo, flaky, beating, silent, elsewhere]
