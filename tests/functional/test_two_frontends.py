"""A worker of the SDK at one frontend, clients at the other: tasks, signals and updates find their way between them."""

import asyncio
import statistics
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DescribeTaskQueueRequest
from temporalio.client import Client

from tests.functional.workers import all_of, events_of, eventually, names, new_worker
from tests.support.cluster import Cluster

pytestmark = pytest.mark.timeout(240)


@workflow.defn
class Account:
    """Takes payments by signal, and tells its balance with each update."""

    begun = 0

    def __init__(self) -> None:
        self._balance = 0
        self._closed = False

    @workflow.run
    async def run(self) -> int:
        Account.begun += 1
        await workflow.wait_condition(lambda: self._closed)
        return self._balance

    @workflow.signal
    def pay(self, amount: int) -> None:
        self._balance += amount

    @workflow.update
    def withdraw(self, amount: int) -> int:
        self._balance -= amount
        return self._balance

    @workflow.signal
    def close(self) -> None:
        self._closed = True


@workflow.defn
class Short:
    """Is over at once."""

    @workflow.run
    async def run(self, number: int) -> int:
        return number


@pytest.fixture
def frontends(tmp_path: Path, postgres_url: str, redis_server: str) -> Iterator[tuple[str, str]]:
    """The addresses of two frontends of a cluster."""
    with Cluster(tmp_path, postgres_url, redis_server) as cluster:
        made = [cluster.frontend("one"), cluster.frontend("other")]
        cluster.start(*made)
        one, other = (frontend.match["grpc"] for frontend in made if frontend.match is not None)
        yield one, other


async def knows(client: Client, task_queue: str, pollers: int) -> bool:
    """Whether a frontend shows so many workers of a queue."""
    request = DescribeTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=task_queue))
    return len((await client.workflow_service.describe_task_queue(request)).pollers) == pollers


async def test_a_worker_at_one_frontend_serves_the_clients_of_the_other(
    frontends: tuple[str, str], task_queue: str, workflow_id: str
) -> None:
    here, there = [await Client.connect(address) for address in frontends]
    Account.begun = 0
    took = []
    async with new_worker(here, task_queue, workflows=[Account]):
        await eventually(lambda: knows(there, task_queue, 1), "the other frontend knows the worker")
        account = await there.start_workflow(Account.run, id=workflow_id, task_queue=task_queue)
        balance = 0
        for number in range(20):
            await account.signal(Account.pay, 10)
            began = time.perf_counter()
            balance = await account.execute_update(Account.withdraw, number % 3)
            took.append(time.perf_counter() - began)
        await account.signal(Account.close)
        assert await account.result() == balance == 20 * 10 - 19
    assert Account.begun == 1, "the worker that has the run in memory gets its later tasks"
    scheduled = all_of(await events_of(account), "WORKFLOW_TASK_SCHEDULED")
    kinds = [each.workflow_task_scheduled_event_attributes.task_queue.kind for each in scheduled]
    assert set(kinds[1:]) == {TaskQueueKind.TASK_QUEUE_KIND_STICKY}
    assert "WORKFLOW_TASK_TIMED_OUT" not in names(await events_of(account))
    print(f"\nan update through the other frontend: {1000 * statistics.median(took):.1f} ms")


async def test_workers_at_both_frontends_share_what_either_is_given(
    frontends: tuple[str, str], task_queue: str
) -> None:
    clients = [await Client.connect(address) for address in frontends]
    numbers = range(200)
    async with AsyncExitStack() as stack:
        for which, client in enumerate(clients):
            worker = new_worker(
                client, task_queue, workflows=[Short], identity=f"worker {which}", max_cached_workflows=0
            )
            await stack.enter_async_context(worker)
        for client in clients:
            await eventually(lambda client=client: knows(client, task_queue, 2), "both frontends know both workers")  # type: ignore[misc]

        async def run(number: int) -> int:
            client = clients[number % 2]
            return await client.execute_workflow(Short.run, number, id=f"{task_queue}-{number}", task_queue=task_queue)

        assert await asyncio.gather(*(run(number) for number in numbers)) == list(numbers)


async def test_a_worker_that_stops_at_one_frontend_is_replaced_by_one_at_the_other(
    frontends: tuple[str, str], task_queue: str, workflow_id: str
) -> None:
    """Its sticky queue is known as unserved everywhere, so nobody waits for it to time out."""
    here, there = [await Client.connect(address) for address in frontends]
    async with new_worker(here, task_queue, workflows=[Account]):
        account = await here.start_workflow(Account.run, id=workflow_id, task_queue=task_queue)
        await account.execute_update(Account.withdraw, 1)
    async with new_worker(there, task_queue, workflows=[Account]):
        assert await account.execute_update(Account.withdraw, 1) == -2
        await account.signal(Account.close)
        assert await account.result() == -2
    assert "WORKFLOW_TASK_TIMED_OUT" not in names(await events_of(account))
