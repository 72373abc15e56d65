"""Commands that reach into other workflows, SignalExternalWorkflowExecution and
RequestCancelExternalWorkflowExecution, and what becomes of them.

The command writes INITIATED; the other workflow is reached after the commit, and the answer is an event of this run.
"""

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import (
    CancelExternalWorkflowExecutionFailedCause,
    EventType,
    SignalExternalWorkflowExecutionFailedCause,
    WorkflowTaskFailedCause,
)
from temporalio.api.history.v1 import (
    ExternalWorkflowExecutionCancelRequestedEventAttributes,
    ExternalWorkflowExecutionSignaledEventAttributes,
    RequestCancelExternalWorkflowExecutionFailedEventAttributes,
    RequestCancelExternalWorkflowExecutionInitiatedEventAttributes,
    SignalExternalWorkflowExecutionFailedEventAttributes,
    SignalExternalWorkflowExecutionInitiatedEventAttributes,
)

from orchestrator.core import workflow_task
from orchestrator.core.command_checks import CommandFailed, name_problem, too_large
from orchestrator.core.completion import Completion
from orchestrator.core.limits import Limits
from orchestrator.core.request_checks import is_uuid
from orchestrator.core.run import Run, Transfer
from orchestrator.core.transfers import TransferKind

_E = EventType
_F = WorkflowTaskFailedCause
_BAD_SIGNAL = _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_SIGNAL_WORKFLOW_EXECUTION_ATTRIBUTES
_BAD_CANCEL = _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_ATTRIBUTES
_SIGNAL = "SignalExternalWorkflowExecutionCommand"
_CANCEL = "RequestCancelExternalWorkflowExecutionCommand"


def check_signal(command: Command, limits: Limits) -> None:
    """SignalExternalWorkflowExecution."""
    attributes = command.signal_external_workflow_execution_command_attributes
    if not attributes.HasField("execution"):
        raise CommandFailed(_BAD_SIGNAL, f"Execution is not set on {_SIGNAL}.")
    workflow_id, run_id = attributes.execution.workflow_id, attributes.execution.run_id
    in_namespace = f"Namespace={attributes.namespace} RunId={run_id}"
    if not workflow_id:
        text = f"WorkflowId is not set on {_SIGNAL}. {in_namespace} SignalName={attributes.signal_name}"
        raise CommandFailed(_BAD_SIGNAL, text)
    if problem := name_problem(f"WorkflowId on {_SIGNAL}", f"WorkflowId={workflow_id}", workflow_id, limits):
        raise CommandFailed(_BAD_SIGNAL, f"{problem} {in_namespace} SignalName={attributes.signal_name}")
    where = f"WorkflowId={workflow_id} {in_namespace}"
    if run_id and not is_uuid(run_id):
        raise CommandFailed(_BAD_SIGNAL, f"Invalid RunId set on {_SIGNAL}. {where} SignalName={attributes.signal_name}")
    if not attributes.signal_name:
        raise CommandFailed(_BAD_SIGNAL, f"SignalName is not set on {_SIGNAL}. {where}")


def signal(run: Run, command: Command, completion: Completion) -> None:
    """Notes the signal; it is sent after the commit."""
    attributes = command.signal_external_workflow_execution_command_attributes
    name = "SignalExternalWorkflowExecutionCommandAttributes.Input"
    too_large(_BAD_SIGNAL, name, attributes.input.ByteSize(), run.limits.blob_size)
    _check_pending(
        len(run.state.external_signals),
        run.limits.pending_external_signals,
        _F.WORKFLOW_TASK_FAILED_CAUSE_PENDING_SIGNALS_LIMIT_EXCEEDED,
        "pending signals to external workflows",
    )
    target = completion.target(attributes.namespace, run.state.namespace_id)
    event = run.add(
        _E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
        "signal_external_workflow_execution_initiated_event_attributes",
        SignalExternalWorkflowExecutionInitiatedEventAttributes(
            workflow_task_completed_event_id=completion.event_id,
            namespace=target.name,
            namespace_id=target.id,
            workflow_execution=attributes.execution,
            signal_name=attributes.signal_name,
            input=attributes.input if attributes.HasField("input") else None,
            control=attributes.control,
            child_workflow_only=attributes.child_workflow_only,
            header=attributes.header if attributes.HasField("header") else None,
        ),
        user_metadata=command.user_metadata if command.HasField("user_metadata") else None,
    )
    run.state.external_signals.append(event.event_id)
    run.transfers.append(Transfer(TransferKind.SIGNAL_EXTERNAL, event.event_id))


def check_cancel(command: Command, limits: Limits) -> None:
    """RequestCancelExternalWorkflowExecution."""
    attributes = command.request_cancel_external_workflow_execution_command_attributes
    workflow_id, run_id = attributes.workflow_id, attributes.run_id
    if not workflow_id:
        text = f"WorkflowId is not set on {_CANCEL}. Namespace={attributes.namespace} RunId={run_id}"
        raise CommandFailed(_BAD_CANCEL, text)
    if problem := name_problem(f"WorkflowId on {_CANCEL}", f"WorkflowId={workflow_id}", workflow_id, limits):
        raise CommandFailed(_BAD_CANCEL, f"{problem} RunId={run_id} Namespace={attributes.namespace}")
    if run_id and not is_uuid(run_id):
        where = f"WorkflowId={workflow_id} RunId={run_id} Namespace={attributes.namespace}"
        raise CommandFailed(_BAD_CANCEL, f"Invalid RunId set on {_CANCEL}. {where}")


