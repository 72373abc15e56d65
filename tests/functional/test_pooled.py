"""Two servers and their workers on one database, all through a PgBouncer in transaction mode with four sessions."""

import asyncio
import signal
from pathlib import Path

import psycopg
import pytest
from pytest_django import DjangoDbBlocker
from temporalio.client import Client
from temporalio.service import RPCStatusCode

from tests.functional import workers
from tests.functional.order import Log, Order, step
from tests.functional.paid_orders import all_orders, check_orders, executed
from tests.functional.workers import new_worker
from tests.support.pooler import POOL, PgBouncer, pooler
from tests.support.restartable import Restartable
from tests.support.server import Server

ORDERS = 40
SESSIONS = "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"


async def crash(running: PgBouncer) -> None:
    """Ends the pooler without any order as the orders make progress, and starts it again."""
    await executed(ORDERS)
    await Restartable(running).restart(signal.SIGKILL)


@pytest.mark.timeout(180)
async def test_two_servers_share_the_sessions_of_a_pooler_and_outlive_it(
    postgres_url: str,
    postgres_server: str,
    tmp_path: Path,
    task_queue: str,
    django_db_blocker: DjangoDbBlocker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "AWAY", frozenset({RPCStatusCode.UNAVAILABLE}))
    Log.executed.clear()
    with pooler(postgres_server) as running:
        url = running.url_of(postgres_url)
        with Server(tmp_path / "first", url) as first, Server(tmp_path / "second", url) as second:
            clients = [await Client.connect(each.grpc) for each in (first, second)]
            both = [new_worker(client, task_queue, workflows=[Order], activities=[step]) for client in clients]
            async with both[0], both[1]:
                crashing = asyncio.create_task(crash(running))
                acknowledged = await all_orders(clients, task_queue, ORDERS)
                await crashing
            with psycopg.connect(postgres_url) as watcher:
                row = watcher.execute(SESSIONS).fetchone()
    assert row is not None
    assert row[0] <= POOL
    with django_db_blocker.unblock():
        await asyncio.to_thread(check_orders, postgres_url, acknowledged)
