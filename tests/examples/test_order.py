"""The order example: the way `make dev` does not show, and that it can be copied."""

import asyncio
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowFailureError
from temporalio.exceptions import ActivityError, ApplicationError

from examples.order.activities import Order
from examples.order.worker import TASK_QUEUE, order_worker
from examples.order.workflows import OrderWorkflow
from tests.support.databases import ROOT
from tests.support.processes import dying_with_parent
from tests.support.server import Server

RESULT = "result   Receipt(reservation='reservation-"


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A running server."""
    with Server(tmp_path_factory.mktemp("examples")) as running:
        yield running


def python(server: Server, *arguments: str, directory: Path = ROOT) -> subprocess.Popen[str]:
    """A Python process that is to use the server."""
    return subprocess.Popen(
        dying_with_parent([sys.executable, "-u", *arguments, "--address", server.grpc]),
        cwd=directory,
        env=os.environ | {"PYTHONPATH": ""},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        text=True,
    )


async def test_a_declined_card_puts_the_goods_back(server: Server) -> None:
    client = await Client.connect(server.grpc)
    order = Order(id="declined", item="yacht", quantity=1, amount=1_000_001)
    async with order_worker(client):
        handle = await client.start_workflow(OrderWorkflow.run, order, id="order-declined", task_queue=TASK_QUEUE)
        with pytest.raises(WorkflowFailureError) as failed:
            await asyncio.wait_for(handle.result(), 60)
        assert await handle.query(OrderWorkflow.status) == "charging"
    assert isinstance(failed.value.cause, ActivityError)
    assert isinstance(failed.value.cause.cause, ApplicationError)
    assert failed.value.cause.cause.type == "CardDeclined"
    scheduled = [
        event.activity_task_scheduled_event_attributes.activity_type.name
        async for event in handle.fetch_history_events()
        if event.event_type == EventType.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED
    ]
    assert scheduled == ["reserve", "charge", "release"]


def test_worker_and_client_in_two_processes(server: Server) -> None:
    client = python(server, "-m", "examples.order.client")
    worker = python(server, "-m", "examples.order.worker")
    try:
        output, _ = client.communicate(timeout=60)
        assert RESULT in output
    finally:
        worker.kill()
        worker.communicate()


def test_it_can_be_copied(server: Server, tmp_path: Path) -> None:
    shutil.copytree(ROOT / "examples" / "order", tmp_path / "order", ignore=shutil.ignore_patterns("__pycache__"))
    output, _ = python(server, "-m", "order", directory=tmp_path).communicate(timeout=60)
    assert RESULT in output
