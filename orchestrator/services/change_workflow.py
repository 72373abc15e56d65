"""SignalWorkflowExecution, RequestCancelWorkflowExecution, TerminateWorkflowExecution, ResetStickyTaskQueue.

Each is one change of one run from outside.
"""

from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import (
    RequestCancelWorkflowExecutionRequest,
    RequestCancelWorkflowExecutionResponse,
    ResetStickyTaskQueueRequest,
    ResetStickyTaskQueueResponse,
    SignalWorkflowExecutionRequest,
    SignalWorkflowExecutionResponse,
    TerminateWorkflowExecutionRequest,
    TerminateWorkflowExecutionResponse,
)

from orchestrator.core import closing, signals, workflow_task
from orchestrator.core.request_checks import check_execution, check_links, check_name
from orchestrator.core.run import Run
from orchestrator.errors import InvalidArgument, NotFound, WorkflowClosed
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.store.transition import Unit


def signal_workflow_execution(
    engine: Engine, namespace: NamespaceEntry, request: SignalWorkflowExecutionRequest
) -> Prepared[SignalWorkflowExecutionResponse]:
    """Delivers a signal to an open run; a repeated request id is a success that changes nothing.

    Raises:
        InvalidArgument: the request is wrong, or the run has taken all the signals it may.
        NotFound: no such run, or it is closed.
        WorkflowClosing: the run is trying to close.
    """
    execution = _execution(request, "workflow_execution")
    if not request.signal_name:
        raise InvalidArgument("SignalName is not set on request.")
    check_name(request.signal_name, "SignalName", engine.limits)
    check_name(request.request_id, "RequestId", engine.limits)
    check_name(request.identity, "Identity", engine.limits)
    if request.input.ByteSize() > engine.limits.blob_size:
        raise InvalidArgument("Blob data size exceeds limit.")
    check_links(request.links, engine.limits)

    def operation(unit: Unit) -> SignalWorkflowExecutionResponse:
        signals.signal(
            unit.run(),
            name=request.signal_name,
            input=request.input if request.HasField("input") else None,
            identity=request.identity,
            header=request.header if request.HasField("header") else None,
            request_id=request.request_id,
            links=request.links,
        )
        return SignalWorkflowExecutionResponse()

    return Prepared(engine.key(namespace, execution.workflow_id), operation, execution.run_id)


def request_cancel_workflow_execution(
    engine: Engine, namespace: NamespaceEntry, request: RequestCancelWorkflowExecutionRequest
) -> Prepared[RequestCancelWorkflowExecutionResponse]:
    """Asks a run to cancel itself; on a closed run, or the second time, a success that changes nothing.

    Raises:
        InvalidArgument: the request is wrong.
        NotFound: no such run, or not of the chain the caller means.
    """
    execution = _execution(request, "workflow_execution")
    check_links(request.links, engine.limits)

    def operation(unit: Unit) -> RequestCancelWorkflowExecutionResponse:
        run = unit.run()
        _check_chain(run, request.first_execution_run_id)
        signals.request_cancel(
            run, reason=request.reason, identity=request.identity, request_id=request.request_id, links=request.links
        )
        return RequestCancelWorkflowExecutionResponse()

    run_id = "" if request.first_execution_run_id else execution.run_id
    return Prepared(engine.key(namespace, execution.workflow_id), operation, run_id)


def terminate_workflow_execution(
    engine: Engine, namespace: NamespaceEntry, request: TerminateWorkflowExecutionRequest
) -> Prepared[TerminateWorkflowExecutionResponse]:
    """Ends an open run at once, without asking its worker.

    Raises:
        InvalidArgument: the request is wrong.
        NotFound: no such run, not of the chain the caller means, or closed already.
    """
    execution = _execution(request, "workflow_execution")
    check_links(request.links, engine.limits)

    def operation(unit: Unit) -> TerminateWorkflowExecutionResponse:
        run = unit.run()
        _check_chain(run, request.first_execution_run_id)
        if not run.state.running:
            raise WorkflowClosed()
        closing.terminate(
            run,
            reason=request.reason,
            details=request.details if request.HasField("details") else None,
            identity=request.identity,
            links=list(request.links),
        )
        return TerminateWorkflowExecutionResponse()

    run_id = "" if request.first_execution_run_id else execution.run_id
    return Prepared(engine.key(namespace, execution.workflow_id), operation, run_id)


def reset_sticky_task_queue(
    engine: Engine, namespace: NamespaceEntry, request: ResetStickyTaskQueueRequest
) -> Prepared[ResetStickyTaskQueueResponse]:
    """Makes the next workflow task go to the normal queue; raises NotFound for a closed run."""
    execution = _execution(request, "execution")

    def operation(unit: Unit) -> ResetStickyTaskQueueResponse:
        run = unit.run()
        if not run.state.running:
            raise WorkflowClosed()
        if run.state.sticky_queue:
            workflow_task.clear_sticky(run)
        return ResetStickyTaskQueueResponse()

    return Prepared(engine.key(namespace, execution.workflow_id), operation, execution.run_id)


def _execution(request: Message, field: str) -> WorkflowExecution:
    """The checked execution of a request."""
    execution: WorkflowExecution | None = getattr(request, field) if request.HasField(field) else None
    check_execution(execution)
    assert execution is not None
    return execution


def _check_chain(run: Run, first_run_id: str) -> None:
    if first_run_id and run.state.first_run_id != first_run_id:
        raise NotFound("workflow execution not found")
