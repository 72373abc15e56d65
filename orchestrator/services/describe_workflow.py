"""DescribeWorkflowExecution, from the mutable state alone."""

from collections.abc import Mapping

from google.protobuf.duration_pb2 import Duration
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.common.v1 import (
    ActivityType,
    Memo,
    Payload,
    Payloads,
    Priority,
    WorkerVersionStamp,
    WorkflowExecution,
    WorkflowType,
)
from temporalio.api.enums.v1 import PendingActivityState, PendingWorkflowTaskState
from temporalio.api.failure.v1 import Failure
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflow.v1 import (
    PendingActivityInfo,
    PendingChildExecutionInfo,
    PendingWorkflowTaskInfo,
    RequestIdInfo,
    VersioningOverride,
    WorkflowExecutionConfig,
    WorkflowExecutionExtendedInfo,
    WorkflowExecutionInfo,
    WorkflowExecutionVersioningInfo,
)
from temporalio.api.workflowservice.v1 import (
    DescribeWorkflowExecutionRequest,
    DescribeWorkflowExecutionResponse,
)

from orchestrator.core import reset_points, retry, search_attributes
from orchestrator.core.request_checks import check_execution
from orchestrator.core.state import Activity, Child, ExecutionState, WorkflowTask
from orchestrator.core.wire import duration, optional_duration, optional_timestamp, timestamp
from orchestrator.core.workflow_task import queue_message
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.store.transition import Unit

_A = PendingActivityState
_W = PendingWorkflowTaskState


def describe_workflow_execution(
    engine: Engine, namespace: NamespaceEntry, request: DescribeWorkflowExecutionRequest
) -> Prepared[DescribeWorkflowExecutionResponse]:
    """Everything about a run but its history; raises InvalidArgument for a bad request and NotFound for no such run."""
    check_execution(request.execution if request.HasField("execution") else None)

    def operation(unit: Unit) -> DescribeWorkflowExecutionResponse:
        return describe(unit.run().state, namespace.search_attributes)

    return Prepared(engine.key(namespace, request.execution.workflow_id), operation, request.execution.run_id)


def describe(state: ExecutionState, types: Mapping[str, int]) -> DescribeWorkflowExecutionResponse:
    """The description of a state; `types` are the custom search attributes of its namespace."""
    return DescribeWorkflowExecutionResponse(
        execution_config=_config(state),
        workflow_execution_info=_info(state, types),
        pending_activities=[_activity(each) for each in state.activities.values()],
        pending_children=[_child(each) for each in state.children.values()] if state.running else [],
        pending_workflow_task=_workflow_task(state.workflow_task) if state.workflow_task is not None else None,
        workflow_extended_info=WorkflowExecutionExtendedInfo(
            execution_expiration_time=optional_timestamp(state.execution_expiration),
            run_expiration_time=optional_timestamp(state.run_expiration),
            cancel_requested=state.cancel_requested,
            original_start_time=timestamp(state.original_start_time),
            reset_run_id=state.reset_run_id,
            last_reset_time=optional_timestamp(state.last_reset_time),
            request_id_infos={
                request_id: RequestIdInfo(event_type=event_type, event_id=event_id, buffered=not event_id)  # type: ignore[arg-type]
                for request_id, (event_type, event_id) in state.request_ids.items()
            },
        ),
    )


def _config(state: ExecutionState) -> WorkflowExecutionConfig:
    return WorkflowExecutionConfig(
        task_queue=queue_message(state.task_queue),
        workflow_execution_timeout=optional_duration(state.execution_timeout),
        # A child's STARTED event always has one, zero or not.
        workflow_run_timeout=duration(state.run_timeout) if state.run_timeout or state.parent is not None else None,
        default_workflow_task_timeout=duration(state.task_timeout),
        user_metadata=UserMetadata.FromString(state.user_metadata) if state.user_metadata else None,
    )


def _info(state: ExecutionState, types: Mapping[str, int]) -> WorkflowExecutionInfo:
    execution = WorkflowExecution(workflow_id=state.workflow_id, run_id=state.run_id)
    closed = not state.running
    return WorkflowExecutionInfo(
        execution=execution,
        type=WorkflowType(name=state.workflow_type),
        start_time=timestamp(state.start_time),
        execution_time=timestamp(state.execution_time),
        close_time=optional_timestamp(state.close_time),
        execution_duration=duration(max(0, state.close_time - state.execution_time)) if closed else None,
        status=state.status,  # type: ignore[arg-type]
        history_length=state.next_event_id - 1,
        versioning_info=_versioning(state),
        history_size_bytes=state.history_size,
        state_transition_count=state.transitions,
        memo=Memo(fields={key: Payload.FromString(value) for key, value in state.memo.items()}),
        search_attributes=search_attributes.typed(
            {key: Payload.FromString(value) for key, value in state.search_attributes.items()}, types
        ),
        auto_reset_points=reset_points.message(state),
        task_queue=state.task_queue,
        parent_namespace_id=state.parent.namespace_id if state.parent is not None else "",
        parent_execution=(
            WorkflowExecution(workflow_id=state.parent.workflow_id, run_id=state.parent.run_id)
            if state.parent is not None
            else None
        ),
        root_execution=(
            WorkflowExecution(workflow_id=state.root_workflow_id, run_id=state.root_run_id)
            if state.root_run_id
            else execution
        ),
        first_run_id=state.first_run_id,
        most_recent_worker_version_stamp=(
            WorkerVersionStamp.FromString(state.worker_version) if state.worker_version else None
        ),
        priority=Priority.FromString(state.priority) if state.priority else None,
    )


