"""What reaches an open run from outside: signals, cancel requests, attached request ids."""

from collections.abc import Iterable

from temporalio.api.common.v1 import Header, Link, Payloads, WorkflowExecution
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import (
    WorkflowExecutionCancelRequestedEventAttributes,
    WorkflowExecutionOptionsUpdatedEventAttributes,
    WorkflowExecutionSignaledEventAttributes,
)

from orchestrator.core import signal_requests, workflow_task
from orchestrator.core.run import Run
from orchestrator.errors import InvalidArgument, WorkflowClosed, WorkflowClosing


def signal(
    run: Run,
    *,
    name: str,
    input: Payloads | None,
    identity: str,
    header: Header | None,
    request_id: str = "",
    links: Iterable[Link] = (),
    skip_backoff: bool = False,
    source: WorkflowExecution | None = None,
) -> None:
    """Delivers a signal once per request id.

    Args:
        run: the run.
        name: of the signal.
        input: its arguments.
        identity: of the sender.
        header: passed on to the workflow.
        request_id: empty, or the id under which a repetition is recognised, also after the close.
        links: kept with the event.
        skip_backoff: whether a first workflow task that is delayed is scheduled now (signal with start).
        source: the workflow that sends it, if one does.

    Raises:
        WorkflowClosed: the run is closed.
        WorkflowClosing: the run is trying to close.
        InvalidArgument: the run has taken all the signals it may.
    """
    state = run.state
    if request_id and signal_requests.known(run, request_id):
        return
    check_open(run)
    if state.signals >= run.limits.signals:
        raise InvalidArgument("exceeded workflow execution limit for signal events")
    if request_id:
        signal_requests.remember(run, request_id)
    state.signals += 1
    add_signaled(run, name=name, input=input, identity=identity, header=header, links=links, source=source)
    if skip_backoff or not state.backoff_until:
        workflow_task.schedule(run)


def add_signaled(
    run: Run,
    *,
    name: str,
    input: Payloads | None,
    identity: str,
    header: Header | None,
    links: Iterable[Link] = (),
    source: WorkflowExecution | None = None,
) -> None:
    """Writes the event alone."""
    run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED,
        "workflow_execution_signaled_event_attributes",
        WorkflowExecutionSignaledEventAttributes(
            signal_name=name, input=input, identity=identity, header=header, external_workflow_execution=source
        ),
        links=links,
    )


def signal_from_workflow(
    run: Run,
    source: WorkflowExecution,
    *,
    name: str,
    input: Payloads | None,
    header: Header | None,
    request_id: str,
) -> None:
    """Delivers a signal of another workflow, once per request id, also when a next run got the id from this one.

    Raises:
        as `signal`.
    """
    state = run.state
    if request_id in state.external_request_ids:
        return
    signal(run, name=name, input=input, identity=workflow_task.SERVER_IDENTITY, header=header, source=source)
    state.external_request_ids.append(request_id)


def request_cancel(
    run: Run,
    *,
    reason: str,
    identity: str,
    request_id: str = "",
    links: Iterable[Link] = (),
    source: WorkflowExecution | None = None,
    initiated_event_id: int = 0,
) -> None:
    """Asks the workflow to end; asking again, or asking a closed run, changes nothing.

    `source` is the workflow that asks, if one does, and `initiated_event_id` that of its event.
    """
    state = run.state
    if not state.running or state.cancel_requested:
        return
    state.cancel_requested = True
    state.cancel_request_id = request_id
    run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CANCEL_REQUESTED,
        "workflow_execution_cancel_requested_event_attributes",
        WorkflowExecutionCancelRequestedEventAttributes(
            cause=reason,
            identity=identity,
            external_workflow_execution=source,
            external_initiated_event_id=initiated_event_id,
        ),
        links=links,
    )
    workflow_task.schedule(run)


def attach_request(run: Run, *, request_id: str, links: Iterable[Link] = ()) -> None:
    """Attaches the request id of a start that found this run open, so that its repetition finds it too."""
    state = run.state
    state.request_ids[request_id] = (EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED, 0)
    run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_OPTIONS_UPDATED,
        "workflow_execution_options_updated_event_attributes",
        WorkflowExecutionOptionsUpdatedEventAttributes(attached_request_id=request_id),
        links=links,
        worker_may_ignore=True,
    )


def check_open(run: Run) -> None:
    """Raises WorkflowClosed for a closed run, WorkflowClosing for one whose worker is retrying to close it."""
    state = run.state
    if not state.running:
        raise WorkflowClosed()
    task = state.workflow_task
    if state.close_attempted and task is not None and task.started_event_id:
        raise WorkflowClosing()
