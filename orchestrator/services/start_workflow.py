"""StartWorkflowExecution and SignalWithStartWorkflowExecution.

Both decide under the lock of the workflow id's current run, so that starts are linearizable: one open run, and the
id-reuse and id-conflict policies judged against it.
"""

from dataclasses import dataclass

from temporalio.api.enums.v1 import (
    EventType,
    NamespaceState,
    WorkflowExecutionStatus,
    WorkflowIdConflictPolicy,
    WorkflowIdReusePolicy,
)
from temporalio.api.workflowservice.v1 import (
    SignalWithStartWorkflowExecutionRequest,
    SignalWithStartWorkflowExecutionResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
)

from orchestrator.core import closing, search_attributes, signal_requests, signals, start, workflow_task
from orchestrator.core.birth import Identity
from orchestrator.core.run import WORKFLOW, Run
from orchestrator.core.start import Policies, StartRequest
from orchestrator.core.state import ExecutionState
from orchestrator.core.wire import json_payloads
from orchestrator.errors import WorkflowExecutionAlreadyStarted
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.pollers import StartedWorkflowTask
from orchestrator.services.starting import Worker, start_workflow_task
from orchestrator.store.transition import Unit

TERMINATED_BY_START = "TerminateIfRunning WorkflowIdReusePolicy"

_S = WorkflowExecutionStatus
_FAILED = frozenset(
    {
        _S.WORKFLOW_EXECUTION_STATUS_FAILED,
        _S.WORKFLOW_EXECUTION_STATUS_CANCELED,
        _S.WORKFLOW_EXECUTION_STATUS_TERMINATED,
        _S.WORKFLOW_EXECUTION_STATUS_TIMED_OUT,
    }
)


@dataclass(frozen=True, slots=True)
class StartResult:
    """The reply of a start, and the first workflow task when the caller gets it eagerly."""

    response: StartWorkflowExecutionResponse
    eager_task: StartedWorkflowTask | None = None


def start_workflow_execution(
    engine: Engine, namespace: NamespaceEntry, request: StartWorkflowExecutionRequest
) -> Prepared[StartResult]:
    """Starts a workflow, or answers for the run that is there, as the policies say.

    Raises:
        NamespaceInvalidState: the namespace takes no new workflows.
        InvalidArgument: the request is wrong.
        WorkflowExecutionAlreadyStarted: when executed, a policy forbids another run.
    """
    policies = check_start(engine, namespace, request)
    request_id = request.request_id or engine.new_uuid()

    def operation(unit: Unit) -> StartResult:
        current = unit.current_run()
        if current is not None:
            known = same_request(unit, namespace, request, request_id, current)
            if known is not None:
                return known
            existing = judge(engine, namespace, request, request_id, policies, current)
            if existing is not None:
                return StartResult(existing)
        eager = (
            request.request_eager_execution
            and not request.HasField("workflow_start_delay")
            and not request.cron_schedule
        )
        run = begin_run(engine, namespace, request, request_id, unit, current, eager)
        state = run.state
        response = StartWorkflowExecutionResponse(
            run_id=state.run_id,
            first_execution_run_id=state.first_run_id,
            started=True,
            status=_S.WORKFLOW_EXECUTION_STATUS_RUNNING,
            link=start.link_to_start(namespace.name, state.workflow_id, state.run_id),
        )
        return StartResult(response, _start_eagerly(unit, run, request, request_id) if eager else None)

    return Prepared(engine.key(namespace, request.workflow_id), operation, expects_new=True)


def signal_with_start_workflow_execution(
    engine: Engine, namespace: NamespaceEntry, request: SignalWithStartWorkflowExecutionRequest
) -> Prepared[SignalWithStartWorkflowExecutionResponse]:
    """Signals the open run of a workflow id, or starts one whose first event is the signal.

    Raises:
        as `start_workflow_execution`, and what a signal raises.
    """
    policies = check_start(engine, namespace, request)
    request_id = request.request_id or engine.new_uuid()

    def operation(unit: Unit) -> SignalWithStartWorkflowExecutionResponse:
        current = unit.current_run()
        if current is not None:
            state = current.state
            if request.request_id and signal_requests.known(current, request.request_id):
                started = state.create_request_id == request.request_id
                return SignalWithStartWorkflowExecutionResponse(run_id=state.run_id, started=started)
            use = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
            if state.running and policies.conflict == use:
                signals.signal(
                    current,
                    name=request.signal_name,
                    input=request.signal_input if request.HasField("signal_input") else None,
                    identity=request.identity,
                    header=request.header if request.HasField("header") else None,
                    request_id=request.request_id,
                    links=request.links,
                    skip_backoff=True,
                )
                return SignalWithStartWorkflowExecutionResponse(run_id=state.run_id)
            judge(engine, namespace, request, request_id, policies, current)
        run = begin_run(engine, namespace, request, request_id, unit, current, eager=False)
        return SignalWithStartWorkflowExecutionResponse(run_id=run.state.run_id, started=True)

    return Prepared(engine.key(namespace, request.workflow_id), operation)


