"""Workflow runs while they are executed, and what is known of them from outside."""

from hugo.workflow.ambient import current_cancel_token, current_workflow, enter_workflow, require_workflow
from hugo.workflow.context import WorkflowExecutionContext
from hugo.workflow.identity import WorkflowIdentity
from hugo.workflow.visibility import CompletionStatus, VisibilityStatus, WorkflowVisibilityRecord

__all__ = [
    "CompletionStatus",
    "VisibilityStatus",
    "WorkflowExecutionContext",
    "WorkflowIdentity",
    "WorkflowVisibilityRecord",
    "current_cancel_token",
    "current_workflow",
    "enter_workflow",
    "require_workflow",
]