def cancel(run: Run, command: Command, completion: Completion) -> None:
    """Notes the request; it is sent after the commit."""
    attributes = command.request_cancel_external_workflow_execution_command_attributes
    if attributes.workflow_id in completion.children:
        raise CommandFailed(
            _BAD_CANCEL,
            "Start and RequestCancel for child workflow is not allowed in same workflow task. "
            f"WorkflowId={attributes.workflow_id} RunId={attributes.run_id} Namespace={attributes.namespace}",
        )
    _check_pending(
        len(run.state.external_cancels),
        run.limits.pending_external_cancels,
        _F.WORKFLOW_TASK_FAILED_CAUSE_PENDING_REQUEST_CANCEL_LIMIT_EXCEEDED,
        "pending requests to cancel external workflows",
    )
    target = completion.target(attributes.namespace, run.state.namespace_id)
    event = run.add(
        _E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED,
        "request_cancel_external_workflow_execution_initiated_event_attributes",
        RequestCancelExternalWorkflowExecutionInitiatedEventAttributes(
            workflow_task_completed_event_id=completion.event_id,
            namespace=target.name,
            namespace_id=target.id,
            workflow_execution=WorkflowExecution(workflow_id=attributes.workflow_id, run_id=attributes.run_id),
            control=attributes.control,
            child_workflow_only=attributes.child_workflow_only,
            reason=attributes.reason,
        ),
        user_metadata=command.user_metadata if command.HasField("user_metadata") else None,
    )
    run.state.external_cancels.append(event.event_id)
    run.transfers.append(Transfer(TransferKind.CANCEL_EXTERNAL, event.event_id))


def signaled(run: Run, initiated_event_id: int) -> None:
    """The other workflow has the signal."""
    initiated = run.event(initiated_event_id).signal_external_workflow_execution_initiated_event_attributes
    run.add(
        _E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_SIGNALED,
        "external_workflow_execution_signaled_event_attributes",
        ExternalWorkflowExecutionSignaledEventAttributes(
            initiated_event_id=initiated_event_id,
            namespace=initiated.namespace,
            namespace_id=initiated.namespace_id,
            workflow_execution=initiated.workflow_execution,
            control=initiated.control,
        ),
    )
    run.state.external_signals.remove(initiated_event_id)
    workflow_task.schedule(run)


def signal_failed(
    run: Run, initiated_event_id: int, cause: SignalExternalWorkflowExecutionFailedCause.ValueType
) -> None:
    """The other workflow cannot be signalled."""
    initiated = run.event(initiated_event_id).signal_external_workflow_execution_initiated_event_attributes
    run.add(
        _E.EVENT_TYPE_SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
        "signal_external_workflow_execution_failed_event_attributes",
        SignalExternalWorkflowExecutionFailedEventAttributes(
            cause=cause,
            namespace=initiated.namespace,
            namespace_id=initiated.namespace_id,
            workflow_execution=initiated.workflow_execution,
            initiated_event_id=initiated_event_id,
            control=initiated.control,
        ),
    )
    run.state.external_signals.remove(initiated_event_id)
    workflow_task.schedule(run)


def cancel_requested(run: Run, initiated_event_id: int) -> None:
    """The other workflow knows that it is to end."""
    initiated = run.event(initiated_event_id).request_cancel_external_workflow_execution_initiated_event_attributes
    run.add(
        _E.EVENT_TYPE_EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
        "external_workflow_execution_cancel_requested_event_attributes",
        ExternalWorkflowExecutionCancelRequestedEventAttributes(
            initiated_event_id=initiated_event_id,
            namespace=initiated.namespace,
            namespace_id=initiated.namespace_id,
            workflow_execution=initiated.workflow_execution,
        ),
    )
    run.state.external_cancels.remove(initiated_event_id)
    workflow_task.schedule(run)


def cancel_failed(
    run: Run, initiated_event_id: int, cause: CancelExternalWorkflowExecutionFailedCause.ValueType
) -> None:
    """There is no such workflow."""
    initiated = run.event(initiated_event_id).request_cancel_external_workflow_execution_initiated_event_attributes
    run.add(
        _E.EVENT_TYPE_REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_FAILED,
        "request_cancel_external_workflow_execution_failed_event_attributes",
        RequestCancelExternalWorkflowExecutionFailedEventAttributes(
            cause=cause,
            namespace=initiated.namespace,
            namespace_id=initiated.namespace_id,
            workflow_execution=initiated.workflow_execution,
            initiated_event_id=initiated_event_id,
            control=initiated.control,
        ),
    )
    run.state.external_cancels.remove(initiated_event_id)
    workflow_task.schedule(run)


def _check_pending(count: int, limit: int, cause: WorkflowTaskFailedCause.ValueType, what: str) -> None:
    if count >= limit:
        text = f"the number of {what}, {count}, has reached the per-workflow limit of {limit}"
        raise CommandFailed(cause, text)
