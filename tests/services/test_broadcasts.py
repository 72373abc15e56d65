"""What is changed in one process is seen in the others at once."""

from collections.abc import AsyncIterator
from typing import Any

import pytest_asyncio
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import IndexedValueType, RateLimitSource, TaskQueueType
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.taskqueue.v1 import RateLimit, TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    DescribeWorkerRequest,
    ListWorkersRequest,
    RecordWorkerHeartbeatRequest,
    ShutdownWorkerRequest,
    UpdateTaskQueueConfigRequest,
)

from orchestrator.services.describe_task_queue import describe_task_queue
from orchestrator.services.list_workers import describe_worker, list_workers
from orchestrator.services.search_attributes import add_search_attributes
from orchestrator.services.task_queue_config import update_task_queue_config
from orchestrator.services.task_queues import record_worker_heartbeat, shutdown_worker
from tests.services.conftest import Database
from tests.services.member import NEVER_SWEPT, Member, running, until
from tests.support.hub import Hub


@pytest_asyncio.fixture
async def two(shared_database: Database) -> AsyncIterator[tuple[Member, Member]]:
    """Two processes that never sweep, and remember namespaces for ever."""
    hub = Hub()
    one, other = (Member(hub.notifier(name), *shared_database, NEVER_SWEPT) for name in ("one", "other"))
    for member in (one, other):
        member.engine.namespaces._lifetime = float("inf")
    async with running(one, other):
        yield one, other


async def test_search_attributes_are_known_everywhere(two: tuple[Member, Member]) -> None:
    one, other = two
    assert not (await other.engine.namespace("default")).search_attributes
    request = AddSearchAttributesRequest(
        namespace="default", search_attributes={"Customer": IndexedValueType.INDEXED_VALUE_TYPE_KEYWORD}
    )

    def add() -> None:
        add_search_attributes(request, registry=one.engine.namespaces, settings=one.engine.settings)

    await one.engine.run_db(add)

    async def known() -> bool:
        return "Customer" in (await other.engine.namespace("default")).search_attributes

    await until(known)


async def test_the_configuration_of_a_queue_is_in_force_everywhere(two: tuple[Member, Member]) -> None:
    one, other = two
    request = UpdateTaskQueueConfigRequest(
        namespace="default",
        task_queue="queue",
        task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY,
        update_queue_rate_limit=UpdateTaskQueueConfigRequest.RateLimitUpdate(
            rate_limit=RateLimit(requests_per_second=7)
        ),
    )
    await update_task_queue_config(one.engine, await one.engine.namespace("default"), request)

    async def described() -> bool:
        limit = (await describe(other, task_queue_type=TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY)).effective_rate_limit
        return (limit.requests_per_second, limit.rate_limit_source) == (7, RateLimitSource.RATE_LIMIT_SOURCE_API)

    await until(described)


async def describe(member: Member, **fields: Any) -> DescribeTaskQueueResponse:
    """DescribeTaskQueue."""
    request = DescribeTaskQueueRequest(namespace="default", task_queue=TaskQueue(name="queue"), **fields)
    return await describe_task_queue(member.engine, await member.engine.namespace("default"), request)


async def test_a_description_shows_the_pollers_of_all_processes(two: tuple[Member, Member]) -> None:
    one, other = two
    await one.begin_poll("queue", identity="here")
    await other.begin_poll("queue", identity="there")
    await other.begin_poll("queue", identity="there too")

    async def seen_by(member: Member) -> bool:
        return {poller.identity for poller in (await describe(member)).pollers} == {"here", "there", "there too"}

    await until(lambda: seen_by(one))
    await until(lambda: seen_by(other))


async def test_a_worker_that_stops_ends_its_polls_in_every_process(two: tuple[Member, Member]) -> None:
    one, other = two
    polling = [
        await one.begin_poll("queue", worker_instance_key="worker"),
        await other.begin_poll("queue", worker_instance_key="worker"),
    ]
    another = await other.begin_poll("queue", worker_instance_key="another")
    request = ShutdownWorkerRequest(namespace="default", worker_instance_key="worker")
    shutdown_worker(one.engine, await one.engine.namespace("default"), request)

    assert [(await each).task_token for each in polling] == [b"", b""]
    assert not another.done()


async def test_workers_are_listed_alike_in_every_process_even_one_that_joins(
    two: tuple[Member, Member], shared_database: Database
) -> None:
    one, other = two
    namespace = await one.engine.namespace("default")
    for number, (member, key) in enumerate(((one, "a"), (other, "b"), (other, "a"))):
        heartbeat = WorkerHeartbeat(
            worker_instance_key=key, task_queue="queue", heartbeat_time=Timestamp(seconds=1 + number)
        )
        record_worker_heartbeat(
            member.engine, namespace, RecordWorkerHeartbeatRequest(namespace="default", worker_heartbeat=[heartbeat])
        )
        await until(lambda key=key, number=number: told_of(one, key, number))  # type: ignore[misc]
        await until(lambda key=key, number=number: told_of(other, key, number))  # type: ignore[misc]
    third = Member(one.engine.peers._notifier._hub.notifier("third"), *shared_database, NEVER_SWEPT)  # type: ignore[attr-defined]
    async with running(third):
        for member in (one, other, third):
            await until(lambda member=member: told_of(member, "a", 2))  # type: ignore[misc]
            await until(lambda member=member: told_of(member, "b", 1))  # type: ignore[misc]
            listed = list_workers(member.engine, namespace, ListWorkersRequest(namespace="default"))
            assert [each.worker_instance_key for each in listed.workers] == ["a", "b"]
            described = describe_worker(
                member.engine, namespace, DescribeWorkerRequest(namespace="default", worker_instance_key="a")
            )
            assert described.worker_info.worker_heartbeat.heartbeat_time.seconds == 3


async def told_of(member: Member, key: str, number: int) -> bool:
    """Whether a process knows the heartbeat of a worker that was sent as the n-th."""
    namespace = await member.engine.namespace("default")
    known = member.engine.workers.known(namespace.id)
    return any(each.worker_instance_key == key and each.heartbeat_time.seconds == 1 + number for each in known)
