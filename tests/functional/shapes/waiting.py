"""Shapes of waiting: timers, signals, queries, and runs that are ended while they wait."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from tests.functional.shapes.activities import echo
from tests.functional.shapes.stage import Stage, ended, reached, shape

LONG = timedelta(seconds=60)


@workflow.defn
class Naps:
    """Timers at once and one after another; one is cancelled."""

    @workflow.run
    async def run(self) -> list[float]:
        woken: list[float] = []

        async def nap(seconds: float) -> None:
            await workflow.sleep(seconds)
            woken.append(seconds)

        forgotten = asyncio.create_task(workflow.sleep(3600))
        await asyncio.gather(nap(0.3), nap(0.1), nap(0.2))
        forgotten.cancel()
        await nap(0.05)
        return woken


@workflow.defn
class Inbox:
    """Handles signals, each with an activity, until one says `end`; answers queries on the way."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._lock = asyncio.Lock()

    @workflow.run
    async def run(self, patience: float) -> list[str]:
        try:
            await workflow.wait_condition(lambda: "end" in self._seen, timeout=timedelta(seconds=patience))
        except TimeoutError:
            self._seen.append("out of patience")
        await workflow.wait_condition(workflow.all_handlers_finished)
        return self._seen

    @workflow.signal
    async def put(self, what: str) -> None:
        async with self._lock:
            self._seen.append(await workflow.execute_activity(echo, what, start_to_close_timeout=LONG))

    @workflow.signal(dynamic=True)
    def other(self, name: str, _: Sequence[RawValue]) -> None:
        self._seen.append(name)

    @workflow.query
    def seen(self) -> list[str]:
        return self._seen


@workflow.defn
class CleansUp:
    """Waits until it is cancelled, then cleans up with an activity and a timer, or not."""

    @workflow.run
    async def run(self, how: str) -> str:
        try:
            await workflow.wait_condition(lambda: False)
        except asyncio.CancelledError:
            if how == "give up":
                raise
            await workflow.execute_activity(echo, "cleaning", start_to_close_timeout=LONG)
            await workflow.sleep(0.01)
            if how == "fail":
                raise ApplicationError("could not clean up") from None
        return "clean"


@shape("TIMER_FIRED", "TIMER_CANCELED")
async def timers(stage: Stage) -> None:
    assert await stage.play(Naps.run) == [0.1, 0.2, 0.3, 0.05]


@shape("WORKFLOW_EXECUTION_SIGNALED", "ACTIVITY_TASK_COMPLETED", "TIMER_CANCELED")
async def signals_with_handlers_that_run_activities(stage: Stage) -> None:
    handle = await stage.start(Inbox.run, 3600.0)
    await asyncio.gather(*(handle.signal(Inbox.put, str(number)) for number in range(6)))
    await handle.signal("of no known name", "x")
    await handle.signal(Inbox.put, "end")
    assert len(await handle.result()) == 8


@shape("TIMER_FIRED")
async def a_wait_that_is_out_of_patience(stage: Stage) -> None:
    assert await stage.play(Inbox.run, 0.2) == ["out of patience"]


@shape("WORKFLOW_EXECUTION_SIGNALED")
async def signals_that_start_a_workflow(stage: Stage) -> None:
    for word in ("first", "second", "end"):
        handle = await stage.start(Inbox.run, 3600.0, start_signal="put", start_signal_args=[word])
    assert await handle.result() == ["first", "second", "end"]


@shape("WORKFLOW_EXECUTION_SIGNALED")
async def queries_between_signals(stage: Stage) -> None:
    handle = await stage.start(Inbox.run, 3600.0)
    for word in ("first", "second", "end"):
        await handle.query(Inbox.seen)
        await handle.signal(Inbox.put, word)
    await handle.result()
    assert await handle.query(Inbox.seen) == ["first", "second", "end"]


async def cancelled(stage: Stage, how: str) -> None:
    """Cancels a workflow that waits."""
    handle = await stage.start(CleansUp.run, how)
    await reached(handle, "WORKFLOW_TASK_COMPLETED")
    await handle.cancel(reason="enough")
    await ended(handle)


@shape("WORKFLOW_EXECUTION_CANCEL_REQUESTED", "WORKFLOW_EXECUTION_CANCELED")
async def a_cancelled_workflow(stage: Stage) -> None:
    await cancelled(stage, "give up")


@shape("WORKFLOW_EXECUTION_CANCEL_REQUESTED", "ACTIVITY_TASK_COMPLETED", "WORKFLOW_EXECUTION_COMPLETED")
async def a_cancelled_workflow_that_cleans_up(stage: Stage) -> None:
    await cancelled(stage, "complete")


@shape("WORKFLOW_EXECUTION_CANCEL_REQUESTED", "WORKFLOW_EXECUTION_FAILED")
async def a_cancelled_workflow_that_fails(stage: Stage) -> None:
    await cancelled(stage, "fail")


@shape("WORKFLOW_EXECUTION_TERMINATED")
async def a_terminated_workflow(stage: Stage) -> None:
    handle = await stage.start(Inbox.run, 3600.0)
    await handle.signal(Inbox.put, "first")
    await reached(handle, "ACTIVITY_TASK_COMPLETED")
    await handle.terminate()


@shape("WORKFLOW_EXECUTION_TIMED_OUT")
async def a_workflow_that_is_out_of_time(stage: Stage) -> None:
    await ended(await stage.start(Inbox.run, 3600.0, run_timeout=timedelta(seconds=1.5)))


@shape("WORKFLOW_TASK_COMPLETED")
async def a_delayed_start(stage: Stage) -> None:
    handle = await stage.start(Inbox.run, 3600.0, start_delay=timedelta(seconds=0.3))
    await handle.signal(Inbox.put, "end")
    await handle.result()


WORKFLOWS = [Naps, Inbox, CleansUp]
