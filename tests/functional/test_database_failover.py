"""PostgreSQL fails over to its standby under load: nothing acknowledged is lost, and all orders are finished once."""

import asyncio
import signal
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from pytest_django import DjangoDbBlocker
from temporalio.client import Client
from temporalio.service import RPCStatusCode

from tests.functional import workers
from tests.functional.order import Log, Order, step
from tests.functional.paid_orders import all_orders, check_orders, executed
from tests.functional.workers import eventually, new_worker
from tests.support.binaries import need
from tests.support.databases import migrate
from tests.support.restartable import DurablePostgreSQL, Restartable, restartable
from tests.support.server import Server

ORDERS = 60
READ_ONLY_S = 3.0
"""How long the standby answers before it is promoted."""
IN_STEP = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'"


def standby_of(primary: Restartable) -> type[DurablePostgreSQL]:
    """What makes a standby of a server."""

    class Standby(DurablePostgreSQL):
        """A copy that follows."""

        def preparation(self) -> list[str | Path]:
            """See Server."""
            port = str(urlsplit(primary.url).port)
            reaching = ("--host=127.0.0.1", f"--port={port}", "--username=hugo")
            how = ("--checkpoint=fast", "--write-recovery-conf", "--no-sync", f"--pgdata={self.data}")
            return [need("pg_basebackup"), *reaching, *how]

    return Standby


async def execute(database: Restartable, statement: str) -> object:
    """The first value of a statement."""
    async with await psycopg.AsyncConnection.connect(database.url, autocommit=True) as client:
        row = await (await client.execute(statement)).fetchone()
    return row[0] if row is not None else None


async def fail_over(primary: Restartable, standby: Restartable) -> None:
    """Ends the one without any order, and promotes the other one later."""
    await executed(ORDERS // 2)
    await asyncio.to_thread(primary.stop, signal.SIGQUIT)
    await asyncio.sleep(READ_ONLY_S)
    assert await execute(standby, "SELECT pg_promote()")


async def keep_in_step(primary: Restartable) -> None:
    """From now on a commit is acknowledged once the standby has it."""
    with psycopg.connect(primary.url, autocommit=True) as client:
        client.execute("ALTER SYSTEM SET synchronous_standby_names = '*'")
        client.execute("SELECT pg_reload_conf()")

    async def in_step() -> bool:
        return await execute(primary, IN_STEP) == 1

    await eventually(in_step, "a standby in step")


@pytest.mark.timeout(180)
@pytest.mark.usefixtures("postgres_server")
async def test_a_standby_takes_over(
    tmp_path: Path, task_queue: str, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "AWAY", frozenset({RPCStatusCode.UNAVAILABLE}))
    Log.executed.clear()
    with restartable(DurablePostgreSQL) as primary:
        migrate(primary.url)
        with restartable(standby_of(primary)) as standby:
            await keep_in_step(primary)
            ports = [urlsplit(each.url).port for each in (primary, standby)]
            both = f"postgresql:///hugo?user=hugo&host=127.0.0.1,127.0.0.1&port={ports[0]},{ports[1]}"
            with Server(tmp_path, both) as server:
                client = await Client.connect(server.grpc)
                async with new_worker(client, task_queue, workflows=[Order], activities=[step]):
                    failing = asyncio.create_task(fail_over(primary, standby))
                    acknowledged = await all_orders([client], task_queue, ORDERS)
                    await failing
            assert "read-only transaction" in server.log.read_text()
            with django_db_blocker.unblock():
                await asyncio.to_thread(check_orders, standby.url, acknowledged)
