"""A worker that is killed in the middle of its work: another one finishes it."""

import asyncio
import contextlib
import sys
from collections.abc import AsyncIterator
from datetime import timedelta
from typing import Any

import pytest
from temporalio.client import Client, WorkflowHandle

from tests.functional.order import Survivor, hang_once
from tests.functional.workers import events_of, eventually, names, new_worker
from tests.support.databases import ROOT
from tests.support.processes import dying_with_parent
from tests.support.server import Server


@contextlib.asynccontextmanager
async def worker_process(server: Server, task_queue: str) -> AsyncIterator[asyncio.subprocess.Process]:
    """A worker in a process of its own; whatever happens, it is gone afterwards."""
    process = await asyncio.create_subprocess_exec(
        *dying_with_parent([sys.executable, "-m", "tests.functional.order", server.grpc, task_queue]),
        cwd=ROOT,
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.communicate()


async def says(process: asyncio.subprocess.Process, what: str) -> None:
    """Returns when the worker has printed a line."""
    assert process.stdout is not None
    while line := await process.stdout.readline():
        if line.decode().strip() == what:
            return
    raise AssertionError(f"the worker ended before it said: {what}")


async def heartbeat_arrived(handle: WorkflowHandle[Any, Any]) -> bool:
    """Whether the server knows the details of the activity's heartbeat, which the SDK sends in the background."""
    pending = (await handle.describe()).raw_description.pending_activities
    return any(activity.HasField("heartbeat_details") for activity in pending)


@pytest.mark.parametrize(
    ("where", "result"),
    [("activity", "attempt 2, half done"), ("workflow task", "by another worker")],
)
async def test_another_worker_finishes_what_a_killed_one_began(
    where: str, result: str, server: Server, client: Client, task_queue: str, workflow_id: str
) -> None:
    async with worker_process(server, task_queue) as process:
        await says(process, "polling")
        handle = await client.start_workflow(
            Survivor.run, where, id=workflow_id, task_queue=task_queue, task_timeout=timedelta(seconds=2)
        )
        await says(process, f"in the {where}")
        if where == "activity":
            await eventually(lambda: heartbeat_arrived(handle), "the heartbeat")
        process.kill()
        await process.wait()
    async with new_worker(client, task_queue, workflows=[Survivor], activities=[hang_once]):
        assert await handle.result() == result
    seen = names(await events_of(handle))
    if where == "activity":
        assert seen.count("ACTIVITY_TASK_STARTED") == seen.count("ACTIVITY_TASK_COMPLETED") == 1
    else:
        assert seen.count("WORKFLOW_TASK_TIMED_OUT") == 1
