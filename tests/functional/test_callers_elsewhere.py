"""Clients at one process of a cluster, workers at another one: results, signals, queries and updates."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.client import (
    Client,
    WithStartWorkflowOperation,
    WorkflowQueryFailedError,
    WorkflowQueryRejectedError,
    WorkflowUpdateFailedError,
    WorkflowUpdateRPCTimeoutOrCancelledError,
    WorkflowUpdateStage,
)
from temporalio.common import QueryRejectCondition, WorkflowIDConflictPolicy
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError

from tests.functional.workers import eventually, has_event, new_worker
from tests.support.cluster import Cluster, Process
from tests.support.databases import Databases

QUERIES = 20


@workflow.defn
class Account:
    """Takes signals and updates, answers queries, begins anew now and then, and closes when told."""

    @workflow.init
    def __init__(self, balance: int, renewals: int, closed: bool = False) -> None:
        self._balance = balance
        self._closed = closed

    @workflow.run
    async def run(self, balance: int, renewals: int, closed: bool = False) -> int:
        if renewals:
            workflow.continue_as_new(args=[self._balance + 1, renewals - 1, self._closed])
        await workflow.wait_condition(lambda: self._closed and workflow.all_handlers_finished())
        return self._balance

    @workflow.signal
    def pay(self, amount: int) -> None:
        self._balance += amount

    @workflow.signal
    def close(self) -> None:
        self._closed = True

    @workflow.query
    def balance(self) -> int:
        return self._balance

    @workflow.query
    def secret(self) -> int:
        raise ApplicationError("nobody may ask this")

    @workflow.update
    async def withdraw(self, amount: int) -> int:
        await workflow.sleep(timedelta(milliseconds=10))
        self._balance -= amount
        return self._balance

    @withdraw.validator
    def enough(self, amount: int) -> None:
        if amount > self._balance:
            raise ApplicationError("not enough")


@pytest.fixture(scope="module")
def cluster(
    databases: Databases, postgres_server: str, redis_server: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Cluster]:
    """A cluster whose first process owns the shards."""
    url = databases.postgres()
    with Cluster(tmp_path_factory.mktemp("cluster"), url, redis_server) as made:
        made.start(made.worker("owner"))
        yield made
        made.stop()
    databases.drop(url)


@pytest.fixture(scope="module")
def addresses(cluster: Cluster) -> tuple[str, str]:
    """Where two frontends serve."""
    near, far = cluster.frontend("near"), cluster.frontend("far")
    cluster.start(near, far)
    return address(near), address(far)


def address(frontend: Process) -> str:
    assert frontend.match is not None
    return frontend.match["grpc"]


@pytest.fixture
async def near(addresses: tuple[str, str]) -> Client:
    """The client of the callers."""
    return await Client.connect(addresses[0])


@pytest.fixture
async def far(addresses: tuple[str, str]) -> Client:
    """The client of the workers."""
    return await Client.connect(addresses[1])


@pytest.fixture
async def worker(far: Client, task_queue: str) -> AsyncIterator[None]:
    """A worker at the other process."""
    async with new_worker(far, task_queue, workflows=[Account]):
        yield


@pytest.mark.usefixtures("worker")
async def test_results_are_waited_for_elsewhere(near: Client, task_queue: str, workflow_id: str) -> None:
    handles = [
        await near.start_workflow(Account.run, args=[number, 3], id=f"{workflow_id}-{number}", task_queue=task_queue)
        for number in range(10)
    ]
    waiting = [asyncio.create_task(handle.result()) for handle in handles]
    for handle in handles:
        current = near.get_workflow_handle(handle.id)
        await current.signal(Account.pay, 100)
        await current.signal(Account.close)
    assert [await each for each in waiting] == [number + 103 for number in range(10)]


@pytest.mark.usefixtures("worker")
async def test_queries_are_answered_elsewhere(near: Client, task_queue: str, workflow_id: str) -> None:
    handle = await near.start_workflow(Account.run, args=[1, 0], id=workflow_id, task_queue=task_queue)
    assert await handle.query(Account.balance) == 1
    for number in range(QUERIES):
        await handle.signal(Account.pay, 1)
        assert await handle.query(Account.balance) == number + 2
    await eventually(lambda: no_workflow_task(handle))
    assert await asyncio.gather(*(handle.query(Account.balance) for _ in range(QUERIES))) == [QUERIES + 1] * QUERIES
    with pytest.raises(WorkflowQueryFailedError, match="nobody may ask this"):
        await handle.query(Account.secret)
    await handle.signal(Account.close)
    await handle.result()
    assert await handle.query(Account.balance) == QUERIES + 1
    with pytest.raises(WorkflowQueryRejectedError):
        await handle.query(Account.balance, reject_condition=QueryRejectCondition.NOT_OPEN)


async def no_workflow_task(handle: object) -> bool:
    description = await handle.describe()  # type: ignore[attr-defined]
    return not description.raw_description.HasField("pending_workflow_task")


async def test_a_query_is_answered_elsewhere_by_a_worker_that_has_to_replay(
    near: Client, far: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(far, task_queue, workflows=[Account]):
        handle = await near.start_workflow(Account.run, args=[1, 0], id=workflow_id, task_queue=task_queue)
        await handle.signal(Account.pay, 1)
        assert await handle.query(Account.balance) == 2
    asked = asyncio.create_task(handle.query(Account.balance))
    async with new_worker(far, task_queue, workflows=[Account], max_cached_workflows=0):
        assert await asked == 2
        assert await handle.query(Account.balance) == 2
    await handle.terminate()


@pytest.mark.usefixtures("worker")
async def test_updates_are_made_elsewhere(near: Client, task_queue: str, workflow_id: str) -> None:
    handle = await near.start_workflow(Account.run, args=[1000, 0], id=workflow_id, task_queue=task_queue)
    assert await handle.execute_update(Account.withdraw, 10) == 990
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await handle.execute_update(Account.withdraw, 5000)
    assert "not enough" in str(refused.value.cause)
    accepted = await handle.start_update(Account.withdraw, 10, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
    assert await accepted.result() == 980
    many = await asyncio.gather(*(handle.execute_update(Account.withdraw, 1) for _ in range(8)))
    assert sorted(many) == list(range(972, 980))
    await handle.signal(Account.close)
    assert await handle.result() == 972


@pytest.mark.usefixtures("worker")
async def test_update_with_start_is_made_elsewhere(near: Client, task_queue: str, workflow_id: str) -> None:
    begin = WithStartWorkflowOperation(
        Account.run,
        args=[100, 0],
        id=workflow_id,
        task_queue=task_queue,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    left = await near.execute_update_with_start_workflow(Account.withdraw, 30, start_workflow_operation=begin)
    assert left == 70
    handle = await begin.workflow_handle()
    await handle.terminate()


@pytest.mark.usefixtures("worker")
async def test_who_asked_a_process_that_dies_asks_another_one(
    cluster: Cluster, near: Client, task_queue: str, workflow_id: str
) -> None:
    frontend = cluster.frontend("mortal").start()
    client = await Client.connect(address(frontend))
    handle = await client.start_workflow(Account.run, args=[100, 0], id=workflow_id, task_queue=task_queue)
    await eventually(lambda: has_event(handle, "WORKFLOW_TASK_COMPLETED"))
    waiting = [
        asyncio.create_task(handle.result(rpc_timeout=timedelta(seconds=30))),
        asyncio.create_task(handle.execute_update(Account.withdraw, 1, id="once")),
    ]
    again = near.get_workflow_handle(workflow_id)
    await eventually(lambda: has_event(again, "WORKFLOW_EXECUTION_UPDATE_ACCEPTED"))
    frontend.kill()
    for each in waiting:
        each.cancel()
        with contextlib.suppress(RPCError, WorkflowUpdateRPCTimeoutOrCancelledError, asyncio.CancelledError):
            await each
    assert await again.execute_update(Account.withdraw, 1, id="once") == 99
    assert await again.query(Account.balance) == 99
    await again.signal(Account.close)
    assert await again.result() == 99
