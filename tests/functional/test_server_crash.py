"""The server is killed under load, again and again: nothing acknowledged is lost, nothing is done twice."""

import asyncio
import random
import uuid
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest, StartWorkflowExecutionRequest
from temporalio.client import Client
from temporalio.converter import default as default_converter

from tests.functional.order import Log, Order, step
from tests.functional.stored import check_stored
from tests.functional.workers import all_of, insist, new_worker
from tests.support.processes import free_port
from tests.support.server import Server

ORDERS = 100
KILLS = 3


async def order(client: Client, task_queue: str, workflow_id: str) -> str:
    """Starts an order, pays for it twice, waits for its end, and returns the acknowledged run id."""
    payloads = await default_converter().encode([2])
    start = StartWorkflowExecutionRequest(
        namespace="default",
        workflow_id=workflow_id,
        workflow_type=WorkflowType(name="Order"),
        task_queue=TaskQueue(name=task_queue),
        request_id=str(uuid.uuid4()),
    )
    start.input.payloads.extend(payloads)
    start.workflow_task_timeout.FromTimedelta(timedelta(seconds=2))
    started = await insist(lambda: client.workflow_service.start_workflow_execution(start))
    for _ in range(2):
        pay = SignalWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=started.run_id),
            signal_name="pay",
            request_id=str(uuid.uuid4()),
        )
        await insist(lambda pay=pay: client.workflow_service.signal_workflow_execution(pay))
    handle = client.get_workflow_handle(workflow_id, run_id=started.run_id)
    assert await insist(handle.result) == ["reserve", "ship"]
    return started.run_id


async def kill_again_and_again(server: Server, chance: random.Random) -> None:
    """Kills and restarts the server at moments that depend on how far the orders have come."""
    for kill in range(1, KILLS + 1):
        target = 2 * ORDERS * kill // (KILLS + 2) + chance.randrange(10)
        while Log.executed.total() < target:
            await asyncio.sleep(chance.random() / 50)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)


@pytest.mark.timeout(180)
async def test_every_acknowledged_start_is_finished_once(
    fresh_database: str, tmp_path: Path, task_queue: str, django_db_blocker: DjangoDbBlocker
) -> None:
    chance = random.Random(7)
    Log.executed.clear()
    server = Server(tmp_path, fresh_database, ("--grpc-port", str(free_port())))
    with server:
        client = await Client.connect(server.grpc)
        async with new_worker(client, task_queue, workflows=[Order], activities=[step]):
            killing = asyncio.create_task(kill_again_and_again(server, chance))
            places = asyncio.Semaphore(24)

            async def one(number: int) -> tuple[str, str]:
                async with places:
                    return f"order-{number}", await order(client, task_queue, f"order-{number}")

            acknowledged = dict(await asyncio.gather(*(one(number) for number in range(ORDERS))))
            await killing
    with django_db_blocker.unblock():
        stored = await asyncio.to_thread(check_stored, fresh_database)
    assert {state.workflow_id: run_id for run_id, state in stored.states.items()} == acknowledged
    for events in stored.histories.values():
        assert len(all_of(events, "WORKFLOW_EXECUTION_SIGNALED")) == 2
        assert len(all_of(events, "ACTIVITY_TASK_COMPLETED")) == 2
        assert len(all_of(events, "TIMER_FIRED")) == 1
        assert len(all_of(events, "WORKFLOW_EXECUTION_COMPLETED")) == 1
