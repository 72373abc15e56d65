"""What a parent learns of its children: that one has started, or could not, and how it ended.

A child's end may be told before its start, when the server was interrupted between the two; the start is then written
first.
"""

from typing import Any, NamedTuple

from google.protobuf.message import Message
from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.enums.v1 import EventType, StartChildWorkflowExecutionFailedCause
from temporalio.api.history.v1 import (
    ChildWorkflowExecutionCanceledEventAttributes,
    ChildWorkflowExecutionCompletedEventAttributes,
    ChildWorkflowExecutionFailedEventAttributes,
    ChildWorkflowExecutionStartedEventAttributes,
    ChildWorkflowExecutionTerminatedEventAttributes,
    ChildWorkflowExecutionTimedOutEventAttributes,
    HistoryEvent,
    StartChildWorkflowExecutionFailedEventAttributes,
)

from orchestrator.core import workflow_task
from orchestrator.core.run import CHILD_CLOSED, Run
from orchestrator.core.state import Child

_E = EventType


class Ending(NamedTuple):
    """How the end of a child is told: the type and the attributes of the parent's event, and what is taken over."""

    event_type: EventType.ValueType
    attributes: type[Message]
    fields: tuple[str, ...] = ()


ENDINGS: dict[EventType.ValueType, Ending] = {
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED: Ending(
        _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED, ChildWorkflowExecutionCompletedEventAttributes, ("result",)
    ),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED: Ending(
        _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED,
        ChildWorkflowExecutionFailedEventAttributes,
        ("failure", "retry_state"),
    ),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED: Ending(
        _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED, ChildWorkflowExecutionCanceledEventAttributes, ("details",)
    ),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED: Ending(
        _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED, ChildWorkflowExecutionTerminatedEventAttributes
    ),
    _E.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT: Ending(
        _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT,
        ChildWorkflowExecutionTimedOutEventAttributes,
        ("retry_state",),
    ),
}
"""By the type of the child's own last event."""


def started(run: Run, child: Child, run_id: str) -> None:
    """The child has begun; `run_id` names its first run."""
    if child.run_id:
        return
    _add_started(run, child, run_id)
    workflow_task.schedule(run)


def start_failed(run: Run, child: Child, cause: StartChildWorkflowExecutionFailedCause.ValueType) -> None:
    """The child cannot begin."""
    initiated = run.event(child.initiated_event_id).start_child_workflow_execution_initiated_event_attributes
    run.add(
        _E.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED,
        "start_child_workflow_execution_failed_event_attributes",
        StartChildWorkflowExecutionFailedEventAttributes(
            namespace=child.namespace,
            namespace_id=child.namespace_id,
            workflow_id=child.workflow_id,
            workflow_type=WorkflowType(name=child.workflow_type),
            cause=cause,
            control=initiated.control,
            initiated_event_id=child.initiated_event_id,
        ),
    )
    del run.state.children[child.initiated_event_id]
    workflow_task.schedule(run)


def ended(run: Run, child: Child, child_execution: WorkflowExecution, first_run_id: str, event: HistoryEvent) -> None:
    """The child has ended.

    Args:
        run: the parent, open.
        child: it waits for.
        child_execution: the last run of the child.
        first_run_id: the first run of its chain.
        event: with which it closed.
    """
    if not child.run_id:
        _add_started(run, child, first_run_id)
    ending = ENDINGS[event.event_type]
    own = getattr(event, str(event.WhichOneof("attributes")))
    taken: dict[str, Any] = {
        field: getattr(own, field) for field in ending.fields if field == "retry_state" or own.HasField(field)
    }
    run.add(
        ending.event_type,
        CHILD_CLOSED[ending.event_type],
        ending.attributes(
            namespace=child.namespace,
            namespace_id=child.namespace_id,
            workflow_execution=child_execution,
            workflow_type=WorkflowType(name=child.workflow_type),
            initiated_event_id=child.initiated_event_id,
            started_event_id=child.started_event_id,
            **taken,
        ),
    )
    del run.state.children[child.initiated_event_id]
    workflow_task.schedule(run)


def _add_started(run: Run, child: Child, run_id: str) -> None:
    initiated = run.event(child.initiated_event_id).start_child_workflow_execution_initiated_event_attributes
    child.run_id = run_id
    run.add(
        _E.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED,
        "child_workflow_execution_started_event_attributes",
        ChildWorkflowExecutionStartedEventAttributes(
            namespace=child.namespace,
            namespace_id=child.namespace_id,
            initiated_event_id=child.initiated_event_id,
            workflow_execution=WorkflowExecution(workflow_id=child.workflow_id, run_id=run_id),
            workflow_type=WorkflowType(name=child.workflow_type),
            header=initiated.header if initiated.HasField("header") else None,
        ),
    )
