"""Starting a run: the checks of a start request, and the first events."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial

from temporalio.api.common.v1 import Link, Memo, Payload, Payloads, SearchAttributes
from temporalio.api.enums.v1 import (
    ContinueAsNewInitiator,
    EventType,
    VersioningBehavior,
    WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy,
)
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import WorkflowExecutionStartedEventAttributes
from temporalio.api.workflowservice.v1 import (
    SignalWithStartWorkflowExecutionRequest,
    StartWorkflowExecutionRequest,
)

from orchestrator.core import birth, cron, priority, retry, signals, workflow_task
from orchestrator.core.birth import Identity
from orchestrator.core.limits import Limits
from orchestrator.core.request_checks import check_links, check_name, check_task_queue, duration_problem
from orchestrator.core.run import Run
from orchestrator.core.wire import LONGEST, after, duration, length_ns, optional_duration, timestamp
from orchestrator.errors import FailedPrecondition, InvalidArgument, Unimplemented

StartRequest = StartWorkflowExecutionRequest | SignalWithStartWorkflowExecutionRequest

_R = WorkflowIdReusePolicy
_C = WorkflowIdConflictPolicy


@dataclass(frozen=True, slots=True)
class Policies:
    """What to do about an earlier run of the same workflow id."""

    reuse: WorkflowIdReusePolicy.ValueType
    conflict: WorkflowIdConflictPolicy.ValueType


def check(request: StartRequest, limits: Limits) -> Policies:
    """Checks a start request and resolves its policies; raises InvalidArgument for the first thing wrong."""
    if not request.workflow_id:
        raise InvalidArgument("WorkflowId is not set on request.")
    check_name(request.workflow_id, "WorkflowId", limits)
    if isinstance(request, SignalWithStartWorkflowExecutionRequest):
        if not request.signal_name:
            raise InvalidArgument("SignalName is not set on request.")
        check_name(request.signal_name, "SignalName", limits)
    if request.HasField("retry_policy"):
        retry.validate(request.retry_policy)
    if request.cron_schedule and request.HasField("workflow_start_delay"):
        raise InvalidArgument("CronSchedule and WorkflowStartDelay may not be used together.")
    for name, timeout in (
        ("Execution", request.workflow_execution_timeout),
        ("Run", request.workflow_run_timeout),
        ("Task", request.workflow_task_timeout),
    ):
        if problem := duration_problem(timeout):
            raise InvalidArgument(f"An invalid Workflow{name}TimeoutSeconds is set on request. cause: {problem}")
    if problem := duration_problem(request.workflow_start_delay):
        raise InvalidArgument(f"An invalid WorkflowStartDelaySeconds is set on request. cause: {problem}")
    if not request.workflow_type.name:
        raise InvalidArgument("WorkflowType is not set on request.")
    check_name(request.workflow_type.name, "WorkflowType", limits)
    check_task_queue(request.task_queue if request.HasField("task_queue") else None, limits)
    check_name(request.request_id, "RequestId", limits)
    policies = _policies(request)
    if request.HasField("priority"):
        priority.validate(request.priority)
    if request.links:
        check_links(request.links, limits)
    if isinstance(request, StartWorkflowExecutionRequest):
        _check_callbacks(request)
    _check_versioning(request)
    if request.HasField("time_skipping_config"):
        raise Unimplemented("The Time-Skipping feature is not enabled for namespace.")
    _check_sizes(request, limits)
    return policies


def check_cron(schedule: str, now: int) -> None:
    """Checks the cron schedule of a start at a time in nanoseconds since the epoch; raises InvalidArgument."""
    if not schedule:
        return
    try:
        following = cron.parse(schedule).next(now)
    except cron.CronError:
        raise InvalidArgument("invalid CronSchedule.") from None
    if not following:
        raise InvalidArgument("invalid CronSchedule, no time can be found to satisfy the schedule")


def begin(
    request: StartRequest,
    identity: Identity,
    *,
    now: int,
    limits: Limits,
    memo: dict[str, bytes],
    search_attributes: dict[str, bytes],
    eager: bool = False,
) -> Run:
    """Makes a run of a checked request, with the events up to its first scheduled workflow task.

    Args:
        request: checked.
        identity: the names of the run.
        now: nanoseconds since the epoch.
        limits: in force.
        memo: serialized payloads, without null values.
        search_attributes: serialized payloads, checked, without null values.
        eager: whether the first workflow task is handed to the caller; it is then scheduled, and the caller of this
            function starts it in the same transition.
    """
    execution_timeout = length_ns(request.workflow_execution_timeout)
    run_timeout = length_ns(request.workflow_run_timeout)
    if execution_timeout and (not run_timeout or run_timeout > execution_timeout):
        run_timeout = execution_timeout
    task_timeout = length_ns(request.workflow_task_timeout) or limits.default_workflow_task_timeout
    task_timeout = min(task_timeout, limits.maximum_workflow_task_timeout, run_timeout or LONGEST)
    failure, result = _inherited(request)
    backoff, initiator = (
        length_ns(request.workflow_start_delay),
        ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_UNSPECIFIED,
    )
    if request.cron_schedule:
        backoff = cron.backoff(cron.parse(request.cron_schedule), now, now)
        initiator = ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_CRON_SCHEDULE
    policy = retry.with_defaults(request.retry_policy) if request.HasField("retry_policy") else None
    attributes = WorkflowExecutionStartedEventAttributes(
        workflow_type=request.workflow_type,
        task_queue=workflow_task.queue_message(request.task_queue.name),
        input=request.input if request.HasField("input") else None,
        workflow_execution_timeout=optional_duration(execution_timeout),
        workflow_run_timeout=optional_duration(run_timeout),
        workflow_task_timeout=duration(task_timeout),
        original_execution_run_id=identity.run_id,
        first_execution_run_id=identity.run_id,
        identity=request.identity,
        retry_policy=retry.message(policy) if policy is not None else None,
        attempt=1,
        workflow_execution_expiration_time=timestamp(after(now, execution_timeout)) if execution_timeout else None,
        first_workflow_task_backoff=duration(backoff),
        cron_schedule=request.cron_schedule,
        initiator=initiator,
        memo=_memo(memo),
        search_attributes=_search_attributes(search_attributes),
        header=request.header if request.HasField("header") else None,
        workflow_id=request.workflow_id,
        priority=request.priority if request.HasField("priority") else None,
        continued_failure=failure,
        last_completion_result=result,
        eager_execution_accepted=eager,
    )
    return birth.begin(
        identity,
        attributes,
        now=now,
        limits=limits,
        user_metadata=request.user_metadata if request.HasField("user_metadata") else None,
        links=request.links if isinstance(request, StartWorkflowExecutionRequest) else (),
        then=partial(_signal, request) if isinstance(request, SignalWithStartWorkflowExecutionRequest) else None,
    )


def _signal(request: SignalWithStartWorkflowExecutionRequest, run: Run) -> None:
    """Writes the signal a run begins with."""
    state = run.state
    if request.request_id:
        state.signal_request_ids.append(request.request_id)
    state.signals = 1
    signals.add_signaled(
        run,
        name=request.signal_name,
        input=request.signal_input if request.HasField("signal_input") else None,
        identity=request.identity,
        header=request.header if request.HasField("header") else None,
        links=request.links,
    )


def without_nulls(fields: Mapping[str, Payload]) -> dict[str, bytes]:
    """Serialized payloads by key, without those that hold nothing."""
    return {key: payload.SerializeToString() for key, payload in fields.items() if not is_null(payload)}


def is_null(payload: Payload) -> bool:
    """Whether a payload holds no value, which deletes its key."""
    encoding = payload.metadata.get("encoding", b"")
    return encoding == b"binary/null" or (encoding == b"json/plain" and payload.data == b"null")


def _inherited(request: StartRequest) -> tuple[Failure | None, Payloads | None]:
    """The failure and the result of an earlier run, which a start may hand to the new one."""
    if not isinstance(request, StartWorkflowExecutionRequest):
        return None, None
    return (
        request.continued_failure if request.HasField("continued_failure") else None,
        request.last_completion_result if request.HasField("last_completion_result") else None,
    )


def _memo(fields: dict[str, bytes]) -> Memo | None:
    if not fields:
        return None
    return Memo(fields={key: Payload.FromString(value) for key, value in fields.items()})


def _search_attributes(fields: dict[str, bytes]) -> SearchAttributes | None:
    if not fields:
        return None
    return SearchAttributes(indexed_fields={key: Payload.FromString(value) for key, value in fields.items()})


def _policies(request: StartRequest) -> Policies:
    signal = isinstance(request, SignalWithStartWorkflowExecutionRequest)
    reuse, conflict = request.workflow_id_reuse_policy, request.workflow_id_conflict_policy
    if signal and conflict == _C.WORKFLOW_ID_CONFLICT_POLICY_FAIL:
        raise InvalidArgument(
            "Invalid WorkflowIDConflictPolicy: WORKFLOW_ID_CONFLICT_POLICY_FAIL is not supported for this operation."
        )
    if reuse == _R.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING:
        if conflict:
            raise InvalidArgument(
                "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING cannot be used together "
                "with a WorkflowIDConflictPolicy"
            )
        return Policies(_R.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, _C.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING)
    if (
        reuse == _R.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
        and conflict == _C.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
    ):
        raise InvalidArgument(
            "Invalid WorkflowIDReusePolicy: WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE cannot be used together with "
            "WorkflowIdConflictPolicy WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING"
        )
    fallback = _C.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING if signal else _C.WORKFLOW_ID_CONFLICT_POLICY_FAIL
    return Policies(reuse or _R.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, conflict or fallback)


def _check_callbacks(request: StartWorkflowExecutionRequest) -> None:
    if request.on_conflict_options.attach_completion_callbacks and not request.on_conflict_options.attach_request_id:
        raise InvalidArgument("attaching request ID is required for attaching completion callbacks")
    for callback in request.completion_callbacks:
        if callback.WhichOneof("variant") is None:
            raise Unimplemented("unknown callback variant: <nil>")
        url = callback.nexus.url
        if not url.startswith(("http://", "https://")):
            raise InvalidArgument(f"invalid url: unknown scheme: {url}")
        # No address is allowed: this server calls nobody back.
        raise InvalidArgument(f"invalid url: url does not match any configured callback address: {url}")


def _check_versioning(request: StartRequest) -> None:
    """A run can only be pinned to a version of a worker deployment, and this server knows none."""
    override = request.versioning_override
    if override.HasField("one_time"):
        raise Unimplemented("One-time versioning overrides are not supported by this server.")
    deprecated = override.pinned_version
    if not override.HasField("pinned") and override.behavior != VersioningBehavior.VERSIONING_BEHAVIOR_PINNED:
        return
    version = override.pinned.version
    name = f"{version.deployment_name}:{version.build_id}" if override.pinned.HasField("version") else deprecated
    if not name:
        raise InvalidArgument("must provide version if override is pinned.")
    raise FailedPrecondition(
        f"Pinned version '{name}' is not present in task queue '{request.task_queue.name}' of type 'Workflow'"
    )


def _check_sizes(request: StartRequest, limits: Limits) -> None:
    if request.memo.ByteSize() > limits.memo_size:
        raise InvalidArgument("Memo size exceeds limit.")
    inputs: list[Payloads] = [request.input]
    if isinstance(request, SignalWithStartWorkflowExecutionRequest):
        inputs.append(request.signal_input)
    if any(each.ByteSize() > limits.blob_size for each in inputs):
        raise InvalidArgument("Blob data size exceeds limit.")


def link_to_start(namespace: str, workflow_id: str, run_id: str) -> Link:
    """The link to the first event of a run."""
    return Link(
        workflow_event=Link.WorkflowEvent(
            namespace=namespace,
            workflow_id=workflow_id,
            run_id=run_id,
            event_ref=Link.WorkflowEvent.EventReference(
                event_id=1, event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
            ),
        )
    )


def link_to_request(namespace: str, workflow_id: str, run_id: str, request_id: str, event_type: int) -> Link:
    """The link to the event a request left in a run."""
    return Link(
        workflow_event=Link.WorkflowEvent(
            namespace=namespace,
            workflow_id=workflow_id,
            run_id=run_id,
            request_id_ref=Link.WorkflowEvent.RequestIdReference(request_id=request_id, event_type=event_type),  # type: ignore[arg-type]
        )
    )
