"""What goes on after a run: continue-as-new, the workflow's retry policy, and its cron schedule.

The next run begins in the transition that closes the one before and becomes the current run of the workflow id. Its
STARTED event inherits what the chain keeps: first run, execution expiration, retry policy, reset points, priority.
"""

from temporalio.api.command.v1 import ContinueAsNewWorkflowExecutionCommandAttributes
from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import ContinueAsNewInitiator, EventType, RetryState, WorkflowExecutionStatus
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import (
    WorkflowExecutionContinuedAsNewEventAttributes,
    WorkflowExecutionStartedEventAttributes,
)

from orchestrator.core import birth, closing, cron, reset_points, retry, signal_requests
from orchestrator.core.birth import Identity
from orchestrator.core.run import Run
from orchestrator.core.wire import LONGEST, SECOND, after, duration, length_ns, optional_duration
from orchestrator.core.workflow_task import queue_message

SHORTEST_RUN = SECOND
"""Runs of one chain begin at most this often: the next one waits for what is left of it."""

INHERITED_REQUEST_IDS = 1000
"""Signals of each kind that a next run still recognises: one may be on its way a second time."""

_I = ContinueAsNewInitiator


def continue_as_new(
    run: Run, attributes: ContinueAsNewWorkflowExecutionCommandAttributes, completed_event_id: int
) -> None:
    """Closes a run with CONTINUED_AS_NEW and begins the next one with what the command says.

    What the command leaves out is taken from the run: type, task queue, run and task timeout; nothing else is.
    """
    state = run.state
    run_timeout = length_ns(attributes.workflow_run_timeout) or state.run_timeout
    if state.execution_timeout:
        run_timeout = min(run_timeout or LONGEST, state.execution_timeout)
    task_timeout = length_ns(attributes.workflow_task_timeout) or state.task_timeout
    task_timeout = min(task_timeout, run.limits.maximum_workflow_task_timeout, run_timeout or LONGEST)
    workflow_type = attributes.workflow_type.name or state.workflow_type
    queue = attributes.task_queue.name or state.task_queue
    requested = length_ns(attributes.backoff_start_interval)
    backoff = max(requested, SHORTEST_RUN - (run.now - state.execution_time), 0)
    policy = retry.with_defaults(attributes.retry_policy) if attributes.HasField("retry_policy") else None
    started = _inherited(run, _I.CONTINUE_AS_NEW_INITIATOR_WORKFLOW, backoff)
    started.workflow_type.name = workflow_type
    started.task_queue.CopyFrom(queue_message(queue))
    started.workflow_task_timeout.CopyFrom(duration(task_timeout))
    started.attempt = 1
    started.cron_schedule = attributes.cron_schedule
    started.workflow_run_timeout.CopyFrom(duration(run_timeout))
    started.ClearField("priority")
    if state.priority:
        started.priority.ParseFromString(state.priority)
    if policy is not None:
        started.retry_policy.CopyFrom(retry.message(policy))
    for field in ("input", "header", "memo", "search_attributes", "last_completion_result"):
        if attributes.HasField(field):
            getattr(started, field).CopyFrom(getattr(attributes, field))
    if attributes.HasField("failure"):
        started.continued_failure.CopyFrom(attributes.failure)
    successor = _begin(run, started)
    event = WorkflowExecutionContinuedAsNewEventAttributes(
        new_execution_run_id=successor.state.run_id,
        workflow_type=started.workflow_type,
        task_queue=started.task_queue,
        input=attributes.input if attributes.HasField("input") else None,
        workflow_run_timeout=duration(run_timeout),
        workflow_task_timeout=duration(task_timeout),
        workflow_task_completed_event_id=completed_event_id,
        backoff_start_interval=optional_duration(requested),
        initiator=attributes.initiator,
        failure=attributes.failure if attributes.HasField("failure") else None,
        last_completion_result=(
            attributes.last_completion_result if attributes.HasField("last_completion_result") else None
        ),
        header=attributes.header if attributes.HasField("header") else None,
        memo=attributes.memo if attributes.HasField("memo") else None,
        search_attributes=attributes.search_attributes if attributes.HasField("search_attributes") else None,
        inherit_build_id=attributes.inherit_build_id,
    )
    run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
        "workflow_execution_continued_as_new_event_attributes",
        event,
    )
    run.successor = successor
    closing.close(run, WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW)


def complete(run: Run, result: Payloads | None, completed_event_id: int) -> None:
    """The workflow returned; with a cron schedule the next run begins."""
    successor = _next_tick(run, None, result)
    run.successor = successor
    closing.complete(run, result, completed_event_id, _run_id(successor))


def fail(run: Run, failure: Failure, completed_event_id: int) -> None:
    """The workflow raised: it is tried again, or waits for its next cron tick, or is over."""
    successor, retry_state = _after_failure(run, failure)
    run.successor = successor
    closing.fail(run, failure, retry_state, completed_event_id, _run_id(successor))


