"""DescribeTaskQueue, ShutdownWorker, RecordWorkerHeartbeat and PollNexusTaskQueue."""

from collections.abc import Awaitable, Callable

from google.protobuf.duration_pb2 import Duration
from temporalio.api.enums.v1 import DescribeTaskQueueMode, TaskQueueKind, TaskQueueType
from temporalio.api.taskqueue.v1 import PollerInfo, TaskQueueStats, TaskQueueStatus, TaskQueueVersioningInfo
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    PollNexusTaskQueueRequest,
    PollNexusTaskQueueResponse,
    RecordWorkerHeartbeatRequest,
    RecordWorkerHeartbeatResponse,
    ShutdownWorkerRequest,
    ShutdownWorkerResponse,
)

from orchestrator.core.request_checks import check_task_queue
from orchestrator.core.wire import timestamp
from orchestrator.errors import InvalidArgument
from orchestrator.services.engine import Engine
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.pollers import QueueKey
from orchestrator.services.polling import check_poll, poller_of

NEXUS = 3
UNVERSIONED = "__unversioned__"


def describe_task_queue(
    engine: Engine, namespace: NamespaceEntry, request: DescribeTaskQueueRequest
) -> DescribeTaskQueueResponse:
    """Who polls a queue; raises InvalidArgument for a bad request. A queue nobody knows is empty, not an error."""
    queue = request.task_queue
    enhanced = request.api_mode == DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED
    if enhanced and queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY:
        raise InvalidArgument(
            "Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue."
        )
    check_task_queue(queue if request.HasField("task_queue") else None, engine.limits)
    kind = request.task_queue_type or TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    key = QueueKey(namespace.id, queue.name, kind)
    response = DescribeTaskQueueResponse(
        pollers=[
            PollerInfo(identity=info.identity, last_access_time=timestamp(info.last_access), rate_per_second=info.rate)
            for info in engine.matching.pollers(key)
        ],
        versioning_info=TaskQueueVersioningInfo(current_version=UNVERSIONED),
    )
    if request.report_stats:
        response.stats.CopyFrom(
            TaskQueueStats(approximate_backlog_count=engine.matching.backlog(key), approximate_backlog_age=Duration())
        )
    if request.include_task_queue_status:
        response.task_queue_status.CopyFrom(TaskQueueStatus(backlog_count_hint=engine.matching.backlog(key)))
    return response


def shutdown_worker(
    engine: Engine, namespace: NamespaceEntry, request: ShutdownWorkerRequest
) -> ShutdownWorkerResponse:
    """A worker stops: its polls end, and its sticky queue is passed over."""
    engine.matching.shut_down(namespace.id, request.sticky_task_queue, request.worker_instance_key)
    if request.HasField("worker_heartbeat"):
        engine.workers.record(namespace.id, request.worker_heartbeat)
    return ShutdownWorkerResponse()


def record_worker_heartbeat(
    engine: Engine, namespace: NamespaceEntry, request: RecordWorkerHeartbeatRequest
) -> RecordWorkerHeartbeatResponse:
    """Remembers what workers say of themselves."""
    for heartbeat in request.worker_heartbeat:
        engine.workers.record(namespace.id, heartbeat)
    return RecordWorkerHeartbeatResponse()


async def poll_nexus_task_queue(
    engine: Engine,
    namespace: NamespaceEntry,
    request: PollNexusTaskQueueRequest,
    *,
    deadline: float | None,
    client_gone: Callable[[], Awaitable[bool]],
) -> PollNexusTaskQueueResponse:
    """Waits and returns empty: this server has no Nexus tasks."""
    until = check_poll(engine, request, deadline)
    await engine.matching.next_item(poller_of(request, namespace, NEXUS, until))
    return PollNexusTaskQueueResponse()
