"""The birth of a run: its state and first events, from the attributes of its STARTED event.

A start, a retry, a cron tick, continue-as-new and a parent that starts a child all make such attributes; what follows
from them is the same, and a replay of the history finds it again.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from temporalio.api.common.v1 import Link
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import WorkflowExecutionStartedEventAttributes
from temporalio.api.sdk.v1 import UserMetadata

from orchestrator.core import reset_points, retry, workflow_task
from orchestrator.core.limits import Limits
from orchestrator.core.run import Run
from orchestrator.core.state import ExecutionState, Parent
from orchestrator.core.wire import LONGEST, after, length_ns, time_ns


@dataclass(frozen=True, slots=True)
class Identity:
    """What the STARTED event does not tell of a run; none of it is drawn here."""

    namespace_id: str
    run_id: str
    request_id: str


def state_of(
    identity: Identity,
    attributes: WorkflowExecutionStartedEventAttributes,
    start_time: int,
    user_metadata: UserMetadata | None,
) -> ExecutionState:
    """The state of a run that has begun, before its first event is counted.

    Args:
        identity: what the attributes do not tell.
        attributes: of the STARTED event.
        start_time: its time, nanoseconds since the epoch.
        user_metadata: shown with it.
    """
    backoff = length_ns(attributes.first_workflow_task_backoff)
    execution_time = after(start_time, backoff)
    expiration = time_ns(attributes.workflow_execution_expiration_time)
    run_timeout = length_ns(attributes.workflow_run_timeout)
    return ExecutionState(
        namespace_id=identity.namespace_id,
        workflow_id=attributes.workflow_id,
        run_id=identity.run_id,
        first_run_id=attributes.first_execution_run_id,
        workflow_type=attributes.workflow_type.name,
        task_queue=attributes.task_queue.name,
        start_time=start_time,
        original_start_time=start_time,
        execution_time=execution_time,
        execution_timeout=length_ns(attributes.workflow_execution_timeout),
        run_timeout=run_timeout,
        task_timeout=length_ns(attributes.workflow_task_timeout),
        create_request_id=identity.request_id,
        run_expiration=run_expiration(execution_time, run_timeout, expiration) if run_timeout else 0,
        execution_expiration=expiration,
        backoff_until=execution_time if backoff else 0,
        request_ids={identity.request_id: (int(EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED), 1)},
        memo={key: payload.SerializeToString() for key, payload in attributes.memo.fields.items()},
        search_attributes={
            key: payload.SerializeToString() for key, payload in attributes.search_attributes.indexed_fields.items()
        },
        retry_policy=retry.with_defaults(attributes.retry_policy) if attributes.HasField("retry_policy") else None,
        attempt=attributes.attempt,
        cron_schedule=attributes.cron_schedule,
        priority=attributes.priority.SerializeToString() if attributes.HasField("priority") else b"",
        user_metadata=user_metadata.SerializeToString() if user_metadata is not None else b"",
        reset_points=reset_points.inherited(attributes.prev_auto_reset_points),
        parent=_parent(attributes) if attributes.HasField("parent_workflow_execution") else None,
        root_workflow_id=attributes.root_workflow_execution.workflow_id,
        root_run_id=attributes.root_workflow_execution.run_id,
    )


def _parent(attributes: WorkflowExecutionStartedEventAttributes) -> Parent:
    return Parent(
        attributes.parent_workflow_namespace_id,
        attributes.parent_workflow_execution.workflow_id,
        attributes.parent_workflow_execution.run_id,
        attributes.parent_initiated_event_id,
    )


def begin(
    identity: Identity,
    attributes: WorkflowExecutionStartedEventAttributes,
    *,
    now: int,
    limits: Limits,
    user_metadata: UserMetadata | None = None,
    links: Iterable[Link] = (),
    then: Callable[[Run], None] | None = None,
    with_task: bool = True,
) -> Run:
    """Makes a run, with its events up to the first scheduled workflow task; with a backoff, only to what comes before.

    Args:
        identity: what the attributes do not tell.
        attributes: of the STARTED event, complete.
        now: nanoseconds since the epoch.
        limits: in force.
        user_metadata: shown with the STARTED event.
        links: kept with it.
        then: writes more events before the workflow task is scheduled.
        with_task: whether it is scheduled at all; if not, somebody else does.
    """
    state = state_of(identity, attributes, now, user_metadata)
    run = Run(state, now, limits, visible=True)
    run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED,
        "workflow_execution_started_event_attributes",
        attributes,
        user_metadata=user_metadata,
        links=links,
    )
    for deadline in (state.run_expiration, state.execution_expiration):
        if deadline:
            run.wake_at(deadline)
    if then is not None:
        then(run)
    if state.backoff_until:
        run.flush()
        run.wake_at(state.backoff_until)
    elif with_task:
        workflow_task.schedule(run)
    return run


def run_expiration(execution_time: int, run_timeout: int, execution_expiration: int) -> int:
    """When a run with a run timeout times out: it is measured from its first workflow task."""
    return min(after(execution_time, run_timeout), execution_expiration or LONGEST)
