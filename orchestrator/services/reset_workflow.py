"""ResetWorkflowExecution: a workflow goes back to one of its workflow tasks, in one commit."""

from collections.abc import Iterator

from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.workflow.v1 import PostResetOperation
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest, ResetWorkflowExecutionResponse

from orchestrator.core import closing, execution_options, reset, signal_requests
from orchestrator.core.birth import Identity
from orchestrator.core.request_checks import check_execution, check_name
from orchestrator.core.run import Run
from orchestrator.errors import InvalidArgument
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.store.ports import Node
from orchestrator.store.transition import Unit


def reset_workflow_execution(
    engine: Engine, namespace: NamespaceEntry, request: ResetWorkflowExecutionRequest
) -> Prepared[ResetWorkflowExecutionResponse]:
    """Makes a new current run out of the beginning of a run; an open current run is terminated.

    The same request id a second time is a success that changes nothing.

    Raises:
        InvalidArgument: the request is wrong, or the event does not end a workflow task.
        FailedPrecondition: the new run is to be pinned to a version that no worker has.
        NotFound: no such run.
    """
    check_execution(request.workflow_execution if request.HasField("workflow_execution") else None)
    if not request.request_id:
        raise InvalidArgument("RequestId is not set on request.")
    check_name(request.request_id, "RequestId", engine.limits)
    for operation in request.post_reset_operations:
        _check_operation(operation)
    excluded = reset.exclusions(request.reset_reapply_type, request.reset_reapply_exclude_types)

    def apply(unit: Unit) -> ResetWorkflowExecutionResponse:
        base, current = unit.run(), unit.current_run()
        assert current is not None
        if current.state.create_request_id == request.request_id and current.state.last_reset_time:
            return ResetWorkflowExecutionResponse(run_id=current.state.run_id)
        finish_event_id = request.workflow_task_finish_event_id
        if not 1 < finish_event_id < base.state.next_event_id:
            raise InvalidArgument("Workflow task finish ID must be > 1 && <= workflow last event ID.")
        own = [event for event in _events(unit.nodes(base)) if event.event_id >= finish_event_id] + base.buffer
        following = list(_following_events(unit, base, current))
        identity = Identity(namespace.id, engine.new_uuid(), request.request_id)
        fresh = reset.fork(
            identity,
            unit.nodes(base),
            finish_event_id,
            base=base.state,
            reason=request.reason,
            now=unit.now,
            limits=engine.limits,
            new_id=engine.new_uuid,
        )
        # Who sends a signal again to the workflow, not knowing of the reset, is still recognised.
        signal_requests.hand_on(current, fresh)
        fresh.state.external_request_ids = list(current.state.external_request_ids)
        base.state.reset_run_id = identity.run_id
        base.changed = True
        if current.state.running:
            closing.terminate(current, reason=request.reason, identity=reset.RESETTER_IDENTITY, replaced=True)
        reset.reapply(fresh, own, following, excluded)
        for operation in request.post_reset_operations:
            change = operation.update_workflow_options
            wanted, mask = change.workflow_execution_options, change.update_mask
            execution_options.check_version(wanted, mask, fresh.state.task_queue)
            execution_options.update(fresh, wanted, mask.paths, "")
        reset.finish(fresh)
        unit.begin(fresh)
        return ResetWorkflowExecutionResponse(run_id=identity.run_id)

    execution = request.workflow_execution
    return Prepared(engine.key(namespace, execution.workflow_id), apply, execution.run_id, needs_current=True)


def _check_operation(operation: PostResetOperation) -> None:
    """Raises InvalidArgument for what cannot be done to the new run: only its options can be changed."""
    variant = operation.WhichOneof("variant")
    if variant is None:
        raise InvalidArgument("unsupported post reset operation: <nil>")
    if variant == "signal_workflow":
        raise InvalidArgument("unsupported post reset operation: *workflow.PostResetOperation_SignalWorkflow_")
    change = operation.update_workflow_options
    execution_options.check(change.workflow_execution_options, change.update_mask)


def _following_events(unit: Unit, base: Run, current: Run) -> Iterator[HistoryEvent]:
    """The events of the runs that went on for the base run."""
    run_id, nodes = base.state.run_id, unit.nodes(base)
    while run_id != current.state.run_id:
        run_id = _successor(nodes)
        if not run_id:
            return
        nodes = unit.nodes_of(run_id)
        yield from _events(nodes)
    if base is not current:
        yield from current.buffer


def _events(nodes: list[Node]) -> Iterator[HistoryEvent]:
    for node in nodes:
        yield from History.FromString(node.events).events


def _successor(nodes: list[Node]) -> str:
    """The run that the last event of a history names as the next one."""
    event = History.FromString(nodes[-1].events).events[-1]
    field = event.WhichOneof("attributes")
    return str(getattr(getattr(event, field), "new_execution_run_id", "")) if field else ""
