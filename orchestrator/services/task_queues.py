"""ShutdownWorker, RecordWorkerHeartbeat and PollNexusTaskQueue."""

from collections.abc import Awaitable, Callable

from temporalio.api.workflowservice.v1 import (
    PollNexusTaskQueueRequest,
    PollNexusTaskQueueResponse,
    RecordWorkerHeartbeatRequest,
    RecordWorkerHeartbeatResponse,
    ShutdownWorkerRequest,
    ShutdownWorkerResponse,
)

from orchestrator.services.engine import Engine
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.polling import check_poll, poller_of

NEXUS = 3


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
