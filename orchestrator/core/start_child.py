"""The command StartChildWorkflowExecution: its checks and its effect."""

from temporalio.api.command.v1 import Command, StartChildWorkflowExecutionCommandAttributes
from temporalio.api.enums.v1 import EventType, ParentClosePolicy, WorkflowIdReusePolicy, WorkflowTaskFailedCause
from temporalio.api.history.v1 import StartChildWorkflowExecutionInitiatedEventAttributes

from orchestrator.core import priority, retry, search_attribute_types, search_attributes, start
from orchestrator.core.command_checks import CommandFailed, name_problem, queue_text, too_large
from orchestrator.core.completion import Completion, Target
from orchestrator.core.request_checks import check_queue_name, duration_problem
from orchestrator.core.run import Run, Transfer
from orchestrator.core.state import Child
from orchestrator.core.transfers import TransferKind
from orchestrator.core.wire import LONGEST, duration, length_ns, optional_duration
from orchestrator.core.workflow_task import queue_message
from orchestrator.errors import InvalidArgument

_F = WorkflowTaskFailedCause
_CAUSE = _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_START_CHILD_EXECUTION_ATTRIBUTES
_NAME = "StartChildWorkflowExecutionCommand"


def apply(run: Run, command: Command, completion: Completion) -> None:
    """Initiates a child; it begins after the commit.

    Raises:
        CommandFailed: the command fails the workflow task.
        InvalidArgument: it fails the call and not the workflow task, as on a Temporal server.
    """
    attributes = command.start_child_workflow_execution_command_attributes
    target = completion.target(attributes.namespace, run.state.namespace_id)
    _check(run, attributes, target)
    initiated = _initiated(run, attributes, completion.event_id, target)
    event = run.add(
        EventType.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED,
        "start_child_workflow_execution_initiated_event_attributes",
        initiated,
        user_metadata=command.user_metadata if command.HasField("user_metadata") else None,
    )
    run.state.children[event.event_id] = pending(event.event_id, initiated)
    run.transfers.append(Transfer(TransferKind.START_CHILD, event.event_id))
    completion.children.add(attributes.workflow_id)


def pending(event_id: int, initiated: StartChildWorkflowExecutionInitiatedEventAttributes) -> Child:
    """What a run keeps of a child it has initiated."""
    return Child(
        event_id,
        initiated.workflow_id,
        initiated.workflow_type.name,
        initiated.namespace,
        initiated.namespace_id,
        int(initiated.parent_close_policy),
    )


def _check(run: Run, attributes: StartChildWorkflowExecutionCommandAttributes, target: Target) -> None:
    limits = run.limits
    workflow_id, workflow_type = attributes.workflow_id, attributes.workflow_type.name
    of_type = f"WorkflowType={workflow_type} Namespace={target.name}"
    where = f"WorkflowId={workflow_id} {of_type}"
    if not workflow_id:
        raise CommandFailed(_CAUSE, f"Required field WorkflowId is not set on {_NAME}. {of_type}")
    if not workflow_type:
        raise CommandFailed(
            _CAUSE,
            f"Required field WorkflowType is not set on {_NAME}. WorkflowId={workflow_id} Namespace={target.name}",
        )
    if problem := name_problem(f"WorkflowId on {_NAME}", f"WorkflowId={workflow_id}", workflow_id, limits):
        raise CommandFailed(_CAUSE, f"{problem} {of_type}")
    known = f"WorkflowId={workflow_id} WorkflowType={workflow_type}"
    if problem := name_problem(f"WorkflowType on {_NAME}", known, workflow_type, limits):
        raise CommandFailed(_CAUSE, f"{problem} Namespace={target.name}")
    for name, length in (
        ("WorkflowExecutionTimeout", attributes.workflow_execution_timeout),
        ("WorkflowRunTimeout", attributes.workflow_run_timeout),
        ("WorkflowTaskTimeout", attributes.workflow_task_timeout),
    ):
        if problem := duration_problem(length):
            raise CommandFailed(_CAUSE, f"Invalid {name} on {_NAME}: {problem}. {where}")
    if attributes.HasField("retry_policy"):
        try:
            retry.validate(attributes.retry_policy)
        except InvalidArgument as error:
            raise InvalidArgument(f"invalid WorkflowRetryPolicy on {_NAME}: {error.message}. {where}") from None
    try:
        start.check_cron(attributes.cron_schedule, run.now)
    except InvalidArgument as error:
        raise InvalidArgument(f"invalid CronSchedule on {_NAME}: {error.message}. {where}") from None
    if attributes.task_queue.name:
        try:
            check_queue_name(attributes.task_queue.name, limits)
        except InvalidArgument as error:
            text = f"invalid TaskQueue on {_NAME}: {error.message}. {where} {queue_text(attributes.task_queue.name)}"
            raise InvalidArgument(text) from None
    if attributes.HasField("priority"):
        try:
            priority.validate(attributes.priority)
        except InvalidArgument as error:
            raise CommandFailed(_CAUSE, f"Invalid Priority on {_NAME}: {error.message}. {where}") from None
    _check_search_attributes(run, attributes, target, where)
    prefix = "StartChildWorkflowExecutionCommandAttributes."
    too_large(_CAUSE, f"{prefix} Input", attributes.input.ByteSize(), limits.blob_size)
    too_large(_CAUSE, f"{prefix} Memo", attributes.memo.ByteSize(), limits.memo_size)
    count = len(run.state.children)
    if count >= limits.pending_children:
        raise CommandFailed(
            _F.WORKFLOW_TASK_FAILED_CAUSE_PENDING_CHILD_WORKFLOWS_LIMIT_EXCEEDED,
            f"the number of pending child workflow executions, {count}, has reached the per-workflow limit of "
            f"{limits.pending_children}",
        )


