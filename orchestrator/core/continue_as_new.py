"""The command ContinueAsNewWorkflowExecution: its checks and its effect."""

from temporalio.api.command.v1 import Command, ContinueAsNewWorkflowExecutionCommandAttributes
from temporalio.api.enums.v1 import WorkflowTaskFailedCause

from orchestrator.core import chain, retry, search_attributes
from orchestrator.core.command_checks import CommandFailed, name_problem, queue_text, too_large
from orchestrator.core.completion import Completion
from orchestrator.core.request_checks import check_queue_name, duration_problem
from orchestrator.core.run import Run
from orchestrator.errors import InvalidArgument

_CAUSE = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_BAD_CONTINUE_AS_NEW_ATTRIBUTES
_BAD_ATTRIBUTES = WorkflowTaskFailedCause.WORKFLOW_TASK_FAILED_CAUSE_BAD_SEARCH_ATTRIBUTES
_NAME = "ContinueAsNewWorkflowExecutionCommand"


def apply(run: Run, command: Command, completion: Completion) -> None:
    """Closes the run and begins the next one.

    Raises:
        CommandFailed: the command fails the workflow task.
        InvalidArgument: it fails the call and not the workflow task, as on a Temporal server.
    """
    attributes = command.continue_as_new_workflow_execution_command_attributes
    _check(run, attributes)
    fields = attributes.search_attributes.indexed_fields
    if fields:
        try:
            search_attributes.validate(fields, completion.search_attribute_types, completion.namespace, run.limits)
            search_attributes.check_size(fields, run.limits)
        except InvalidArgument as error:
            raise CommandFailed(_BAD_ATTRIBUTES, error.message) from None
    prefix = "ContinueAsNewWorkflowExecutionCommandAttributes."
    too_large(_CAUSE, f"{prefix} Input", attributes.input.ByteSize(), run.limits.blob_size)
    too_large(_CAUSE, f"{prefix} Memo", attributes.memo.ByteSize(), run.limits.memo_size)
    chain.continue_as_new(run, attributes, completion.event_id)


def _check(run: Run, attributes: ContinueAsNewWorkflowExecutionCommandAttributes) -> None:
    limits = run.limits
    workflow_type = attributes.workflow_type.name or run.state.workflow_type
    where = f"WorkflowType={workflow_type} {queue_text(attributes.task_queue.name or run.state.task_queue)}"
    if attributes.task_queue.name:
        try:
            check_queue_name(attributes.task_queue.name, limits)
        except InvalidArgument as error:
            raise InvalidArgument(f"error validating {_NAME} TaskQueue: {error.message}. {where}") from None
    if attributes.HasField("retry_policy"):
        try:
            retry.validate(attributes.retry_policy)
        except InvalidArgument as error:
            raise InvalidArgument(f"invalid WorkflowRetryPolicy on {_NAME}: {error.message}. {where}") from None
    if problem := name_problem(f"WorkflowType on {_NAME}", f"WorkflowType={workflow_type}", workflow_type, limits):
        raise CommandFailed(_CAUSE, problem)
    for name, length in (
        ("WorkflowRunTimeout", attributes.workflow_run_timeout),
        ("WorkflowTaskTimeout", attributes.workflow_task_timeout),
        ("BackoffStartInterval", attributes.backoff_start_interval),
    ):
        if problem := duration_problem(length):
            raise CommandFailed(_CAUSE, f"Invalid {name} on {_NAME}: {problem}. {where}")
