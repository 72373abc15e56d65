"""Polls, answers and heartbeats of activity tasks, by token and by id."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from temporalio.api.common.v1 import Payloads
from temporalio.api.failure.v1 import Failure, ServerFailureInfo
from temporalio.api.workflowservice.v1 import (
    PollActivityTaskQueueRequest,
    PollActivityTaskQueueResponse,
    RecordActivityTaskHeartbeatByIdRequest,
    RecordActivityTaskHeartbeatRequest,
    RecordActivityTaskHeartbeatResponse,
    RespondActivityTaskCanceledByIdRequest,
    RespondActivityTaskCanceledRequest,
    RespondActivityTaskCanceledResponse,
    RespondActivityTaskCompletedByIdRequest,
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskCompletedResponse,
    RespondActivityTaskFailedByIdRequest,
    RespondActivityTaskFailedRequest,
    RespondActivityTaskFailedResponse,
)

from orchestrator.core import activity, workflow_task
from orchestrator.core.request_checks import check_name, check_nul, is_uuid
from orchestrator.core.run import ACTIVITY, Run
from orchestrator.core.state import Activity
from orchestrator.errors import InvalidArgument, NotFound, WorkflowClosed
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.poll_replies import activity_task_reply
from orchestrator.services.polling import check_poll, next_started, poller_of, suggest_polls
from orchestrator.services.starting import start_stored_activity_task
from orchestrator.services.task_token import ActivityTaskToken
from orchestrator.store.transition import Unit

T = TypeVar("T")

CompletedRequest = RespondActivityTaskCompletedRequest | RespondActivityTaskCompletedByIdRequest
FailedRequest = RespondActivityTaskFailedRequest | RespondActivityTaskFailedByIdRequest
CanceledRequest = RespondActivityTaskCanceledRequest | RespondActivityTaskCanceledByIdRequest
HeartbeatRequest = RecordActivityTaskHeartbeatRequest | RecordActivityTaskHeartbeatByIdRequest
AnyRequest = CompletedRequest | FailedRequest | CanceledRequest | HeartbeatRequest
_BY_TOKEN = (
    RespondActivityTaskCompletedRequest,
    RespondActivityTaskFailedRequest,
    RespondActivityTaskCanceledRequest,
    RecordActivityTaskHeartbeatRequest,
)


async def poll_activity_task_queue(
    engine: Engine,
    namespace: NamespaceEntry,
    request: PollActivityTaskQueueRequest,
    *,
    deadline: float | None,
    client_gone: Callable[[], Awaitable[bool]],
) -> PollActivityTaskQueueResponse:
    """Waits for an activity task of the queue; an empty message when there is none in time.

    Args and errors are those of `poll_workflow_task_queue`.
    """
    until = check_poll(engine, request, deadline)
    poller = poller_of(request, namespace, ACTIVITY, until)
    started = await next_started(engine, poller, start_stored_activity_task, client_gone)
    if started is None:
        return PollActivityTaskQueueResponse()
    reply = activity_task_reply(engine, namespace.name, started)
    suggest_polls(engine, poller, reply)
    return reply


def respond_activity_task_completed(
    engine: Engine, namespace: NamespaceEntry, request: CompletedRequest
) -> Prepared[RespondActivityTaskCompletedResponse]:
    """Closes an activity with its result; a result above the blob limit fails it instead.

    Raises:
        InvalidArgument: the request is wrong.
        NotFound: the attempt is over, or the run is closed.
    """
    result = request.result if request.HasField("result") else None

    def apply(run: Run, pending: Activity) -> RespondActivityTaskCompletedResponse:
        _note_version(pending, request)
        if result is not None and result.ByteSize() > engine.limits.blob_size:
            activity.fail(run, pending, _too_large("Complete result exceeds size limit."), request.identity)
        else:
            activity.complete(run, pending, result, request.identity)
        return RespondActivityTaskCompletedResponse()

    by_id = not isinstance(request, _BY_TOKEN)
    return _prepare(engine, namespace, request, apply, needs_started=not by_id)


def respond_activity_task_failed(
    engine: Engine, namespace: NamespaceEntry, request: FailedRequest
) -> Prepared[RespondActivityTaskFailedResponse]:
    """An attempt failed: it is tried again, or the activity closes. What was too large is echoed as it was stored.

    Raises:
        InvalidArgument: the request is wrong, or the failure is not an application's.
        NotFound: the attempt is over, or the run is closed.
    """
    if request.HasField("failure") and not request.failure.HasField("application_failure_info"):
        raise InvalidArgument("Failure must have ApplicationFailureInfo.")
    failure = request.failure
    response = RespondActivityTaskFailedResponse()
    if failure.ByteSize() > engine.limits.blob_size:
        failure = activity.truncated(failure, engine.limits.blob_size // 4, non_retryable=True)
        response.failures.append(failure)
    details = request.last_heartbeat_details if request.HasField("last_heartbeat_details") else None
    if details is not None and details.ByteSize() > engine.limits.blob_size:
        response.failures.append(_too_large("Heartbeat details exceed size limit."))
        details = None

    def apply(run: Run, pending: Activity) -> RespondActivityTaskFailedResponse:
        _note_version(pending, request)
        if details is not None:
            activity.heartbeat(run, pending, details)
        activity.fail(run, pending, failure, request.identity)
        return response

    return _prepare(engine, namespace, request, apply)


def respond_activity_task_canceled(
    engine: Engine, namespace: NamespaceEntry, request: CanceledRequest
) -> Prepared[RespondActivityTaskCanceledResponse]:
    """Closes an activity whose cancellation was requested.

    Raises:
        InvalidArgument: the request is wrong, or nobody requested the cancellation.
        NotFound: the attempt is over, or the run is closed.
    """
    details = request.details if request.HasField("details") else None

    def apply(run: Run, pending: Activity) -> RespondActivityTaskCanceledResponse:
        if details is not None and details.ByteSize() > engine.limits.blob_size:
            activity.fail(run, pending, _too_large("Cancel details exceed size limit."), request.identity)
        else:
            activity.cancel(run, pending, details, request.identity)
        return RespondActivityTaskCanceledResponse()

    return _prepare(engine, namespace, request, apply)


def record_activity_task_heartbeat(
    engine: Engine, namespace: NamespaceEntry, request: HeartbeatRequest
) -> Prepared[RecordActivityTaskHeartbeatResponse]:
    """Records that an attempt is alive, and tells whether it should stop.

    Raises:
        InvalidArgument: the request is wrong.
        NotFound: the attempt is over, or the run is closed.
    """
    details: Payloads | None = request.details if request.HasField("details") else None

    def apply(run: Run, pending: Activity) -> RecordActivityTaskHeartbeatResponse:
        if details is not None and details.ByteSize() > engine.limits.blob_size:
            activity.fail(run, pending, _too_large("Heartbeat details exceed size limit."), request.identity)
            return RecordActivityTaskHeartbeatResponse(cancel_requested=True)
        activity.heartbeat(run, pending, details)
        return RecordActivityTaskHeartbeatResponse(
            cancel_requested=pending.cancel_requested,
            activity_paused=pending.paused,
            activity_reset=pending.reset_requested,
        )

    return _prepare(engine, namespace, request, apply)


def _prepare(
    engine: Engine,
    namespace: NamespaceEntry,
    request: AnyRequest,
    apply: Callable[[Run, Activity], T],
    *,
    needs_started: bool = True,
) -> Prepared[T]:
    """A change of one started activity, named by token or by ids; a workflow task follows when it closes."""
    check_name(request.identity, "Identity", engine.limits)
    if isinstance(request, _BY_TOKEN):
        token = engine.tokens.decode(request.task_token, namespace.id)
        if not isinstance(token, ActivityTaskToken):
            raise NotFound(activity.GONE)
        workflow_id, run_id, find = token.workflow_id, token.run_id, _by_token(token)
    else:
        _check_ids(request)
        workflow_id, run_id, find = request.workflow_id, request.run_id, _by_id(request.activity_id, needs_started)

    def operation(unit: Unit) -> T:
        run = unit.run()
        if not run.state.running:
            raise WorkflowClosed()
        pending = find(run)
        result = apply(run, pending)
        if pending.scheduled_event_id not in run.state.activities:
            workflow_task.schedule(run)
        return result

    return Prepared(engine.key(namespace, workflow_id), operation, run_id)


def _by_token(token: ActivityTaskToken) -> Callable[[Run], Activity]:
    def find(run: Run) -> Activity:
        pending = activity.find(run, token.scheduled_event_id)
        if not pending.started_time or pending.stamp != token.stamp:
            raise NotFound(activity.GONE)
        return pending

    return find


def _by_id(activity_id: str, needs_started: bool) -> Callable[[Run], Activity]:
    def find(run: Run) -> Activity:
        pending = activity.find_by_id(run, activity_id)
        if needs_started and not pending.started_time:
            raise NotFound(activity.GONE)
        return pending

    return find


def _check_ids(request: AnyRequest) -> None:
    assert not isinstance(request, _BY_TOKEN)
    if not request.activity_id:
        raise InvalidArgument("ActivityId is not set on request.")
    if not request.workflow_id:
        raise InvalidArgument("WorkflowId is not set on request.")
    check_nul(request.workflow_id, "WorkflowId")
    if request.run_id and not is_uuid(request.run_id):
        raise InvalidArgument("RunId is not valid UUID.")


def _note_version(pending: Activity, request: CompletedRequest | FailedRequest) -> None:
    """The STARTED event of an activity names the build that answered it by token, as workers do."""
    by_token = (RespondActivityTaskCompletedRequest, RespondActivityTaskFailedRequest)
    if isinstance(request, by_token) and request.HasField("worker_version"):
        pending.worker_version = request.worker_version.SerializeToString()


def _too_large(message: str) -> Failure:
    return Failure(message=message, server_failure_info=ServerFailureInfo(non_retryable=True))
