"""The database restarts, goes away, ends sessions or takes no writes under load: all orders are finished, each once.

The server goes on throughout; all that callers hear of it is UNAVAILABLE.
"""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pymysql
import pytest
from pytest_django import DjangoDbBlocker
from temporalio.client import Client
from temporalio.service import RPCStatusCode

from tests.functional import workers
from tests.functional.order import Log, Order, step
from tests.functional.paid_orders import all_orders, check_orders, executed
from tests.functional.workers import new_worker
from tests.support.databases import migrate
from tests.support.restartable import DurableMariaDB, DurablePostgreSQL, Restartable, restartable
from tests.support.server import Server
from tests.support.servers import MariaDB, PostgreSQL

ORDERS = 60
LONG_S = 20.0
"""Longer than the patience of a commit, so that callers are refused."""
END_SESSIONS = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend'"
NOT_ME = " AND pid <> pg_backend_pid()"

Outage = Callable[[Restartable], Awaitable[None]]


def postgres(database: Restartable, *statements: str) -> None:
    """Executes statements, each in a transaction of its own."""
    with psycopg.connect(database.url, autocommit=True) as client:
        for statement in statements:
            client.execute(statement)


async def restarts(database: Restartable) -> None:
    """An orderly end, that waits for nobody."""
    await database.restart()


async def crashes(database: Restartable) -> None:
    """An end without any order, and recovery."""
    how = signal.SIGQUIT if isinstance(database.server, DurablePostgreSQL) else signal.SIGKILL
    await database.restart(how)


async def stays_away(database: Restartable) -> None:
    """No server for a while."""
    await database.restart(away_s=LONG_S)


async def ends_sessions(database: Restartable) -> None:
    """All of them, again and again."""
    for _ in range(5):
        await asyncio.to_thread(_end_sessions, database)
        await asyncio.sleep(0.2)


def _end_sessions(database: Restartable) -> None:
    if isinstance(database.server, DurablePostgreSQL):
        postgres(database, END_SESSIONS + NOT_ME)
        return
    parts = urlsplit(database.url)
    with (
        pymysql.connect(host=parts.hostname, port=parts.port or 0, user=parts.username) as client,
        client.cursor() as cursor,
    ):
        cursor.execute("SELECT id FROM information_schema.processlist WHERE db = 'hugo' AND id <> connection_id()")
        for (session,) in cursor.fetchall():
            try:
                cursor.execute(f"KILL {session}")
            except pymysql.OperationalError:
                pass  # It has ended meanwhile.


async def takes_no_writes(database: Restartable) -> None:
    """What a standby does until it is promoted."""
    read_only = "ALTER SYSTEM SET default_transaction_read_only = {}"
    reload = "SELECT pg_reload_conf()"
    await asyncio.to_thread(postgres, database, read_only.format("on"), reload)
    await asyncio.sleep(3)
    writable = "SET default_transaction_read_only = off"
    await asyncio.to_thread(postgres, database, writable, read_only.format("off"), reload)


RUNS: dict[str, tuple[type[PostgreSQL] | type[MariaDB], list[Outage]]] = {
    "postgres": (DurablePostgreSQL, [restarts, crashes, ends_sessions, takes_no_writes]),
    "postgres-away": (DurablePostgreSQL, [stays_away]),
    "mariadb": (DurableMariaDB, [restarts, crashes, ends_sessions]),
}


async def suffer(database: Restartable, outages: Sequence[Outage]) -> None:
    """One outage after the other, as the orders make progress."""
    for number, outage in enumerate(outages, 1):
        await executed(2 * ORDERS * number // (len(outages) + 2))
        await outage(database)


@pytest.mark.timeout(240)
@pytest.mark.usefixtures("postgres_server", "mariadb_server")
@pytest.mark.parametrize("name", RUNS)
async def test_all_orders_are_finished_once(
    name: str, tmp_path: Path, task_queue: str, django_db_blocker: DjangoDbBlocker, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workers, "AWAY", frozenset({RPCStatusCode.UNAVAILABLE}))
    Log.executed.clear()
    kind, outages = RUNS[name]
    with restartable(kind) as database:
        migrate(database.url)
        with Server(tmp_path, database.url) as server:
            client = await Client.connect(server.grpc)
            async with new_worker(client, task_queue, workflows=[Order], activities=[step]):
                suffering = asyncio.create_task(suffer(database, outages))
                acknowledged = await all_orders([client], task_queue, ORDERS)
                await suffering
        with django_db_blocker.unblock():
            await asyncio.to_thread(check_orders, database.url, acknowledged)
