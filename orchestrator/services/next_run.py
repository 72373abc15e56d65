"""What is told of a close event to a client that does not know that such a run may have a successor.

An SDK that waits for the result of a workflow follows runs that were continued as new. That a run of a retry policy or
a cron schedule leads on to a next one too, some know, and say so in a header of their calls; Java's SDK does not.
"""

from collections.abc import Mapping

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.history.v1 import WorkflowExecutionContinuedAsNewEventAttributes as Told

from orchestrator.core.closing import timeout_failure


def follows_next_run(metadata: Mapping[str, str | bytes]) -> bool:
    """Whether the client of a call with this metadata looks for the next run in every close event."""
    return "follows-next-run-id" in str(metadata.get("supported-features", "")).split(",")


def as_continued(event: HistoryEvent) -> HistoryEvent:
    """The close event, told as continued-as-new if it completed, failed or timed out and there is a next run."""
    match event.event_type:
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
            completed = event.workflow_execution_completed_event_attributes
            result = completed.result if completed.HasField("result") else None
            told = Told(new_execution_run_id=completed.new_execution_run_id, last_completion_result=result)
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
            failed = event.workflow_execution_failed_event_attributes
            told = Told(new_execution_run_id=failed.new_execution_run_id, failure=failed.failure)
        case EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
            timed_out = event.workflow_execution_timed_out_event_attributes
            told = Told(new_execution_run_id=timed_out.new_execution_run_id, failure=timeout_failure())
        case _:
            return event
    if not told.new_execution_run_id:
        return event
    return HistoryEvent(
        event_id=event.event_id,
        event_time=event.event_time,
        event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW,
        version=event.version,
        task_id=event.task_id,
        workflow_execution_continued_as_new_event_attributes=told,
    )
