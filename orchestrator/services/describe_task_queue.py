"""DescribeTaskQueue and ListTaskQueuePartitions: who polls a queue, what waits in it, and how fast it may go.

What waits is read from the table, polls are those of all processes, and rates at which tasks come and go are those of
the process that answers.
"""

from collections.abc import Iterable

from google.protobuf.duration_pb2 import Duration
from google.protobuf.timestamp_pb2 import Timestamp
from temporalio.api.enums.v1 import DescribeTaskQueueMode, TaskQueueKind, TaskQueueType
from temporalio.api.taskqueue.v1 import (
    PollerInfo,
    TaskIdBlock,
    TaskQueuePartitionMetadata,
    TaskQueueStats,
    TaskQueueStatus,
    TaskQueueTypeInfo,
    TaskQueueVersionInfo,
    TaskQueueVersioningInfo,
)
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    DescribeTaskQueueResponse,
    ListTaskQueuePartitionsRequest,
    ListTaskQueuePartitionsResponse,
)

from orchestrator.core.priority import DEFAULT_LEVEL
from orchestrator.core.request_checks import check_task_queue
from orchestrator.core.wire import duration, timestamp
from orchestrator.errors import InvalidArgument
from orchestrator.services.engine import Engine
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.pollers import QueueKey

UNVERSIONED = "__unversioned__"
NEVER = Timestamp(seconds=-62_135_596_800)
"""The first moment of the year 1, as Temporal tells it of a queue that never had versions."""
UNLIMITED = 100_000.0
"""Told as the rate of a queue without a limit."""
BLOCK = 100_000
"""Told as the size of a block of task ids, which this server does not have."""

_T = TaskQueueType


async def describe_task_queue(
    engine: Engine, namespace: NamespaceEntry, request: DescribeTaskQueueRequest
) -> DescribeTaskQueueResponse:
    """Raises InvalidArgument for a bad request. A queue nobody knows is empty, not an error."""
    queue = request.task_queue
    enhanced = request.api_mode == DescribeTaskQueueMode.DESCRIBE_TASK_QUEUE_MODE_ENHANCED
    if enhanced and queue.kind == TaskQueueKind.TASK_QUEUE_KIND_STICKY:
        raise InvalidArgument(
            "Enhanced DescribeTaskQueue is not valid for a sticky queue, use api_mode=UNSPECIFIED or a normal queue."
        )
    check_task_queue(queue if request.HasField("task_queue") else None, engine.limits)
    if enhanced:
        return await _by_version(engine, namespace, request)
    kind = request.task_queue_type or _T.TASK_QUEUE_TYPE_WORKFLOW
    key = QueueKey(namespace.id, queue.name, kind)
    rate, source = engine.matching.rate(key)
    response = DescribeTaskQueueResponse(
        pollers=_pollers(engine, key),
        versioning_info=TaskQueueVersioningInfo(current_version=UNVERSIONED, update_time=NEVER),
        effective_rate_limit=DescribeTaskQueueResponse.EffectiveRateLimit(
            requests_per_second=UNLIMITED if rate is None else rate, rate_limit_source=source
        ),
    )
    if request.report_config:
        config = engine.matching.config(key)
        if config is not None:
            response.config.CopyFrom(config)
    if request.report_stats or request.include_task_queue_status:
        levels = await _statistics(engine, key)
        if request.report_stats:
            response.stats.CopyFrom(_together(levels.values()))
            for level, stats in levels.items():
                response.stats_by_priority_key[level].CopyFrom(stats)
        if request.include_task_queue_status:
            response.task_queue_status.CopyFrom(
                TaskQueueStatus(
                    backlog_count_hint=_together(levels.values()).approximate_backlog_count,
                    rate_per_second=UNLIMITED if rate is None else rate,
                    task_id_block=TaskIdBlock(start_id=1, end_id=BLOCK),
                )
            )
    return response


def list_task_queue_partitions(
    engine: Engine, namespace: NamespaceEntry, request: ListTaskQueuePartitionsRequest
) -> ListTaskQueuePartitionsResponse:
    """A queue is one partition of each type; raises InvalidArgument for a bad request."""
    check_task_queue(request.task_queue if request.HasField("task_queue") else None, engine.limits)
    one = [TaskQueuePartitionMetadata(key=request.task_queue.name)]
    return ListTaskQueuePartitionsResponse(activity_task_queue_partitions=one, workflow_task_queue_partitions=one)


async def _by_version(
    engine: Engine, namespace: NamespaceEntry, request: DescribeTaskQueueRequest
) -> DescribeTaskQueueResponse:
    """The enhanced mode: several types of a queue at once, all of the one version there is."""
    types = request.task_queue_types or [_T.TASK_QUEUE_TYPE_WORKFLOW, _T.TASK_QUEUE_TYPE_ACTIVITY]
    version = TaskQueueVersionInfo()
    for kind in types:
        key = QueueKey(namespace.id, request.task_queue.name, kind)
        info = TaskQueueTypeInfo(pollers=_pollers(engine, key) if request.report_pollers else ())
        if request.report_stats:
            info.stats.CopyFrom(_together((await _statistics(engine, key)).values()))
        version.types_info[kind].CopyFrom(info)
    return DescribeTaskQueueResponse(versions_info={"": version})


def _pollers(engine: Engine, key: QueueKey) -> list[PollerInfo]:
    return [
        PollerInfo(
            identity=info.identity,
            last_access_time=timestamp(info.last_access),
            rate_per_second=UNLIMITED if info.rate is None else info.rate,
        )
        for info in engine.matching.pollers(key)
    ]


async def _statistics(engine: Engine, key: QueueKey) -> dict[int, TaskQueueStats]:
    """By priority; the default one is always there."""
    now = engine.clock()
    waiting = await engine.run_db(engine.store.waiting_by_level, key.namespace_id, key.name, key.kind)
    known = engine.matching.look(key)
    rates = known.traffic.rates(now) if known is not None else {}
    limited = known is not None and known.limited(now)
    found = {}
    for level in sorted({DEFAULT_LEVEL} | waiting.keys() | rates.keys()):
        count, oldest = waiting.get(level, (0, now))
        came, went = rates.get(level, (0.0, 0.0))
        found[level] = TaskQueueStats(
            approximate_backlog_count=count,
            approximate_backlog_age=duration(max(0, now - oldest)),
            tasks_add_rate=came,
            tasks_dispatch_rate=went,
            rate_limiting_active=limited,
        )
    return found


def _together(levels: Iterable[TaskQueueStats]) -> TaskQueueStats:
    stats = list(levels)
    oldest: Duration = max(
        (each.approximate_backlog_age for each in stats), key=lambda age: (age.seconds, age.nanos), default=Duration()
    )
    return TaskQueueStats(
        approximate_backlog_count=sum(each.approximate_backlog_count for each in stats),
        approximate_backlog_age=oldest,
        tasks_add_rate=sum(each.tasks_add_rate for each in stats),
        tasks_dispatch_rate=sum(each.tasks_dispatch_rate for each in stats),
        rate_limiting_active=any(each.rate_limiting_active for each in stats),
    )
