"""Shapes of local activities: quick, at once, tried again, with a timer between attempts, long, cancelled."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, FailureError

from tests.functional.shapes.stage import Stage, shape

LONG = timedelta(seconds=60)


@activity.defn
async def local_echo(number: int) -> int:
    """Returns what it is given."""
    return number


@activity.defn
async def local_flaky(good: int) -> int:
    """Fails until an attempt."""
    if activity.info().attempt < good:
        raise ApplicationError(f"attempt {activity.info().attempt}")
    return activity.info().attempt


@activity.defn
async def local_slow(seconds: float) -> float:
    """Takes a while."""
    await asyncio.sleep(seconds)
    return seconds


@workflow.defn
class Locals:
    """Local activities one after another, then at once, between activities and timers."""

    @workflow.run
    async def run(self) -> list[int]:
        one = [await workflow.execute_local_activity(local_echo, n, start_to_close_timeout=LONG) for n in range(3)]
        await workflow.sleep(0.01)
        one.append(await workflow.execute_activity(local_echo, 3, start_to_close_timeout=LONG))
        more = await asyncio.gather(
            *(workflow.execute_local_activity(local_echo, n, start_to_close_timeout=LONG) for n in range(4, 8))
        )
        return one + list(more)


@workflow.defn
class LocalRetries:
    """A local activity that is tried again, after an interval."""

    @workflow.run
    async def run(self, interval: float, threshold: float) -> int:
        return await workflow.execute_local_activity(
            local_flaky,
            3,
            start_to_close_timeout=LONG,
            local_retry_threshold=timedelta(seconds=threshold),
            retry_policy=RetryPolicy(initial_interval=timedelta(seconds=interval), backoff_coefficient=1),
        )


@workflow.defn
class LocalFails:
    """A local activity that fails for good, and one that is too slow."""

    @workflow.run
    async def run(self) -> int:
        failed = 0
        once = RetryPolicy(maximum_attempts=1)
        try:
            await workflow.execute_local_activity(local_flaky, 9, start_to_close_timeout=LONG, retry_policy=once)
        except FailureError:
            failed += 1
        try:
            await workflow.execute_local_activity(
                local_slow, 5, start_to_close_timeout=timedelta(seconds=0.2), retry_policy=once
            )
        except FailureError:
            failed += 1
        return failed


@workflow.defn
class LocalLong:
    """Local activities that last longer than a workflow task, between others."""

    @workflow.run
    async def run(self) -> list[float]:
        done = []
        for seconds in (2.5, 0.01, 1.5):
            done.append(await workflow.execute_local_activity(local_slow, seconds, start_to_close_timeout=LONG))
            await workflow.execute_activity(local_echo, 1, start_to_close_timeout=LONG)
        return done


@workflow.defn
class LocalCancelled:
    """A local activity that is cancelled by a timer."""

    @workflow.run
    async def run(self) -> str:
        slow = workflow.start_local_activity(local_slow, 30, start_to_close_timeout=LONG)
        await workflow.sleep(0.1)
        slow.cancel()
        try:
            await slow
        except (ActivityError, asyncio.CancelledError) as error:
            return type(error).__name__
        return "completed"


@shape("MARKER_RECORDED", "TIMER_FIRED", "ACTIVITY_TASK_COMPLETED")
async def local_activities(stage: Stage) -> None:
    assert await stage.play(Locals.run) == list(range(8))


@shape("MARKER_RECORDED")
async def a_local_activity_that_is_tried_again_in_its_task(stage: Stage) -> None:
    assert await stage.play(LocalRetries.run, 0.01, 10) == 3


@shape("MARKER_RECORDED", "TIMER_FIRED")
async def a_local_activity_that_waits_for_a_timer_between_attempts(stage: Stage) -> None:
    assert await stage.play(LocalRetries.run, 0.2, 0.1) == 3


@shape("MARKER_RECORDED")
async def local_activities_that_fail(stage: Stage) -> None:
    assert await stage.play(LocalFails.run) == 2


@shape("MARKER_RECORDED", "ACTIVITY_TASK_COMPLETED")
async def local_activities_that_outlast_their_task(stage: Stage) -> None:
    assert len(await stage.play(LocalLong.run, task_timeout=timedelta(seconds=1))) == 3


@shape("TIMER_FIRED")
async def a_cancelled_local_activity(stage: Stage) -> None:
    await stage.play(LocalCancelled.run)


WORKFLOWS = [Locals, LocalRetries, LocalFails, LocalLong, LocalCancelled]
ACTIVITIES = [local_echo, local_flaky, local_slow]
