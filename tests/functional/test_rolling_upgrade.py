"""Servers of two versions of the code on one database during a deploy: all orders finish, once, and can be replayed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker
from temporalio.client import Client, WorkflowHistory
from temporalio.worker import Replayer, UnsandboxedWorkflowRunner

from tests.functional.order import Log, Order, step
from tests.functional.paid_orders import all_orders, check_orders, executed
from tests.functional.workers import new_worker
from tests.support.databases import Databases
from tests.support.history import check_out_before
from tests.support.processes import free_port
from tests.support.server import Server

ORDERS = 40
MIGRATIONS = "orchestrator/migrations"

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


@pytest.fixture
def empty_database(databases: Databases, postgres_server: str) -> Iterator[str]:
    """A database that nobody has migrated."""
    url = databases.empty_postgres()
    yield url
    databases.drop(url)


def server_before(changed: str, directory: Path, url: str) -> Server:
    """A server of the version before the latest change of a path."""
    checkout = check_out_before(directory / "code", changed)
    return Server(directory, url, ("--grpc-port", str(free_port())), checkout=checkout)


@contextlib.asynccontextmanager
async def working(server: Server, task_queue: str) -> AsyncIterator[Client]:
    """A client of a server, and a worker at it."""
    client = await Client.connect(server.grpc)
    async with new_worker(client, task_queue, workflows=[Order], activities=[step]):
        yield client


async def replay(client: Client, acknowledged: dict[str, str]) -> None:
    """Asserts that the SDK replays all that was stored."""
    replayer = Replayer(workflows=[Order], workflow_runner=UnsandboxedWorkflowRunner())
    for workflow_id, run_id in acknowledged.items():
        history = await client.get_workflow_handle(workflow_id, run_id=run_id).fetch_history()
        await replayer.replay_workflow(WorkflowHistory(workflow_id, history.events))


async def test_the_commit_before_and_this_one_take_turns(
    postgres_url: str, tmp_path: Path, task_queue: str, django_db_blocker: DjangoDbBlocker
) -> None:
    Log.executed.clear()
    new = Server(tmp_path / "new", postgres_url, ("--grpc-port", str(free_port())))
    with server_before(".", tmp_path / "old", postgres_url) as old, new:
        async with working(old, task_queue) as at_old, working(new, task_queue) as at_new:
            orders = asyncio.create_task(all_orders([at_old, at_new], task_queue, ORDERS))
            await executed(ORDERS // 2)
            await asyncio.to_thread(old.stop)
            await asyncio.to_thread(old.start)
            await executed(ORDERS)
            await asyncio.to_thread(new.stop)
            await asyncio.to_thread(new.start)
            acknowledged = await orders
            await replay(at_new, acknowledged)
    with django_db_blocker.unblock():
        await asyncio.to_thread(check_orders, postgres_url, acknowledged)


async def test_a_database_is_migrated_under_a_server_of_before(
    empty_database: str, tmp_path: Path, task_queue: str, django_db_blocker: DjangoDbBlocker
) -> None:
    Log.executed.clear()
    with server_before(MIGRATIONS, tmp_path / "old", empty_database) as old:
        async with working(old, task_queue) as at_old:
            first = await all_orders([at_old], task_queue, ORDERS // 4)
            orders = asyncio.create_task(all_orders([at_old], task_queue, ORDERS, ORDERS // 4))
            await executed(ORDERS)
            with Server(tmp_path / "new", empty_database) as new:
                async with working(new, task_queue) as at_new:
                    more = await all_orders([at_old, at_new], task_queue, ORDERS, 2 * ORDERS)
                    acknowledged = first | await orders | more
                    await replay(at_new, acknowledged)
    with django_db_blocker.unblock():
        await asyncio.to_thread(check_orders, empty_database, acknowledged)
