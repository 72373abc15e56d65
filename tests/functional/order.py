"""The workflow that servers and workers are killed under: activities, a timer, signals; and a worker for a process.

`python -m tests.functional.order ADDRESS QUEUE` serves it until it is killed, and prints what begins.
"""

import asyncio
import sys
import time
from collections import Counter
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy

from tests.functional.workers import new_worker

QUICK = RetryPolicy(initial_interval=timedelta(milliseconds=50), maximum_interval=timedelta(milliseconds=50))


@workflow.defn
class Order:
    """Reserves, waits for a durable timer, waits for a signal when told to, ships."""

    def __init__(self) -> None:
        self._paid = 0

    @workflow.run
    async def run(self, payments: int) -> list[str]:
        done = [await self._step("reserve")]
        await asyncio.sleep(0.05)
        await workflow.wait_condition(lambda: self._paid >= payments)
        done.append(await self._step("ship"))
        return done

    async def _step(self, name: str) -> str:
        result: str = await workflow.execute_activity(
            step, name, start_to_close_timeout=timedelta(seconds=2), retry_policy=QUICK
        )
        return result

    @workflow.signal
    def pay(self) -> None:
        self._paid += 1


class Log:
    """What activities of this process were executed: (workflow id, step) -> times."""

    executed: Counter[tuple[str, str]] = Counter()


@activity.defn
async def step(name: str) -> str:
    """One step; every execution is counted."""
    workflow_id = activity.info().workflow_id
    assert workflow_id is not None
    Log.executed[workflow_id, name] += 1
    return name


@workflow.defn
class Survivor:
    """Runs an activity, then holds its worker in a workflow task, once; another worker has to finish both."""

    @workflow.run
    async def run(self, where: str) -> str:
        if where == "activity":
            return await workflow.execute_activity(
                hang_once,
                start_to_close_timeout=timedelta(seconds=60),
                heartbeat_timeout=timedelta(seconds=1),
                retry_policy=QUICK,
            )
        if Hanging.allowed:
            print("in the workflow task", flush=True)
            time.sleep(60)  # noqa: ASYNC251 - a task that does not come back is what is wanted
        return "by another worker"


class Hanging:
    """Whether this process is the one that is going to be killed."""

    allowed = False


@activity.defn
async def hang_once() -> str:
    """Hangs in the process that is going to be killed, with a heartbeat; returns its details elsewhere."""
    if Hanging.allowed:
        activity.heartbeat("half done")
        print("in the activity", flush=True)
        await asyncio.Event().wait()
    return f"attempt {activity.info().attempt}, {activity.info().heartbeat_details[0]}"


async def main(address: str, task_queue: str) -> None:
    """Serves one task queue."""
    Hanging.allowed = True
    client = await Client.connect(address)
    async with new_worker(client, task_queue, workflows=[Survivor], activities=[hang_once]):
        print("polling", flush=True)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
