"""What workers report of themselves, and who is told: heartbeats, the list of workers, their shutdown."""

import asyncio
import uuid
from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.api.enums.v1 import TaskQueueType, WorkerStatus
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerHostInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkersRequest,
    DescribeTaskQueueRequest,
    DescribeWorkerRequest,
    ListWorkersRequest,
    PollActivityTaskQueueRequest,
    PollWorkflowTaskQueueRequest,
    RecordWorkerHeartbeatRequest,
    ShutdownWorkerRequest,
)
from temporalio.client import Client
from temporalio.runtime import Runtime, TelemetryConfig
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.workers import eventually, new_worker
from tests.support.server import Server

LONG = timedelta(seconds=60)


@workflow.defn
class Nothing:
    """Does nothing."""

    @workflow.run
    async def run(self) -> None:
        return None


def heartbeat(task_queue: str, number: int) -> WorkerHeartbeat:
    """What the worker of a number says of itself; its key is new."""
    said = WorkerHeartbeat(
        worker_instance_key=str(uuid.uuid4()),
        worker_identity=f"worker {number}",
        host_info=WorkerHostInfo(host_name=f"host-{number % 2}"),
        task_queue=task_queue,
        sdk_name="temporal-test",
        sdk_version="1.2.3",
        status=WorkerStatus.WORKER_STATUS_RUNNING,
    )
    said.heartbeat_time.GetCurrentTime()
    said.start_time.GetCurrentTime()
    return said


async def report(client: Client, *said: WorkerHeartbeat) -> None:
    """Sends heartbeats."""
    await client.workflow_service.record_worker_heartbeat(
        RecordWorkerHeartbeatRequest(namespace=client.namespace, identity="reporter", worker_heartbeat=said)
    )


async def listed(client: Client, query: str) -> list[WorkerHeartbeat]:
    """The workers that match a query."""
    reply = await client.workflow_service.list_workers(ListWorkersRequest(namespace=client.namespace, query=query))
    return [each.worker_heartbeat for each in reply.workers_info]


async def test_reported_workers_are_listed_and_described(client: Client, task_queue: str) -> None:
    workers = [heartbeat(task_queue, number) for number in range(4)]
    await report(client, *workers)
    mine = f"TaskQueue = '{task_queue}'"
    assert {each.worker_instance_key for each in await listed(client, mine)} == {
        each.worker_instance_key for each in workers
    }
    (odd,) = await listed(client, f"{mine} AND WorkerIdentity = 'worker 3'")
    assert odd == workers[3]
    assert len(await listed(client, f"{mine} AND HostName = 'host-1'")) == 2
    count = await client.workflow_service.count_workers(CountWorkersRequest(namespace=client.namespace, query=mine))
    assert count.count == 4
    described = await client.workflow_service.describe_worker(
        DescribeWorkerRequest(namespace=client.namespace, worker_instance_key=workers[0].worker_instance_key)
    )
    assert described.worker_info.worker_heartbeat == workers[0]


async def test_the_last_report_of_a_worker_counts(client: Client, task_queue: str) -> None:
    said = heartbeat(task_queue, 1)
    await report(client, said)
    said.status = WorkerStatus.WORKER_STATUS_SHUTTING_DOWN
    await report(client, said)
    (seen,) = await listed(client, f"TaskQueue = '{task_queue}'")
    assert seen.status == WorkerStatus.WORKER_STATUS_SHUTTING_DOWN


async def test_a_worker_nobody_heard_of_is_not_found(client: Client) -> None:
    with pytest.raises(RPCError) as raised:
        await client.workflow_service.describe_worker(
            DescribeWorkerRequest(namespace=client.namespace, worker_instance_key=str(uuid.uuid4()))
        )
    assert raised.value.status == RPCStatusCode.NOT_FOUND


async def test_a_worker_of_the_sdk_reports_itself(server: Server, task_queue: str) -> None:
    runtime = Runtime(telemetry=TelemetryConfig(), worker_heartbeat_interval=timedelta(seconds=1))
    client = await Client.connect(server.grpc, runtime=runtime)
    mine = f"TaskQueue = '{task_queue}'"
    async with new_worker(client, task_queue, workflows=[Nothing], identity="the reporter"):

        async def known() -> list[WorkerHeartbeat]:
            return await listed(client, mine)

        (seen,) = await eventually(known)
        assert (seen.worker_identity, seen.sdk_name) == ("the reporter", "temporal-python")
        assert seen.status == WorkerStatus.WORKER_STATUS_RUNNING

    async def over() -> bool:
        return [each.status for each in await listed(client, mine)] == [WorkerStatus.WORKER_STATUS_SHUTTING_DOWN]

    await eventually(over)


async def test_the_polls_of_a_worker_that_shuts_down_end(client: Client, task_queue: str) -> None:
    service = client.workflow_service
    stopping, staying = str(uuid.uuid4()), str(uuid.uuid4())

    def polls(key: str) -> list[asyncio.Task[bytes]]:
        async def workflow_poll() -> bytes:
            request = PollWorkflowTaskQueueRequest(
                namespace=client.namespace, task_queue=TaskQueue(name=task_queue), identity=key
            )
            request.worker_instance_key = key
            return (await service.poll_workflow_task_queue(request, timeout=LONG)).task_token

        async def activity_poll() -> bytes:
            request = PollActivityTaskQueueRequest(
                namespace=client.namespace, task_queue=TaskQueue(name=task_queue), identity=key
            )
            request.worker_instance_key = key
            return (await service.poll_activity_task_queue(request, timeout=LONG)).task_token

        return [asyncio.create_task(workflow_poll()), asyncio.create_task(activity_poll())]

    async def seen(kind: TaskQueueType.ValueType, key: str) -> bool:
        reply = await service.describe_task_queue(
            DescribeTaskQueueRequest(
                namespace=client.namespace, task_queue=TaskQueue(name=task_queue), task_queue_type=kind
            )
        )
        return key in {poller.identity for poller in reply.pollers}

    ending, going_on = polls(stopping), polls(staying)
    for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
        for key in (stopping, staying):
            await eventually(lambda kind=kind, key=key: seen(kind, key))
    await service.shutdown_worker(
        ShutdownWorkerRequest(
            namespace=client.namespace,
            identity=stopping,
            task_queue=task_queue,
            worker_instance_key=stopping,
            worker_heartbeat=heartbeat(task_queue, 1),
        )
    )
    assert await asyncio.gather(*ending) == [b"", b""]
    # A poll that was under way when its worker stopped ends at once too.
    assert await asyncio.gather(*polls(stopping)) == [b"", b""]
    assert not any(poll.done() for poll in going_on)
    for poll in going_on:
        poll.cancel()
    await asyncio.wait(going_on)
