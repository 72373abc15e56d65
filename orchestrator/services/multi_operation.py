"""ExecuteMultiOperation: an update, and the start of its workflow where there is no run for it, in one commit."""

from temporalio.api.enums.v1 import WorkflowExecutionStatus, WorkflowIdConflictPolicy
from temporalio.api.update.v1 import Request
from temporalio.api.workflowservice.v1 import (
    ExecuteMultiOperationRequest,
    ExecuteMultiOperationResponse,
    StartWorkflowExecutionRequest,
    StartWorkflowExecutionResponse,
    UpdateWorkflowExecutionRequest,
)

from orchestrator.core import start, update
from orchestrator.core.run import Run
from orchestrator.core.start import Policies
from orchestrator.errors import (
    Aborted,
    DeadlineExceeded,
    InvalidArgument,
    MultiOperationFailed,
    OperationAborted,
    ServiceError,
    WorkflowClosed,
)
from orchestrator.services.await_update import Patience, Seen, patience_of, result
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.start_workflow import begin_run, check_start, judge, same_request
from orchestrator.services.update_workflow import attach, check_request, request_of, response_of
from orchestrator.store.transition import Unit

ATTEMPTS = 2
"""How often an update is sent that was aborted because its run closed."""

_S = WorkflowExecutionStatus
_Reply = ExecuteMultiOperationResponse.Response


async def execute_multi_operation(
    engine: Engine, namespace: NamespaceEntry, request: ExecuteMultiOperationRequest, *, deadline: float | None
) -> ExecuteMultiOperationResponse:
    """Updates the open run of a workflow id, or starts one that has the update from its beginning.

    Args:
        engine: the surroundings.
        namespace: of the workflow.
        request: a start and an update, in this order.
        deadline: of the caller, in seconds of the event loop's clock.

    Raises:
        InvalidArgument: it is not a start and an update.
        MultiOperationFailed: one of them is refused or fails; then neither takes place.
        DeadlineExceeded: the caller's time is up.
    """
    kinds = [each.WhichOneof("operation") for each in request.operations]
    if kinds != ["start_workflow", "update_workflow"]:
        raise InvalidArgument("Operations have to be exactly [Start, Update].")
    first, second = request.operations[0].start_workflow, request.operations[1].update_workflow
    both = _Both(engine, namespace, request.namespace, first, second, deadline)
    for _ in range(ATTEMPTS):
        prepared: Prepared[tuple[StartWorkflowExecutionResponse, Seen]] = Prepared(
            engine.key(namespace, first.workflow_id), both.operation, fresh=engine.peers.connected
        )
        started, seen = await engine.execute(prepared)
        try:
            news = await result(engine, prepared.key, seen, both.patience, both.change)
        except DeadlineExceeded:
            raise
        except ServiceError as error:
            raise _update_failed(error) from None
        if not news.aborted:
            updated = response_of(first.workflow_id, seen, news)
            return ExecuteMultiOperationResponse(
                responses=[_Reply(start_workflow=started), _Reply(update_workflow=updated)]
            )
    raise _update_failed(Aborted(update.ABORTED))


class _Both:
    """The two operations, checked."""

    policies: Policies
    change: Request
    patience: Patience

    def __init__(
        self,
        engine: Engine,
        namespace: NamespaceEntry,
        namespace_name: str,
        first: StartWorkflowExecutionRequest,
        second: UpdateWorkflowExecutionRequest,
        deadline: float | None,
    ) -> None:
        self._engine, self._namespace, self._start = engine, namespace, first
        try:
            self.policies = _check_start(engine, namespace, namespace_name, first)
        except ServiceError as error:
            raise _start_failed(error) from None
        try:
            stage = _check_update(engine, namespace_name, first, second)
        except ServiceError as error:
            raise _update_failed(error) from None
        self.change = request_of(engine, second)
        self.patience = patience_of(engine, stage, deadline)
        self._request_id = first.request_id or engine.new_uuid()

    def operation(self, unit: Unit) -> tuple[StartWorkflowExecutionResponse, Seen]:
        """Does both within one transition."""
        try:
            run, response = self._run(unit)
        except ServiceError as error:
            raise _start_failed(error) from None
        try:
            return response, attach(self._engine, unit, run, self.change, self.patience)
        except WorkflowClosed:
            raise _update_failed(Aborted(update.ABORTED)) from None
        except ServiceError as error:
            raise _update_failed(error) from None

    def _run(self, unit: Unit) -> tuple[Run, StartWorkflowExecutionResponse]:
        """The run that gets the update: the current one, or a new one."""
        engine, namespace, request = self._engine, self._namespace, self._start
        current = unit.current_run()
        if current is not None:
            repeated = same_request(unit, namespace, request, self._request_id, current)
            if repeated is not None:
                return current, repeated.response
            state = current.state
            update_id = self.change.meta.update_id
            known = update_id in state.completed_updates or (state.running and update_id in state.updates)
            use = self.policies.conflict == WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_USE_EXISTING
            if known and not (state.running and use):
                response = StartWorkflowExecutionResponse(
                    run_id=state.run_id,
                    first_execution_run_id=state.first_run_id,
                    status=state.status,  # type: ignore[arg-type]
                    link=start.link_to_start(namespace.name, state.workflow_id, state.run_id),
                )
                return current, response
            used = judge(engine, namespace, request, self._request_id, self.policies, current)
            if used is not None:
                return current, used
        run = begin_run(engine, namespace, request, self._request_id, unit, current, eager=False)
        response = StartWorkflowExecutionResponse(
            run_id=run.state.run_id,
            first_execution_run_id=run.state.first_run_id,
            started=True,
            status=_S.WORKFLOW_EXECUTION_STATUS_RUNNING,
            link=start.link_to_start(namespace.name, run.state.workflow_id, run.state.run_id),
        )
        return run, response


def _check_start(
    engine: Engine, namespace: NamespaceEntry, namespace_name: str, request: StartWorkflowExecutionRequest
) -> Policies:
    _check_namespace(request.namespace, namespace_name)
    policies = check_start(engine, namespace, request)
    if request.cron_schedule:
        raise InvalidArgument("CronSchedule is not allowed.")
    if request.request_eager_execution:
        raise InvalidArgument("RequestEagerExecution is not supported.")
    if request.HasField("workflow_start_delay"):
        raise InvalidArgument("WorkflowStartDelay is not supported.")
    return policies


def _check_update(
    engine: Engine,
    namespace_name: str,
    started: StartWorkflowExecutionRequest,
    request: UpdateWorkflowExecutionRequest,
) -> int:
    _check_namespace(request.namespace, namespace_name)
    stage = check_request(engine, request)
    if request.workflow_execution.run_id:
        raise InvalidArgument("RunId is not allowed.")
    if request.first_execution_run_id:
        raise InvalidArgument("FirstExecutionRunId is not allowed.")
    if request.workflow_execution.workflow_id != started.workflow_id:
        raise InvalidArgument("WorkflowId is not consistent with previous operation(s).")
    return stage


def _check_namespace(name: str, expected: str) -> None:
    if name != expected:
        raise InvalidArgument("Operation namespace did not match request's namespace.")


def _start_failed(error: ServiceError) -> MultiOperationFailed:
    return MultiOperationFailed([error, OperationAborted()])


def _update_failed(error: ServiceError) -> MultiOperationFailed:
    return MultiOperationFailed([OperationAborted(), error])
