"""ListWorkers, CountWorkers and DescribeWorker: workers as their heartbeats describe them."""

import operator
from collections.abc import Callable
from datetime import UTC, datetime

from temporalio.api.enums.v1 import WorkerStatus
from temporalio.api.worker.v1 import WorkerHeartbeat, WorkerInfo, WorkerListInfo
from temporalio.api.workflowservice.v1 import (
    CountWorkersRequest,
    CountWorkersResponse,
    DescribeWorkerRequest,
    DescribeWorkerResponse,
    ListWorkersRequest,
    ListWorkersResponse,
)

from orchestrator.errors import InvalidArgument, NotFound
from orchestrator.services.engine import Engine
from orchestrator.services.namespace_registry import NamespaceEntry
from visibility.query import Condition, Group, Literal, Predicate, parse

PAGE = 1000
SYSTEM_QUEUES = "temporal-sys/"

_ATTRIBUTES: dict[str, Callable[[WorkerHeartbeat], str]] = {
    "WorkerInstanceKey": lambda worker: worker.worker_instance_key,
    "WorkerIdentity": lambda worker: worker.worker_identity,
    "HostName": lambda worker: worker.host_info.host_name,
    "TaskQueue": lambda worker: worker.task_queue,
    "DeploymentName": lambda worker: worker.deployment_version.deployment_name,
    "BuildId": lambda worker: worker.deployment_version.build_id,
    "SdkName": lambda worker: worker.sdk_name,
    "SdkVersion": lambda worker: worker.sdk_version,
    "StartTime": lambda worker: _time(worker.start_time.ToDatetime(UTC)),
    "HeartbeatTime": lambda worker: _time(worker.heartbeat_time.ToDatetime(UTC)),
    "LastHeartbeatTime": lambda worker: _time(worker.heartbeat_time.ToDatetime(UTC)),
    "Status": lambda worker: _status(worker),
    "WorkerStatus": lambda worker: _status(worker),
}
_TIMES = frozenset({"StartTime", "HeartbeatTime", "LastHeartbeatTime"})
_COMPARISONS: dict[str, Callable[[str, str], bool]] = {
    "=": operator.eq,
    "!=": operator.ne,
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
    "starts_with": str.startswith,
    "not starts_with": lambda value, prefix: not value.startswith(prefix),
}


def list_workers(engine: Engine, namespace: NamespaceEntry, request: ListWorkersRequest) -> ListWorkersResponse:
    """The workers that match a query, by their keys; raises InvalidArgument for a bad query or page token."""
    found = _matching(engine, namespace, request.query, request.include_system_workers)
    after = request.next_page_token.decode(errors="replace")
    behind = [worker for worker in found if worker.worker_instance_key > after]
    page = behind[: request.page_size if 0 < request.page_size < PAGE else PAGE]
    return ListWorkersResponse(
        workers_info=[WorkerInfo(worker_heartbeat=worker) for worker in page],
        workers=[_listed(worker) for worker in page],
        next_page_token=page[-1].worker_instance_key.encode() if len(page) < len(behind) else b"",
    )


def count_workers(engine: Engine, namespace: NamespaceEntry, request: CountWorkersRequest) -> CountWorkersResponse:
    """How many workers match a query; raises InvalidArgument for a bad one."""
    return CountWorkersResponse(count=len(_matching(engine, namespace, request.query, request.include_system_workers)))


def describe_worker(
    engine: Engine, namespace: NamespaceEntry, request: DescribeWorkerRequest
) -> DescribeWorkerResponse:
    """The last heartbeat of a worker; raises NotFound for one that sent none lately."""
    for worker in engine.workers.known(namespace.id):
        if worker.worker_instance_key == request.worker_instance_key:
            return DescribeWorkerResponse(worker_info=WorkerInfo(worker_heartbeat=worker))
    raise NotFound(f"Worker {request.worker_instance_key} not found")


def _matching(engine: Engine, namespace: NamespaceEntry, query: str, system: bool) -> list[WorkerHeartbeat]:
    parsed = parse(query)
    if parsed.group_by is not None:
        raise InvalidArgument("invalid query: operation is not supported: 'GROUP BY' clause")
    return sorted(
        (
            worker
            for worker in engine.workers.known(namespace.id)
            if (system or not worker.task_queue.startswith(SYSTEM_QUEUES)) and _holds(parsed.where, worker)
        ),
        key=lambda worker: worker.worker_instance_key,
    )


def _holds(condition: Condition | None, worker: WorkerHeartbeat) -> bool:
    if condition is None:
        return True
    if isinstance(condition, Group):
        results = (_holds(part, worker) for part in condition.parts)
        return all(results) if condition.every else any(results)
    return _fits(condition, worker)


def _fits(predicate: Predicate, worker: WorkerHeartbeat) -> bool:
    """Whether a test is true; one of an attribute that workers do not have never is."""
    attribute = _ATTRIBUTES.get(predicate.name)
    if attribute is None:
        return False
    value = attribute(worker)
    literals = [_text(literal, predicate.name) for literal in predicate.literals]
    match predicate.operator:
        case "in":
            return value in literals
        case "not in":
            return value not in literals
        case "between":
            return literals[0] <= value <= literals[1]
        case "not between":
            return not literals[0] <= value <= literals[1]
        case "is null":
            return not value
        case "is not null":
            return bool(value)
    return _COMPARISONS[predicate.operator](value, literals[0])


def _text(literal: Literal, name: str) -> str:
    if name not in _TIMES:
        return str(literal)
    try:
        return _time(datetime.fromisoformat(str(literal)).astimezone(UTC))
    except ValueError:
        raise InvalidArgument(f"invalid query: {name} wants a time in RFC 3339") from None


def _time(value: datetime) -> str:
    """A time as a text that sorts like it."""
    return value.strftime("%Y-%m-%dT%H:%M:%S.%f")


def _status(worker: WorkerHeartbeat) -> str:
    return "".join(part.title() for part in WorkerStatus.Name(worker.status).removeprefix("WORKER_STATUS_").split("_"))


def _listed(worker: WorkerHeartbeat) -> WorkerListInfo:
    return WorkerListInfo(
        worker_instance_key=worker.worker_instance_key,
        worker_identity=worker.worker_identity,
        task_queue=worker.task_queue,
        deployment_version=worker.deployment_version if worker.HasField("deployment_version") else None,
        sdk_name=worker.sdk_name,
        sdk_version=worker.sdk_version,
        status=worker.status,
        start_time=worker.start_time if worker.HasField("start_time") else None,
        host_name=worker.host_info.host_name,
    )
