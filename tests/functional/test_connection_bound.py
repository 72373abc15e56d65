"""A server under calls from all sides holds no more database connections than it says, and they tell whose they are."""

import asyncio
import json
import threading
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from temporalio.client import Client
from temporalio.worker import Worker

from tests.functional.order import Order, step
from tests.functional.workers import new_worker
from tests.support.server import Server

LANES, HTTP_THREADS, READERS = 2, 3, 4
BOUND = LANES + HTTP_THREADS + READERS
CALLS = 40
NAMES = "SELECT application_name FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()"
ENVIRONMENT = {"HUGO_WRITER_LANES": str(LANES), "HUGO_HTTP_THREADS": str(HTTP_THREADS)}


@pytest.fixture(params=["envoy", "aio"])
def server(request: pytest.FixtureRequest, postgres_url: str, tmp_path: Path) -> Iterator[Server]:
    """A server of its own on each transport."""
    with Server(tmp_path, postgres_url, ("--transport", request.param), ENVIRONMENT) as running:
        yield running


def fetch(server: Server, path: str) -> bytes:
    """The body of a page."""
    with urllib.request.urlopen(f"http://{server.http}{path}", timeout=60) as reply:
        body: bytes = reply.read()
    return body


async def load(server: Server, client: Client, task_queue: str) -> None:
    """Calls of every kind, all at once."""
    paths = ["/api/v1/namespaces", "/api/v1/namespaces/default/workflows", "/admin/login/"]
    handles = [
        await client.start_workflow(Order.run, 1, id=f"w-{number}", task_queue=task_queue) for number in range(CALLS)
    ]
    pages = [asyncio.to_thread(fetch, server, paths[number % len(paths)]) for number in range(CALLS)]
    calls: list[Any] = [handle.describe() for handle in handles]
    calls += [handle.fetch_history() for handle in handles]
    calls += [handle.signal("pay") for handle in handles]
    await asyncio.gather(*pages, *calls, *(handle.result() for handle in handles))


def sample(url: str, names: list[list[str]], over: threading.Event) -> None:
    """Looks who is connected, until it is over, and once more."""
    with psycopg.connect(url, autocommit=True) as watcher:
        ending = False
        while not ending:
            ending = over.wait(0.01)
            names.append([name for (name,) in watcher.execute(NAMES)])


def worker_of(client: Client, task_queue: str) -> Worker:
    """A worker for the orders."""
    return new_worker(client, task_queue, workflows=[Order], activities=[step])


async def test_a_loaded_server_stays_within_its_connections(server: Server, postgres_url: str, task_queue: str) -> None:
    client = await Client.connect(server.grpc)
    seen: list[list[str]] = []
    over = threading.Event()
    sampling = asyncio.create_task(asyncio.to_thread(sample, postgres_url, seen, over))
    async with worker_of(client, task_queue):
        await load(server, client, task_queue)
    held = json.loads(await asyncio.to_thread(fetch, server, "/api/v1/process"))
    over.set()
    await sampling
    assert max(map(len, seen)) <= BOUND
    assert max(map(len, seen)) > LANES + 1
    assert held["databaseConnectionsLimit"] == BOUND
    assert held["databaseConnections"] == len(seen[-1])
    assert {name.rpartition(" ")[0] for name in seen[-1]} == {"hugo dev"}
