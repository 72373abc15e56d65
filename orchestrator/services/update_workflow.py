"""UpdateWorkflowExecution and PollWorkflowExecutionUpdate.

Both look at the update under the run's lock, and wait for a stage when it has not reached it. A wait ends with the
present stage after a while, so that a caller asks again. An update that was aborted because its run closed is tried
once more on the run that goes on, unless the caller named the run.
"""

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.update.v1 import Request, UpdateRef, WaitPolicy
from temporalio.api.workflowservice.v1 import (
    PollWorkflowExecutionUpdateRequest,
    PollWorkflowExecutionUpdateResponse,
    UpdateWorkflowExecutionRequest,
    UpdateWorkflowExecutionResponse,
)

from orchestrator.core import update
from orchestrator.core.request_checks import check_execution, check_name
from orchestrator.core.run import Run
from orchestrator.core.update_news import ADMITTED, COMPLETED, News
from orchestrator.errors import (
    InvalidArgument,
    NotFound,
    PermissionDenied,
    WorkflowClosed,
    WorkflowClosing,
)
from orchestrator.services.await_update import Patience, Seen, patience_of, result, seen_of, unknown
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.store.transition import Unit

_CONTINUED = WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW


async def update_workflow_execution(
    engine: Engine, namespace: NamespaceEntry, request: UpdateWorkflowExecutionRequest, *, deadline: float | None
) -> UpdateWorkflowExecutionResponse:
    """Sends an update to a run and waits until it is accepted or completed; a repeated update id is the same update.

    Args:
        engine: the surroundings.
        namespace: of the workflow.
        request: the update and the stage to wait for.
        deadline: of the caller, in seconds of the event loop's clock.

    Raises:
        InvalidArgument, PermissionDenied: the request is wrong.
        NotFound: no such run, not of the chain the caller means, or it closed before the update was accepted.
        WorkflowNotReady: its workflow task fails.
        WorkflowClosing: the run is trying to close, or goes on as another one than the caller named.
        ResourceExhausted, FailedPrecondition: the run takes no more updates.
        DeadlineExceeded: the caller's time is up.
    """
    stage = check_request(engine, request)
    check_execution(request.workflow_execution if request.HasField("workflow_execution") else None)
    execution = request.workflow_execution
    change = request_of(engine, request)
    key = engine.key(namespace, execution.workflow_id)
    patience = patience_of(engine, stage, deadline)
    aborted_in = ""
    while True:

        def operation(unit: Unit, aborted_in: str = aborted_in) -> Seen:
            run = unit.run()
            if run.state.run_id == aborted_in:
                raise _aborted(run)
            if request.first_execution_run_id and run.state.first_run_id != request.first_execution_run_id:
                raise NotFound("workflow execution not found")
            return attach(engine, unit, run, change, patience)

        prepared: Prepared[Seen] = Prepared(key, operation, execution.run_id, fresh=engine.peers.connected)
        seen = await engine.execute(prepared)
        news = await result(engine, key, seen, patience, change)
        if not news.aborted:
            return response_of(execution.workflow_id, seen, news)
        aborted_in = seen.run_id


async def poll_workflow_execution_update(
    engine: Engine, namespace: NamespaceEntry, request: PollWorkflowExecutionUpdateRequest, *, deadline: float | None
) -> PollWorkflowExecutionUpdateResponse:
    """Waits for a stage of an update that was sent earlier; without a stage, tells the present one.

    Raises:
        InvalidArgument: the request is wrong.
        NotFound: no such run, or it knows no such update; one it has rejected is not known.
        DeadlineExceeded: the caller's time is up.
    """
    if not request.HasField("update_ref"):
        raise InvalidArgument("UpdateRef is not set on request.")
    reference = request.update_ref
    workflow_id, run_id = reference.workflow_execution.workflow_id, reference.workflow_execution.run_id
    if not workflow_id:
        raise InvalidArgument("Can't load workflow execution.  WorkflowId not set.")
    check_execution(reference.workflow_execution)
    patience = patience_of(engine, _reachable(int(request.wait_policy.lifecycle_stage)), deadline)

    def operation(unit: Unit) -> Seen:
        run = unit.run()
        news = update.look(run, reference.update_id)
        if news is None:
            raise unknown(reference.update_id)
        return seen_of(engine, unit, run, reference.update_id, news, patience)

    key = engine.key(namespace, workflow_id)
    prepared: Prepared[Seen] = Prepared(key, operation, run_id, fresh=True)
    seen = await engine.execute(prepared)
    news = await result(engine, key, seen, patience)
    if news.error is not None:
        raise news.error
    answer = response_of(workflow_id, seen, news)
    return PollWorkflowExecutionUpdateResponse(
        outcome=answer.outcome if answer.HasField("outcome") else None, stage=answer.stage, update_ref=answer.update_ref
    )


def check_request(engine: Engine, request: UpdateWorkflowExecutionRequest) -> int:
    """Checks what does not depend on the run, and returns the stage to wait for."""
    if not request.request.HasField("meta"):
        raise InvalidArgument("Update meta is not set on request.")
    check_name(request.request.meta.update_id, "UpdateId", engine.limits)
    if not request.request.HasField("input"):
        raise InvalidArgument("Update input is not set on request.")
    if not request.request.input.name:
        raise InvalidArgument("Update name is not set on request.")
    return wait_stage(request.wait_policy)


def wait_stage(policy: WaitPolicy) -> int:
    """The stage an update waits for: COMPLETED unless the policy says otherwise; ADMITTED is refused."""
    stage = int(policy.lifecycle_stage)
    if stage == ADMITTED:
        raise PermissionDenied(
            "UpdateWorkflowExecution issued asynchronously and waiting on update admitted is not supported."
        )
    return _reachable(stage) if stage else COMPLETED


def _reachable(stage: int) -> int:
    """A stage nobody knows is not waited for."""
    return stage if stage <= COMPLETED else 0


def request_of(engine: Engine, request: UpdateWorkflowExecutionRequest) -> Request:
    """The update as the worker gets it, with an id in any case."""
    change = Request()
    change.CopyFrom(request.request)
    if not change.meta.update_id:
        change.meta.update_id = engine.new_uuid()
    return change


def attach(engine: Engine, unit: Unit, run: Run, change: Request, patience: Patience) -> Seen:
    """Finds the update, or admits it, within a transition.

    Raises:
        WorkflowClosed: the run is closed and does not know it.
        what `update.admit` raises.
    """
    update_id = change.meta.update_id
    news = update.look(run, update_id)
    if news is None:
        if not run.state.running:
            raise WorkflowClosed()
        update.admit(run, change)
        news = News(ADMITTED)
    elif news.stage != COMPLETED:
        update.check_task(run)
    return seen_of(engine, unit, run, update_id, news, patience)


def response_of(workflow_id: str, seen: Seen, news: News) -> UpdateWorkflowExecutionResponse:
    """What a caller is told."""
    return UpdateWorkflowExecutionResponse(
        update_ref=UpdateRef(
            workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=seen.run_id), update_id=seen.update_id
        ),
        outcome=news.outcome,
        stage=news.stage,
    )


def _aborted(run: Run) -> NotFound | WorkflowClosing:
    """Why an update that was aborted by the close of this run cannot go on."""
    return WorkflowClosing() if run.state.status == _CONTINUED else NotFound(update.ABORTED)