def _check_search_attributes(
    run: Run, attributes: StartChildWorkflowExecutionCommandAttributes, target: Target, where: str
) -> None:
    fields = attributes.search_attributes.indexed_fields
    for name in fields:
        if search_attribute_types.any_type(name, target.search_attribute_types) is None:
            raise CommandFailed(
                _F.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES,
                f"Namespace {target.name} has no mapping defined for search attribute {name}",
            )
    try:
        search_attributes.validate(fields, target.search_attribute_types, target.name, run.limits)
        search_attributes.check_size(fields, run.limits)
    except InvalidArgument as error:
        raise InvalidArgument(
            f"invalid SearchAttributes on StartChildWorkflowCommand: {error.message}. {where}"
        ) from None


def _initiated(
    run: Run, attributes: StartChildWorkflowExecutionCommandAttributes, completed_event_id: int, target: Target
) -> StartChildWorkflowExecutionInitiatedEventAttributes:
    """The attributes of the INITIATED event: those of the command, with the defaults of a start."""
    execution_timeout = length_ns(attributes.workflow_execution_timeout)
    run_timeout = length_ns(attributes.workflow_run_timeout)
    if execution_timeout:
        run_timeout = min(run_timeout or LONGEST, execution_timeout)
    task_timeout = length_ns(attributes.workflow_task_timeout) or run.limits.default_workflow_task_timeout
    task_timeout = min(task_timeout, run.limits.maximum_workflow_task_timeout, run_timeout or LONGEST)
    event = StartChildWorkflowExecutionInitiatedEventAttributes(
        namespace=target.name,
        namespace_id=target.id,
        workflow_id=attributes.workflow_id,
        workflow_type=attributes.workflow_type,
        task_queue=queue_message(attributes.task_queue.name or run.state.task_queue),
        workflow_execution_timeout=optional_duration(execution_timeout),
        workflow_run_timeout=duration(run_timeout),
        workflow_task_timeout=duration(task_timeout),
        parent_close_policy=attributes.parent_close_policy or ParentClosePolicy.PARENT_CLOSE_POLICY_TERMINATE,
        control=attributes.control,
        workflow_task_completed_event_id=completed_event_id,
        workflow_id_reuse_policy=(
            attributes.workflow_id_reuse_policy or WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE
        ),
        cron_schedule=attributes.cron_schedule,
        inherit_build_id=attributes.inherit_build_id,
    )
    if attributes.HasField("retry_policy"):
        event.retry_policy.CopyFrom(retry.message(retry.with_defaults(attributes.retry_policy)))
    for field in ("input", "header", "memo", "priority"):
        if attributes.HasField(field):
            getattr(event, field).CopyFrom(getattr(attributes, field))
    if attributes.HasField("search_attributes"):
        typed = search_attributes.typed(attributes.search_attributes.indexed_fields, target.search_attribute_types)
        event.search_attributes.CopyFrom(typed)
    return event
