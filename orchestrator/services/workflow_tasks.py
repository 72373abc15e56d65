"""PollWorkflowTaskQueue, RespondWorkflowTaskCompleted and RespondWorkflowTaskFailed."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from temporalio.api.enums.v1 import TimeoutType, VersioningBehavior, WorkerVersioningMode, WorkflowTaskFailedCause
from temporalio.api.failure.v1 import Failure, ServerFailureInfo
from temporalio.api.workflowservice.v1 import (
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
    RespondWorkflowTaskCompletedRequest,
    RespondWorkflowTaskCompletedResponse,
    RespondWorkflowTaskFailedRequest,
    RespondWorkflowTaskFailedResponse,
)

from orchestrator.core import activity, closing, command_checks, commands, update, update_messages, workflow_task
from orchestrator.core.command_checks import CommandFailed
from orchestrator.core.completion import Completion, Target
from orchestrator.core.request_checks import check_name
from orchestrator.core.run import WORKFLOW, Run
from orchestrator.core.state import WorkflowTask
from orchestrator.core.wire import length_ns
from orchestrator.errors import FailedPrecondition, InvalidArgument, NotFound, ServiceError, WorkflowClosed
from orchestrator.services.command_targets import command_targets
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.poll_replies import activity_task_reply, query_task_reply, workflow_task_reply
from orchestrator.services.pollers import StartedActivityTask, StartedWorkflowTask
from orchestrator.services.polling import (
    check_poll,
    given_back_when_cancelled,
    next_started,
    poller_of,
    suggest_polls,
)
from orchestrator.services.queries import Query
from orchestrator.services.starting import Worker, start_activity_task, start_stored_workflow_task, start_workflow_task
from orchestrator.services.task_token import WorkflowTaskToken
from orchestrator.store.transition import Unit

_F = WorkflowTaskFailedCause


async def poll_workflow_task_queue(
    engine: Engine,
    namespace: NamespaceEntry,
    request: PollWorkflowTaskQueueRequest,
    *,
    deadline: float | None,
    client_gone: Callable[[], Awaitable[bool]],
) -> PollWorkflowTaskQueueResponse:
    """Waits for a workflow task or a query of the queue; an empty message when there is none in time.

    Args:
        engine: the surroundings.
        namespace: of the queue.
        request: the poll.
        deadline: of the caller, in seconds of the event loop's clock.
        client_gone: whether the caller has hung up.

    Raises:
        InvalidArgument, FailedPrecondition: the request is wrong.
    """
    until = check_poll(engine, request, deadline)
    poller = poller_of(request, namespace, WORKFLOW, until)
    started = await next_started(engine, poller, start_stored_workflow_task, client_gone)
    if started is None:
        return PollWorkflowTaskQueueResponse()
    with given_back_when_cancelled(engine, poller, started):
        if isinstance(started, Query):
            sticky = request.task_queue.name != started.normal_queue
            return await query_task_reply(engine, started, request.task_queue.name, sticky)
        reply = await workflow_task_reply(engine, started)
    suggest_polls(engine, poller, reply)
    return reply


@dataclass(slots=True)
class _Completed:
    """What a completion led to: an error for a workflow task that was failed, or what the worker gets next."""

    error: ServiceError | None = None
    task: StartedWorkflowTask | None = None
    activities: list[StartedActivityTask] = field(default_factory=list)
    scheduled: bool = False
    run_id: str = ""
    reset_event_id: int = 0


async def respond_workflow_task_completed(
    engine: Engine, namespace: NamespaceEntry, request: RespondWorkflowTaskCompletedRequest
) -> RespondWorkflowTaskCompletedResponse:
    """Applies the commands of a workflow task, in one commit with all that follows from them.

    Raises:
        InvalidArgument: a command is bad; the workflow task has been failed, unless the text says otherwise.
        NamespaceNotFound: a command names an unknown namespace.
        NotFound: the task is not in progress any more.
    """
    targets = await command_targets(engine, namespace, request.commands)
    prepared = _prepare_completion(engine, namespace, request, targets)
    done = await engine.execute(prepared)
    engine.queries.answer_buffered(done.run_id, request.query_results)
    if not done.scheduled:
        engine.queries.release(done.run_id)
    if done.error is not None:
        raise done.error
    return RespondWorkflowTaskCompletedResponse(
        workflow_task=await workflow_task_reply(engine, done.task) if done.task is not None else None,
        activity_tasks=[activity_task_reply(engine, namespace.name, each) for each in done.activities],
        reset_history_event_id=done.reset_event_id,
    )


def _prepare_completion(
    engine: Engine,
    namespace: NamespaceEntry,
    request: RespondWorkflowTaskCompletedRequest,
    targets: Mapping[str, Target],
) -> Prepared[_Completed]:
    check_name(request.identity, "Identity", engine.limits)
    check_name(request.sticky_attributes.worker_task_queue.name, "StickyTaskQueue", engine.limits)
    token = _token(engine, namespace, request.task_token)
    if request.intermediate_page or request.page_number:
        raise FailedPrecondition(f"workflow task completion pagination is disabled for this namespace {namespace.name}")
    _check_versioning(request)
    command_checks.check_sequence(list(request.commands))
    for message in request.messages:
        if not message.HasField("body"):
            raise InvalidArgument("nil message body")

    def operation(unit: Unit) -> _Completed:
        run = unit.run()
        task = _check(run, token)
        done = _Completed(run_id=run.state.run_id)
        worker = _worker(request)
        heartbeat = request.force_create_new_workflow_task and not request.commands and not request.messages
        if heartbeat and unit.now > task.original_scheduled_time + engine.limits.workflow_task_heartbeat_timeout:
            _end_heartbeat(run)
            done.error, done.scheduled = NotFound("workflow task heartbeat timeout"), True
            return done
        try:
            if task.speculative and _leaves_nothing(run, request):
                done.reset_event_id = run.state.previous_started_event_id
            completion = _complete(run, namespace, request, targets, dropped=done.reset_event_id > 0)
        except CommandFailed as failed:
            return _refuse(unit, run, task, failed, request, done)
        done.activities = [
            start_activity_task(unit, run, each.scheduled_event_id, None, engine.new_uuid(), worker)
            for each in completion.eager
            if each.scheduled_event_id in run.state.activities
        ]
        if run.state.running:
            if run.state.updates and not heartbeat:
                update.reject_unanswered(run)
            _go_on(unit, run, request, completion, task.original_scheduled_time if heartbeat else 0, done)
        return done

    return Prepared(engine.key(namespace, token.workflow_id), operation, token.run_id)


def _worker(request: RespondWorkflowTaskCompletedRequest) -> Worker:
    return Worker(request.identity, request.worker_version_stamp if request.HasField("worker_version_stamp") else None)


def _leaves_nothing(run: Run, request: RespondWorkflowTaskCompletedRequest) -> bool:
    """Whether nothing came of a speculative workflow task, so that it need not be in the history."""
    return (
        not request.commands
        and not request.force_create_new_workflow_task
        and update_messages.only_rejections(request.messages)
        and workflow_task.can_be_dropped(run, request.capabilities.discard_speculative_workflow_task_with_events)
    )


def _complete(
    run: Run,
    namespace: NamespaceEntry,
    request: RespondWorkflowTaskCompletedRequest,
    targets: Mapping[str, Target],
    *,
    dropped: bool,
) -> Completion:
    state = run.state
    if dropped:
        workflow_task.drop(run)
        event_id = state.next_event_id - 1
    else:
        event_id = workflow_task.complete(
            run,
            identity=request.identity,
            binary_checksum=request.binary_checksum,
            worker_version=request.worker_version_stamp if request.HasField("worker_version_stamp") else None,
            sdk_metadata=request.sdk_metadata if request.HasField("sdk_metadata") else None,
            metering_metadata=request.metering_metadata if request.HasField("metering_metadata") else None,
        )
    state.sticky_queue = request.sticky_attributes.worker_task_queue.name
    state.sticky_timeout = (
        max(0, length_ns(request.sticky_attributes.schedule_to_start_timeout)) if state.sticky_queue else 0
    )
    completion = Completion(
        event_id,
        request.identity,
        namespace.name,
        namespace.search_attributes,
        targets,
        messages=list(request.messages),
    )
    commands.apply(run, list(request.commands), completion)
    update_messages.process_rest(run, completion)
    return completion


def _go_on(
    unit: Unit,
    run: Run,
    request: RespondWorkflowTaskCompletedRequest,
    completion: Completion,
    original_time: int,
    done: _Completed,
) -> None:
    """Schedules the next workflow task when there is a reason for one, and hands it over inline when asked to."""
    if request.force_create_new_workflow_task or run.has_buffered or completion.wake:
        workflow_task.schedule(run, original_time=original_time)
    elif run.state.updates and update.waiting(run.state):
        workflow_task.schedule(run, speculative=request.return_new_workflow_task)
    else:
        return
    done.scheduled = True
    if request.return_new_workflow_task:
        dispatch = next(each for each in run.dispatches if each.kind == WORKFLOW)
        run.dispatches.remove(dispatch)
        done.task = start_workflow_task(
            unit,
            run,
            dispatch.scheduled_event_id,
            None,
            workflow_task.INLINE_REQUEST_ID,
            _worker(request),
            goes_on=original_time > 0,
        )


def _refuse(
    unit: Unit,
    run: Run,
    task: WorkflowTask,
    failed: CommandFailed,
    request: RespondWorkflowTaskCompletedRequest,
    done: _Completed,
) -> _Completed:
    """Fails the workflow task for a bad command; nothing else of the completion is kept."""
    unhandled = failed.cause == _F.WORKFLOW_TASK_FAILED_CAUSE_UNHANDLED_COMMAND
    error = InvalidArgument(failed.message)
    if task.attempt > 1 and not unhandled and not failed.terminates:
        raise error
    run = unit.start_over(run)
    workflow_task.fail(
        run,
        cause=failed.cause,
        identity=request.identity,
        failure=Failure(message=failed.message, server_failure_info=ServerFailureInfo()),
        binary_checksum=request.binary_checksum,
    )
    if run.state.updates:
        update.task_refused(run)
    if failed.terminates:
        closing.terminate(run, reason=failed.message, identity=workflow_task.SERVER_IDENTITY)
    else:
        run.state.close_attempted = unhandled
        workflow_task.schedule(run)
        done.scheduled = True
    done.error = error
    return done


def _end_heartbeat(run: Run) -> None:
    """A workflow task that was kept alive for too long times out, and starts over on the normal queue."""
    workflow_task.time_out(run, TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE)
    workflow_task.clear_sticky(run)
    workflow_task.schedule(run)


def respond_workflow_task_failed(
    engine: Engine, namespace: NamespaceEntry, request: RespondWorkflowTaskFailedRequest
) -> Prepared[RespondWorkflowTaskFailedResponse]:
    """The worker could not process its workflow task; it is tried again at once.

    Raises:
        InvalidArgument: the request is wrong.
        NotFound: the task is not in progress any more, or the run is closed.
    """
    check_name(request.identity, "Identity", engine.limits)
    token = _token(engine, namespace, request.task_token)
    failure: Failure | None = request.failure if request.HasField("failure") else None
    if failure is not None and failure.ByteSize() > engine.limits.blob_size:
        failure = activity.truncated(failure, engine.limits.blob_size)

    def operation(unit: Unit) -> RespondWorkflowTaskFailedResponse:
        run = unit.run()
        if not run.state.running:
            raise WorkflowClosed()
        _check(run, token)
        if request.cause == _F.WORKFLOW_TASK_FAILED_CAUSE_GRPC_MESSAGE_TOO_LARGE:
            closing.terminate(run, reason="GrpcMessageTooLarge", identity=workflow_task.SERVER_IDENTITY)
            return RespondWorkflowTaskFailedResponse()
        workflow_task.fail(
            run,
            cause=request.cause,
            identity=request.identity,
            failure=failure,
            binary_checksum=request.binary_checksum,
        )
        workflow_task.schedule(run)
        return RespondWorkflowTaskFailedResponse()

    return Prepared(engine.key(namespace, token.workflow_id), operation, token.run_id)


def _token(engine: Engine, namespace: NamespaceEntry, data: bytes) -> WorkflowTaskToken:
    token = engine.tokens.decode(data, namespace.id)
    if not isinstance(token, WorkflowTaskToken):
        raise NotFound("Workflow task not found.")
    return token


def _check(run: Run, token: WorkflowTaskToken) -> WorkflowTask:
    return workflow_task.check(
        run,
        scheduled_event_id=token.scheduled_event_id,
        started_event_id=token.started_event_id,
        started_time=token.started_time,
        attempt=token.attempt,
    )


def _check_versioning(request: RespondWorkflowTaskCompletedRequest) -> None:
    unspecified = VersioningBehavior.VERSIONING_BEHAVIOR_UNSPECIFIED
    versioned = WorkerVersioningMode.WORKER_VERSIONING_MODE_VERSIONED
    if request.versioning_behavior != unspecified and request.deployment_options.worker_versioning_mode != versioned:
        raise InvalidArgument(
            "versioning behavior cannot be specified without deployment options being set with versioned mode"
        )