def check_start(engine: Engine, namespace: NamespaceEntry, request: StartRequest) -> Policies:
    """Checks what does not depend on earlier runs, and resolves the policies.

    Raises:
        NamespaceInvalidState: the namespace takes no new workflows.
        InvalidArgument: the request is wrong.
    """
    namespace.require(NamespaceState.NAMESPACE_STATE_REGISTERED)
    policies = start.check(request, engine.limits)
    start.check_cron(request.cron_schedule, engine.clock())
    fields = request.search_attributes.indexed_fields
    if fields:
        search_attributes.validate(fields, namespace.search_attributes, namespace.name, engine.limits)
        search_attributes.check_size(fields, engine.limits)
    return policies


def same_request(
    unit: Unit, namespace: NamespaceEntry, request: StartWorkflowExecutionRequest, request_id: str, current: Run
) -> StartResult | None:
    """The answer to the repetition of a request the current run knows."""
    state = current.state
    known = state.request_ids.get(request_id)
    if known is None:
        return None
    event_type, _ = known
    created = event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED
    link = (
        start.link_to_start(namespace.name, state.workflow_id, state.run_id)
        if created
        else start.link_to_request(namespace.name, state.workflow_id, state.run_id, request_id, event_type)
    )
    response = StartWorkflowExecutionResponse(
        run_id=state.run_id,
        first_execution_run_id=state.first_run_id,
        started=created,
        status=state.status,  # type: ignore[arg-type]
        link=link,
    )
    return StartResult(response)


def judge(
    engine: Engine,
    namespace: NamespaceEntry,
    request: StartRequest,
    request_id: str,
    policies: Policies,
    current: Run,
) -> StartWorkflowExecutionResponse | None:
    """Raises when the policies forbid a new run; the reply when the open one is used; None when one may begin."""
    use = WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
    if current.state.running and policies.conflict == use:
        return _use_existing(namespace, request, request_id, current)
    check_policies(current.state, policies)
    return None


def check_policies(state: ExecutionState, policies: Policies) -> None:
    """Raises WorkflowExecutionAlreadyStarted when the policies forbid a new run beside, or after, the current one."""
    ids = f"WorkflowId: {state.workflow_id}, RunId: {state.run_id}."
    if state.running:
        if policies.conflict == WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING:
            return
        raise WorkflowExecutionAlreadyStarted(
            f"Workflow execution is already running. {ids}", state.create_request_id, state.run_id
        )
    reuse = policies.reuse
    if reuse == WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE:
        raise WorkflowExecutionAlreadyStarted(
            f"Workflow execution already finished. {ids} Workflow Id reuse policy: reject duplicate workflow Id.",
            state.create_request_id,
            state.run_id,
        )
    only_failed = WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY
    if reuse == only_failed and state.status not in _FAILED:
        raise WorkflowExecutionAlreadyStarted(
            f"Workflow execution already finished successfully. {ids} "
            "Workflow Id reuse policy: allow duplicate workflow Id if last run failed.",
            state.create_request_id,
            state.run_id,
        )


def terminate_for(current: Run, run_id: str) -> None:
    """Ends an open run that must give way to a new one."""
    if current.state.running:
        closing.terminate(
            current,
            reason=TERMINATED_BY_START,
            details=json_payloads(f"terminated by new runID: {run_id}"),
            identity=workflow_task.SERVER_IDENTITY,
        )


def _use_existing(
    namespace: NamespaceEntry, request: StartRequest, request_id: str, current: Run
) -> StartWorkflowExecutionResponse:
    state = current.state
    link = start.link_to_start(namespace.name, state.workflow_id, state.run_id)
    if isinstance(request, StartWorkflowExecutionRequest) and request.HasField("on_conflict_options"):
        options = request.on_conflict_options
        if options.attach_request_id:
            signals.attach_request(current, request_id=request_id, links=request.links if options.attach_links else ())
            link = start.link_to_request(
                namespace.name,
                state.workflow_id,
                state.run_id,
                request_id,
                EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
            )
    return StartWorkflowExecutionResponse(
        run_id=state.run_id,
        first_execution_run_id=state.first_run_id,
        status=_S.WORKFLOW_EXECUTION_STATUS_RUNNING,
        link=link,
    )


def begin_run(
    engine: Engine,
    namespace: NamespaceEntry,
    request: StartRequest,
    request_id: str,
    unit: Unit,
    current: Run | None,
    eager: bool,
) -> Run:
    """Terminates an open run that must give way, and begins the new one."""
    identity = Identity(namespace.id, engine.new_uuid(), request_id)
    if current is not None:
        terminate_for(current, identity.run_id)
    given = request.search_attributes.indexed_fields
    typed = search_attributes.typed(given, namespace.search_attributes).indexed_fields if given else {}
    attributes = {
        key: payload.SerializeToString() for key, payload in typed.items() if not search_attributes.is_empty(payload)
    }
    run = start.begin(
        request,
        identity,
        now=unit.now,
        limits=engine.limits,
        memo=start.without_nulls(request.memo.fields) if request.HasField("memo") else {},
        search_attributes=attributes,
        eager=eager,
    )
    unit.begin(run)
    return run


def _start_eagerly(
    unit: Unit, run: Run, request: StartWorkflowExecutionRequest, request_id: str
) -> StartedWorkflowTask:
    """The caller is the worker of the first workflow task."""
    dispatch = run.dispatches.pop()
    assert dispatch.kind == WORKFLOW
    return start_workflow_task(unit, run, dispatch.scheduled_event_id, None, request_id, Worker(request.identity))