def _versioning(state: ExecutionState) -> WorkflowExecutionVersioningInfo | None:
    if not state.versioning_override:
        return None
    override = VersioningOverride.FromString(state.versioning_override)
    return WorkflowExecutionVersioningInfo(versioning_override=override)


def _child(pending: Child) -> PendingChildExecutionInfo:
    return PendingChildExecutionInfo(
        workflow_id=pending.workflow_id,
        run_id=pending.run_id,
        workflow_type_name=pending.workflow_type,
        initiated_id=pending.initiated_event_id,
        parent_close_policy=pending.close_policy,  # type: ignore[arg-type]
    )


def _workflow_task(task: WorkflowTask) -> PendingWorkflowTaskInfo:
    started = bool(task.started_event_id)
    return PendingWorkflowTaskInfo(
        state=(_W.PENDING_WORKFLOW_TASK_STATE_STARTED if started else _W.PENDING_WORKFLOW_TASK_STATE_SCHEDULED),
        scheduled_time=timestamp(task.scheduled_time),
        original_scheduled_time=timestamp(task.original_scheduled_time),
        started_time=optional_timestamp(task.started_time),
        attempt=task.attempt,
    )


def _activity(pending: Activity) -> PendingActivityInfo:
    if pending.cancel_requested:
        state = _A.PENDING_ACTIVITY_STATE_CANCEL_REQUESTED
    elif pending.paused:
        state = _A.PENDING_ACTIVITY_STATE_PAUSE_REQUESTED if pending.started_time else _A.PENDING_ACTIVITY_STATE_PAUSED
    elif pending.started_time:
        state = _A.PENDING_ACTIVITY_STATE_STARTED
    else:
        state = _A.PENDING_ACTIVITY_STATE_SCHEDULED
    expiration = pending.first_scheduled_time + pending.schedule_to_close if pending.schedule_to_close else 0
    priority = Priority.FromString(pending.priority) if pending.priority else None
    return PendingActivityInfo(
        activity_id=pending.activity_id,
        activity_type=ActivityType(name=pending.activity_type),
        state=state,
        heartbeat_details=Payloads.FromString(pending.heartbeat_details) if pending.heartbeat_details else None,
        last_heartbeat_time=optional_timestamp(pending.heartbeat_time),
        last_started_time=optional_timestamp(pending.started_time),
        attempt=pending.attempt,
        maximum_attempts=pending.retry_policy.maximum_attempts,
        scheduled_time=timestamp(pending.scheduled_time),
        expiration_time=optional_timestamp(expiration),
        last_failure=Failure.FromString(pending.last_failure) if pending.last_failure else None,
        last_worker_identity=pending.started_identity or pending.last_identity,
        current_retry_interval=_retry_interval(pending),
        last_attempt_complete_time=optional_timestamp(pending.last_attempt_complete_time),
        next_attempt_schedule_time=timestamp(pending.scheduled_time) if pending.backing_off else None,
        paused=pending.paused,
        pause_info=(
            PendingActivityInfo.PauseInfo(
                pause_time=timestamp(pending.pause_time),
                manual=PendingActivityInfo.PauseInfo.Manual(
                    identity=pending.pause_identity, reason=pending.pause_reason
                ),
            )
            if pending.paused
            else None
        ),
        priority=priority,
        activity_options=ActivityOptions(
            task_queue=TaskQueue(name=pending.task_queue, normal_name=pending.task_queue),
            schedule_to_close_timeout=duration(pending.schedule_to_close),
            schedule_to_start_timeout=duration(pending.schedule_to_start),
            start_to_close_timeout=duration(pending.start_to_close),
            heartbeat_timeout=duration(pending.heartbeat_timeout),
            retry_policy=retry.message(pending.retry_policy),
            priority=priority,
        ),
    )


def _retry_interval(pending: Activity) -> Duration | None:
    """What the attempt that waits for a worker has waited before; the first one shows what a second one would wait."""
    if pending.started_time:
        return None
    if not pending.last_attempt_complete_time:
        return duration(pending.retry_policy.initial_interval)
    return duration(pending.scheduled_time - pending.last_attempt_complete_time)
