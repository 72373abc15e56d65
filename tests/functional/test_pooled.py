"""Two servers and their workers on one database, all through a PgBouncer in transaction mode with four sessions."""

import asyncio
from pathlib import Path

import psycopg
import pytest
from pytest_django import DjangoDbBlocker
from temporalio.client import Client

from tests.functional.order import Log, Order, step
from tests.functional.stored import check_stored
from tests.functional.workers import all_of, new_worker
from tests.support.pooler import POOL, PgBouncer
from tests.support.server import Server

ORDERS = 40
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def order(client: Client, task_queue: str, number: int) -> None:
    """Starts an order, pays for it twice, and waits for its end."""
    handle = await client.start_workflow(Order.run, 2, id=f"order-{number}", task_queue=task_queue)
    for _ in range(2):
        await handle.signal("pay")
    assert await handle.result() == ["reserve", "ship"]


@pytest.mark.timeout(180)
async def test_two_servers_share_the_sessions_of_a_pooler(
    postgres_url: str, postgres_pooler: PgBouncer, tmp_path: Path, task_queue: str, django_db_blocker: DjangoDbBlocker
) -> None:
    Log.executed.clear()
    pooled = postgres_pooler.url_of(postgres_url)
    with Server(tmp_path / "first", pooled) as first, Server(tmp_path / "second", pooled) as second:
        clients = [await Client.connect(each.grpc) for each in (first, second)]
        workers = [new_worker(client, task_queue, workflows=[Order], activities=[step]) for client in clients]
        async with workers[0], workers[1]:
            await asyncio.gather(*(order(clients[number % 2], task_queue, number) for number in range(ORDERS)))
        with psycopg.connect(postgres_url) as watcher:
            row = watcher.execute(SESSIONS).fetchone()
    assert row is not None
    assert row[0] <= POOL
    with django_db_blocker.unblock():
        stored = await asyncio.to_thread(check_stored, postgres_url)
    assert len(stored.states) == ORDERS
    for events in stored.histories.values():
        assert len(all_of(events, "WORKFLOW_EXECUTION_SIGNALED")) == 2
        assert len(all_of(events, "ACTIVITY_TASK_COMPLETED")) == 2
        assert len(all_of(events, "WORKFLOW_EXECUTION_COMPLETED")) == 1
