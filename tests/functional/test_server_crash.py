"""The server is killed under load, again and again: nothing acknowledged is lost, nothing is done twice."""

import asyncio
import random
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker
from temporalio.client import Client

from tests.functional.order import Log, Order, step
from tests.functional.paid_orders import all_orders, check_orders, executed
from tests.functional.workers import new_worker
from tests.support.processes import free_port
from tests.support.server import Server

ORDERS = 100
KILLS = 3


async def kill_again_and_again(server: Server, chance: random.Random) -> None:
    """Kills and restarts the server at moments that depend on how far the orders have come."""
    for kill in range(1, KILLS + 1):
        await executed(2 * ORDERS * kill // (KILLS + 2) + chance.randrange(10), lambda: chance.random() / 50)
        await asyncio.to_thread(server.kill)
        await asyncio.to_thread(server.start)


@pytest.mark.timeout(180)
async def test_every_acknowledged_start_is_finished_once(
    fresh_database: str, tmp_path: Path, task_queue: str, django_db_blocker: DjangoDbBlocker
) -> None:
    Log.executed.clear()
    server = Server(tmp_path, fresh_database, ("--grpc-port", str(free_port())))
    with server:
        client = await Client.connect(server.grpc)
        async with new_worker(client, task_queue, workflows=[Order], activities=[step]):
            killing = asyncio.create_task(kill_again_and_again(server, random.Random(7)))
            acknowledged = await all_orders([client], task_queue, ORDERS)
            await killing
    with django_db_blocker.unblock():
        await asyncio.to_thread(check_orders, fresh_database, acknowledged)
