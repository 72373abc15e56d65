"""The life of an update: admitted, sent to a worker, accepted or rejected, completed; or ended with its run.

An update that is admitted is part of the run's state, and no event. Accepting it writes an event, completing it another
one; rejecting it leaves no trace. So callers learn of a rejection from the transition itself (`Run.news`).
"""

from temporalio.api.enums.v1 import EventType, ResourceExhaustedCause, UpdateAdmittedEventOrigin
from temporalio.api.failure.v1 import ApplicationFailureInfo, Failure
from temporalio.api.history.v1 import (
    WorkflowExecutionUpdateAcceptedEventAttributes,
    WorkflowExecutionUpdateAdmittedEventAttributes,
    WorkflowExecutionUpdateCompletedEventAttributes,
)
from temporalio.api.protocol.v1 import Message
from temporalio.api.update.v1 import Acceptance, Outcome, Rejection, Request, Response

from orchestrator.core import workflow_task
from orchestrator.core.run import Run
from orchestrator.core.signals import check_open
from orchestrator.core.state import ExecutionState, Update
from orchestrator.core.update_news import ACCEPTED, ADMITTED, COMPLETED, News
from orchestrator.errors import FailedPrecondition, NotFound, ResourceExhausted, WorkflowNotReady

FAILED_ATTEMPTS = 3
"""From this attempt of the workflow task on, a run takes no updates."""
ABORTED = "workflow update was aborted by closing workflow"


def look(run: Run, update_id: str) -> News | None:
    """What is known of an update: its stage, and its outcome when it is completed; None for one the run does not know.

    An accepted update of a closed run has failed.
    """
    state = run.state
    completed_event_id = state.completed_updates.get(update_id)
    if completed_event_id is not None:
        event = run.event(completed_event_id)
        return News(COMPLETED, event.workflow_execution_update_completed_event_attributes.outcome)
    update = state.updates.get(update_id)
    if update is None:
        return None
    if not update.accepted_event_id:
        return News(ADMITTED)
    return News(ACCEPTED) if state.running else News(COMPLETED, _unfinished())


def admit(run: Run, request: Request) -> None:
    """Takes a new update; it travels with the workflow task that is ahead, or with one of its own.

    Raises:
        WorkflowClosed, WorkflowClosing: the run is closed, or about to be.
        WorkflowNotReady: its workflow task keeps failing.
        ResourceExhausted: too many updates are in flight, or too much in them.
        FailedPrecondition: the run has taken all the updates it may.
    """
    check_open(run)
    check_task(run)
    _check_limits(run, request)
    run.state.updates[request.meta.update_id] = Update(request.SerializeToString())
    run.changed = True
    workflow_task.schedule(run, speculative=True)


def admit_again(run: Run, request: Request) -> None:
    """Takes over an update of the run that a reset replaces; it is an event here, so that the next reset finds it."""
    state, update_id = run.state, request.meta.update_id
    if update_id in state.updates or update_id in state.completed_updates:
        return
    run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ADMITTED,
        "workflow_execution_update_admitted_event_attributes",
        WorkflowExecutionUpdateAdmittedEventAttributes(
            request=request, origin=UpdateAdmittedEventOrigin.UPDATE_ADMITTED_EVENT_ORIGIN_REAPPLY
        ),
    )
    state.updates[update_id] = Update(request.SerializeToString(), in_history=True)


def check_task(run: Run) -> None:
    """Raises WorkflowNotReady for a run whose workflow task keeps failing."""
    if run.state.workflow_task_attempt >= FAILED_ATTEMPTS:
        raise WorkflowNotReady("Unable to perform workflow execution update due to Workflow Task in failed state.")


def bytes_in_flight(state: ExecutionState) -> int:
    """Bytes of the requests that no worker has accepted."""
    return sum(len(update.request) for update in state.updates.values())


def waiting(state: ExecutionState) -> bool:
    """Whether an update has not been given to a worker."""
    return any(not update.sent and not update.accepted_event_id for update in state.updates.values())


def messages(run: Run, *, again: bool = True) -> list[Message]:
    """The messages of the started workflow task, one for each update nobody has accepted; they count as sent.

    One that was admitted by an event has no message: the worker finds it in the history.

    Args:
        run: its workflow task is started.
        again: whether updates that were sent before are sent once more.
    """
    task = run.state.workflow_task
    assert task is not None
    found = []
    for update_id, update in run.state.updates.items():
        if update.accepted_event_id or (update.sent and not again):
            continue
        update.sent = True
        if update.in_history:
            continue
        message = Message(id=f"{update_id}/request", protocol_instance_id=update_id, event_id=task.started_event_id - 1)
        message.body.Pack(Request.FromString(update.request))
        found.append(message)
    return found


