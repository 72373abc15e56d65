"""Redis ends and comes back under load between two servers: slower for a while, and nobody hears of it."""

import asyncio
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker
from temporalio.client import Client

from tests.functional import workers
from tests.functional.order import Log, Order, step
from tests.functional.paid_orders import all_orders, check_orders, executed
from tests.functional.workers import eventually, new_worker
from tests.support.restartable import Restartable, restartable
from tests.support.server import Server
from tests.support.servers import Redis

ORDERS = 40
AWAY, BACK = "Redis does not answer", "Redis answers again"


async def suffer(redis: Restartable) -> None:
    """Redis is away for a while as the orders make progress, and later restarts."""
    await executed(ORDERS // 2)
    await redis.restart(away_s=3)
    await executed(ORDERS)
    await redis.restart()


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("redis_server")
async def test_orders_are_finished_once(
    postgres_url: str,
    tmp_path: Path,
    task_queue: str,
    django_db_blocker: DjangoDbBlocker,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(workers, "AWAY", frozenset())
    Log.executed.clear()
    with restartable(Redis) as redis:
        environment = {"REDIS_URL": redis.url}
        with (
            Server(tmp_path / "first", postgres_url, environment=environment) as first,
            Server(tmp_path / "second", postgres_url, environment=environment) as second,
        ):
            clients = [await Client.connect(each.grpc) for each in (first, second)]
            async with new_worker(clients[1], task_queue, workflows=[Order], activities=[step]):
                suffering = asyncio.create_task(suffer(redis))
                acknowledged = await all_orders(clients, task_queue, ORDERS)
                await suffering

            async def told() -> bool:
                logs = [each.log.read_text() for each in (first, second)]
                return all(said.count(AWAY) == said.count(BACK) >= 1 for said in logs)

            await eventually(told, "a word about Redis, and one when it was back,")
    with django_db_blocker.unblock():
        await asyncio.to_thread(check_orders, postgres_url, acknowledged)
