"""UpdateTaskQueueConfig: rates and weights that an operator sets on a queue, kept in its row."""

from temporalio.api.enums.v1 import TaskQueueType
from temporalio.api.taskqueue.v1 import ConfigMetadata, RateLimitConfig, TaskQueueConfig
from temporalio.api.workflowservice.v1 import UpdateTaskQueueConfigRequest, UpdateTaskQueueConfigResponse

from orchestrator.core.priority import MAXIMUM_FAIRNESS_KEY
from orchestrator.core.request_checks import check_queue_name
from orchestrator.core.wire import timestamp
from orchestrator.errors import InvalidArgument
from orchestrator.services.engine import Engine
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.pollers import QueueKey

LONGEST_REASON = 1000
MOST_WEIGHTS = 1000
LARGEST_TYPE = 2**15 - 1
"""What the column holds. A type nobody knows has a configuration like any other, as on a Temporal server."""
RateLimitUpdate = UpdateTaskQueueConfigRequest.RateLimitUpdate


async def update_task_queue_config(
    engine: Engine, namespace: NamespaceEntry, request: UpdateTaskQueueConfigRequest
) -> UpdateTaskQueueConfigResponse:
    """Changes what the request names, and answers with the whole configuration.

    Raises:
        InvalidArgument: the request is wrong.
    """
    _check(engine, request)
    key = QueueKey(namespace.id, request.task_queue, request.task_queue_type)
    if not _changes(request):
        return UpdateTaskQueueConfigResponse(config=engine.matching.config(key) or TaskQueueConfig())
    check_queue_name(request.task_queue, engine.limits)
    now = engine.clock()

    def change(stored: bytes) -> bytes:
        config = TaskQueueConfig.FromString(stored)
        if request.HasField("update_queue_rate_limit"):
            config.queue_rate_limit.CopyFrom(_rate(request.update_queue_rate_limit, request.identity, now))
        if request.HasField("update_fairness_key_rate_limit_default"):
            update = request.update_fairness_key_rate_limit_default
            config.fairness_keys_rate_limit_default.CopyFrom(_rate(update, request.identity, now))
        for fairness_key in request.unset_fairness_weight_overrides:
            config.fairness_weight_overrides.pop(fairness_key, None)
        for fairness_key, weight in request.set_fairness_weight_overrides.items():
            config.fairness_weight_overrides[fairness_key] = weight
        if len(config.fairness_weight_overrides) > MOST_WEIGHTS:
            raise InvalidArgument(f"too many fairness weight overrides, at most {MOST_WEIGHTS} are kept")
        return config.SerializeToString()

    data = await engine.run_db(engine.store.change_task_queue_config, tuple(key), change)
    config = TaskQueueConfig.FromString(data)
    engine.matching.change_config(key, config)
    return UpdateTaskQueueConfigResponse(config=config)


def _changes(request: UpdateTaskQueueConfigRequest) -> bool:
    return bool(
        request.HasField("update_queue_rate_limit")
        or request.HasField("update_fairness_key_rate_limit_default")
        or request.set_fairness_weight_overrides
        or request.unset_fairness_weight_overrides
    )


def _check(engine: Engine, request: UpdateTaskQueueConfigRequest) -> None:
    if not 0 <= request.task_queue_type <= LARGEST_TYPE:
        raise InvalidArgument(f"unknown task queue type: {int(request.task_queue_type)}")
    workflow = request.task_queue_type == TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW
    if workflow and request.HasField("update_queue_rate_limit"):
        raise InvalidArgument("Setting rate limit on workflow task queues is not allowed.")
    if request.HasField("update_queue_rate_limit"):
        _check_rate(request.update_queue_rate_limit, "UpdateQueueRateLimit")
    if request.HasField("update_fairness_key_rate_limit_default"):
        _check_rate(request.update_fairness_key_rate_limit_default, "UpdateFairnessKeyRateLimitDefault")
    for fairness_key, weight in request.set_fairness_weight_overrides.items():
        if len(fairness_key.encode()) > MAXIMUM_FAIRNESS_KEY:
            raise InvalidArgument("fairness key length exceeds limit")
        if not weight > 0:
            raise InvalidArgument("fairness weight must be greater than zero")


def _check_rate(update: RateLimitUpdate, name: str) -> None:
    if not update.rate_limit.requests_per_second >= 0:  # Nor is what is not a number.
        raise InvalidArgument(f"RequestsPerSecond for {name} rate limit must be non-negative.")
    if len(update.reason) > LONGEST_REASON:
        raise InvalidArgument(f"{name}.Reason field too long (max {LONGEST_REASON} characters).")


def _rate(update: RateLimitUpdate, identity: str, now: int) -> RateLimitConfig:
    """Without a rate there is no limit, but still who took it away."""
    return RateLimitConfig(
        rate_limit=update.rate_limit if update.HasField("rate_limit") else None,
        metadata=ConfigMetadata(reason=update.reason, update_identity=identity, update_time=timestamp(now)),
    )
