"""Resetting runs, and to where."""

import uuid
from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import ResetWorkflowExecutionRequest
from temporalio.client import Client, WorkflowHandle

from tests.functional.workers import all_of, events_of


async def reset(
    client: Client, handle: WorkflowHandle[Any, Any], event_id: int, request_id: str = "", **options: Any
) -> WorkflowHandle[Any, Any]:
    """Resets the current run of a workflow; the handle of the new one."""
    request = ResetWorkflowExecutionRequest(
        namespace=client.namespace,
        workflow_execution=WorkflowExecution(workflow_id=handle.id, run_id=handle.run_id or ""),
        workflow_task_finish_event_id=event_id,
        reason="try again",
        request_id=request_id or str(uuid.uuid4()),
        **options,
    )
    reply = await client.workflow_service.reset_workflow_execution(request)
    return client.get_workflow_handle(handle.id, run_id=reply.run_id)


async def completed_tasks(handle: WorkflowHandle[Any, Any]) -> list[int]:
    """The ids of the events that ended workflow tasks."""
    return [event.event_id for event in all_of(await events_of(handle), "WORKFLOW_TASK_COMPLETED")]