def time_out(run: Run) -> None:
    """A run timeout or the execution timeout passed; only the former leaves time for another run."""
    state = run.state
    if state.execution_expiration and state.execution_expiration <= run.now:
        closing.time_out(run, RetryState.RETRY_STATE_TIMEOUT)
        return
    successor, retry_state = _after_failure(run, closing.timeout_failure())
    run.successor = successor
    closing.time_out(run, retry_state, _run_id(successor))


def _after_failure(run: Run, failure: Failure) -> tuple[Run | None, RetryState.ValueType]:
    """The next run after a failure, and the retry state of this one."""
    state, policy = run.state, run.state.retry_policy
    retry_state: RetryState.ValueType = RetryState.RETRY_STATE_RETRY_POLICY_NOT_SET
    if policy is not None:
        delay, retry_state = retry.next_delay(policy, state.attempt, failure, run.now, state.execution_expiration)
        if retry_state == RetryState.RETRY_STATE_IN_PROGRESS:
            started = _again(run, _I.CONTINUE_AS_NEW_INITIATOR_RETRY, max(delay, SHORTEST_RUN - _lifetime(run)))
            started.attempt = state.attempt + 1
            started.continued_failure.CopyFrom(failure)
            return _begin(run, started), retry_state
    return _next_tick(run, failure, None), retry_state


def _next_tick(run: Run, failure: Failure | None, result: Payloads | None) -> Run | None:
    """The run of the next cron tick; None without a schedule, or when the execution expires before."""
    state = run.state
    if not state.cron_schedule:
        return None
    try:
        schedule = cron.parse(state.cron_schedule)
    except cron.CronError:  # Continue-as-new takes any text, as a Temporal server does; a bad one never ticks.
        return None
    delay = cron.backoff(schedule, state.execution_time, run.now)
    if not delay or (state.execution_expiration and run.now + delay > state.execution_expiration):
        return None
    started = _again(run, _I.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE, delay)
    started.attempt = 1
    if result is not None:
        started.last_completion_result.CopyFrom(result)
    if failure is not None:
        started.continued_failure.CopyFrom(failure)
    return _begin(run, started)


def _again(
    run: Run, initiator: ContinueAsNewInitiator.ValueType, backoff: int
) -> WorkflowExecutionStartedEventAttributes:
    """STARTED of a run that does the same once more."""
    before = run.event(1).workflow_execution_started_event_attributes
    started = _inherited(run, initiator, backoff)
    started.workflow_type.CopyFrom(before.workflow_type)
    started.task_queue.CopyFrom(before.task_queue)
    started.cron_schedule = before.cron_schedule
    for field in (
        "input",
        "header",
        "memo",
        "search_attributes",
        "workflow_run_timeout",
        "workflow_task_timeout",
        "retry_policy",
        "last_completion_result",
    ):
        if before.HasField(field):
            getattr(started, field).CopyFrom(getattr(before, field))
    return started


def _inherited(
    run: Run, initiator: ContinueAsNewInitiator.ValueType, backoff: int
) -> WorkflowExecutionStartedEventAttributes:
    """What every next run of a chain has from the one before."""
    state = run.state
    before = run.event(1).workflow_execution_started_event_attributes
    reset_points.expire(state, after(run.now, run.retention()))
    started = WorkflowExecutionStartedEventAttributes(
        workflow_id=state.workflow_id,
        original_execution_run_id=run.new_id(),
        first_execution_run_id=state.first_run_id,
        continued_execution_run_id=state.run_id,
        initiator=initiator,
        workflow_execution_timeout=optional_duration(state.execution_timeout),
        workflow_execution_expiration_time=(
            before.workflow_execution_expiration_time if before.HasField("workflow_execution_expiration_time") else None
        ),
        first_workflow_task_backoff=optional_duration(backoff),
        priority=before.priority if before.HasField("priority") else None,
        prev_auto_reset_points=reset_points.message(state) if state.reset_points else None,
    )
    for field in ("parent_workflow_execution", "root_workflow_execution"):
        if before.HasField(field):
            getattr(started, field).CopyFrom(getattr(before, field))
    started.parent_workflow_namespace = before.parent_workflow_namespace
    started.parent_workflow_namespace_id = before.parent_workflow_namespace_id
    started.parent_initiated_event_id = before.parent_initiated_event_id
    started.parent_initiated_event_version = before.parent_initiated_event_version
    return started


def _begin(run: Run, started: WorkflowExecutionStartedEventAttributes) -> Run:
    before = run.event(1)
    identity = Identity(run.state.namespace_id, started.original_execution_run_id, run.new_id())
    successor = birth.begin(
        identity,
        started,
        now=run.now,
        limits=run.limits,
        user_metadata=before.user_metadata if before.HasField("user_metadata") else None,
        links=before.links,
    )
    successor.state.original_start_time = run.state.original_start_time
    signal_requests.hand_on(run, successor, INHERITED_REQUEST_IDS)
    successor.state.external_request_ids = run.state.external_request_ids[-INHERITED_REQUEST_IDS:]
    return successor


def _run_id(successor: Run | None) -> str:
    return successor.state.run_id if successor is not None else ""


def _lifetime(run: Run) -> int:
    return run.now - run.state.execution_time