def accept(run: Run, update_id: str, acceptance: Acceptance) -> None:
    """The worker accepted the update."""
    update = run.state.updates[update_id]
    event = run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED,
        "workflow_execution_update_accepted_event_attributes",
        WorkflowExecutionUpdateAcceptedEventAttributes(
            protocol_instance_id=update_id,
            accepted_request_message_id=acceptance.accepted_request_message_id,
            accepted_request_sequencing_event_id=acceptance.accepted_request_sequencing_event_id,
            accepted_request=None if update.in_history else Request.FromString(update.request),
        ),
    )
    update.accepted_event_id = event.event_id
    update.request = b""
    run.news[update_id] = News(ACCEPTED)


def complete(run: Run, update_id: str, response: Response) -> None:
    """The worker completed an accepted update."""
    state = run.state
    event = run.add(
        EventType.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED,
        "workflow_execution_update_completed_event_attributes",
        WorkflowExecutionUpdateCompletedEventAttributes(
            meta=response.meta, accepted_event_id=state.updates[update_id].accepted_event_id, outcome=response.outcome
        ),
    )
    del state.updates[update_id]
    state.completed_updates[update_id] = event.event_id
    run.news[update_id] = News(COMPLETED, response.outcome)


def reject(run: Run, update_id: str, rejection: Rejection) -> None:
    """The worker's validator rejected the update, which leaves no trace."""
    _forget(run, update_id, rejection.failure)


def reject_unanswered(run: Run) -> None:
    """Rejects the updates that a completed workflow task carried and its worker did not answer."""
    for update_id in _unanswered(run.state):
        failure = Failure(
            message="Workflow Update is rejected because it wasn't processed by worker. "
            "Probably, Workflow Update is not supported by the worker.",
            source="Server",
            application_failure_info=ApplicationFailureInfo(type="UnprocessedUpdate", non_retryable=True),
        )
        _forget(run, update_id, failure)


def task_refused(run: Run) -> None:
    """The workflow task was failed for what its worker answered: the updates it carried come to nothing."""
    for update_id in _unanswered(run.state):
        del run.state.updates[update_id]
        error = WorkflowNotReady("Unable to perform workflow execution update due to unexpected workflow task failure.")
        run.news[update_id] = News(ADMITTED, error=error, stored=False)


def close(run: Run) -> None:
    """The run is closed: accepted updates have failed, others are aborted."""
    state = run.state
    for update_id, update in list(state.updates.items()):
        if update.accepted_event_id:
            run.news[update_id] = News(COMPLETED, _unfinished())
        else:
            del state.updates[update_id]
            run.news[update_id] = News(ADMITTED, error=NotFound(ABORTED), aborted=True)


def _forget(run: Run, update_id: str, failure: Failure) -> None:
    run.state.updates.pop(update_id, None)
    run.news[update_id] = News(COMPLETED, Outcome(failure=failure), stored=False)
    run.changed = True


def _unanswered(state: ExecutionState) -> list[str]:
    return [key for key, update in state.updates.items() if update.sent and not update.accepted_event_id]


def _check_limits(run: Run, request: Request) -> None:
    state, limits = run.state, run.limits
    if len(state.updates) >= limits.updates_in_flight:
        raise ResourceExhausted(
            f"limit on number of concurrent in-flight updates has been reached ({limits.updates_in_flight})",
            ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT,
        )
    if bytes_in_flight(state) + request.ByteSize() > limits.updates_in_flight_size:
        raise ResourceExhausted(
            f"limit on total size of in-flight updates has been reached ({limits.updates_in_flight_size})",
            ResourceExhaustedCause.RESOURCE_EXHAUSTED_CAUSE_CONCURRENT_LIMIT,
        )
    if workflow_task.updates_of(state) >= limits.updates:
        raise FailedPrecondition(
            f"The limit on the total number of distinct updates in this workflow has been reached ({limits.updates}). "
            "Make sure any duplicate updates share an Update ID so the server can deduplicate them, "
            "and consider rejecting updates that you aren't going to process"
        )


def _unfinished() -> Outcome:
    """The outcome of an update that was accepted by a run which closed before it completed."""
    return Outcome(
        failure=Failure(
            message="Workflow Update failed because the Workflow completed before the Update completed.",
            source="Server",
            application_failure_info=ApplicationFailureInfo(type="AcceptedUpdateCompletedWorkflow", non_retryable=True),
        )
    )
