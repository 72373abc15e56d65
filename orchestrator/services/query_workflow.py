"""QueryWorkflow and RespondQueryTaskCompleted.

A query of a run that has a workflow task ahead travels with that task, so that it sees all that came before it. Any
other query becomes a task of its own, for the sticky queue first. Neither leaves an event.
"""

import asyncio
from collections.abc import Mapping

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import QueryRejectCondition, QueryResultType, WorkflowExecutionStatus
from temporalio.api.failure.v1 import Failure
from temporalio.api.query.v1 import QueryRejected, WorkflowQueryResult
from temporalio.api.workflowservice.v1 import (
    QueryWorkflowRequest,
    QueryWorkflowResponse,
    RespondQueryTaskCompletedRequest,
    RespondQueryTaskCompletedResponse,
)

from orchestrator.core.request_checks import check_execution
from orchestrator.core.run import WORKFLOW, Run
from orchestrator.core.state import ExecutionState
from orchestrator.core.wire import SECOND
from orchestrator.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    NotFound,
    QueryFailed,
    ServiceError,
    WorkflowBusy,
    WorkflowNotReady,
)
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.history_pages import extent_of
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.pollers import QueueKey
from orchestrator.services.queries import Query
from orchestrator.services.task_token import QueryTaskToken
from orchestrator.store.ports import RunKey, WorkflowKey
from orchestrator.store.transition import Unit

DEFAULT_TIMEOUT = 10.0
"""Seconds a query waits when its caller sets no deadline."""
FAILED_ATTEMPTS = 3
NO_POLLER_WINDOW = 20 * SECOND
NO_POLLER_MARGIN = 1.0
"""Seconds before the deadline at which a query nobody can answer is given up with a better text."""

_S = WorkflowExecutionStatus
_R = QueryRejectCondition


class _View:
    """What a query needs to know of the run, read under its lock."""

    def __init__(self, state: ExecutionState) -> None:
        self.status = state.status
        self.running = state.running
        self.sticky_queue = state.sticky_queue
        self.sticky_timeout = state.sticky_timeout
        self.backoff_until = state.backoff_until
        self.has_task = state.workflow_task is not None
        self.attempt = state.workflow_task_attempt
        self.completed = state.completed_workflow_tasks
        self.run_id = state.run_id
        self.workflow_type = state.workflow_type
        self.task_queue = state.task_queue
        self.previous_started_event_id = state.previous_started_event_id
        self.last_event_id = state.next_event_id - 1


async def query_workflow(
    engine: Engine, namespace: NamespaceEntry, request: QueryWorkflowRequest, *, deadline: float | None
) -> QueryWorkflowResponse:
    """Asks a run, open or closed, and waits for a worker's answer.

    Args:
        engine: the surroundings.
        namespace: of the workflow.
        request: the question.
        deadline: of the caller, in seconds of the event loop's clock.

    Raises:
        InvalidArgument: the request is wrong.
        QueryFailed: the workflow answered with a failure.
        WorkflowNotReady: no worker can answer in the run's present state.
        WorkflowBusy: too many queries wait in the run.
        FailedPrecondition: no worker has polled the queue lately.
        DeadlineExceeded: no worker answered in time.
    """
    _check(engine, request)
    loop = asyncio.get_running_loop()
    until = deadline if deadline is not None else loop.time() + DEFAULT_TIMEOUT
    key = engine.key(namespace, request.execution.workflow_id)
    while True:
        look: Prepared[_View] = Prepared(key, _look, request.execution.run_id, fresh=True)
        view = await engine.execute(look)
        rejected = _reject(request, view)
        if rejected is not None:
            return rejected
        _check_ready(engine, view, until - loop.time())
        query = Query(
            id=engine.new_uuid(),
            key=RunKey(key.shard_id, view.run_id),
            namespace_id=namespace.id,
            workflow_id=request.execution.workflow_id,
            workflow_type=view.workflow_type,
            normal_queue=view.task_queue,
            previous_started_event_id=view.previous_started_event_id,
            last_event_id=view.last_event_id,
            query=request.query,
        )
        try:
            if view.completed and (not view.running or not view.has_task):
                return await _ask_directly(engine, query, view, until)
            answer = await _ask_buffered(engine, query, view, until)
            if answer is not None:
                return answer
        finally:
            engine.queries.withdraw(query)


def respond_query_task_completed(
    engine: Engine, namespace: NamespaceEntry, request: RespondQueryTaskCompletedRequest
) -> RespondQueryTaskCompletedResponse:
    """Takes a worker's answer to a query task.

    Raises:
        InvalidArgument: the token is wrong.
        NotFound: nobody waits for this answer any more.
    """
    token = engine.tokens.decode(request.task_token, namespace.id)
    query = engine.queries.direct(token.task_id) if isinstance(token, QueryTaskToken) else None
    if query is None:
        raise NotFound("query task not found, or already expired")
    _resolve(engine, query, request.completed_type, request.query_result, request.error_message, _failure(request))
    return RespondQueryTaskCompletedResponse()


def answer_buffered(engine: Engine, run_id: str, results: Mapping[str, WorkflowQueryResult]) -> None:
    """Hands the answers that came with a workflow task to their callers; unknown ids are ignored."""
    waiting = engine.queries.buffered(run_id)
    for query_id, result in results.items():
        query = waiting.get(query_id)
        if query is not None:
            _resolve(engine, query, result.result_type, result.answer, result.error_message, _failure(result))


def release_buffered(engine: Engine, run_id: str) -> None:
    """No workflow task is ahead any more: queries that were not answered ask for one of their own."""
    for query in list(engine.queries.buffered(run_id).values()):
        query.resolve(None)


def _look(unit: Unit) -> _View:
    run: Run = unit.run()
    return _View(run.state)


def _check(engine: Engine, request: QueryWorkflowRequest) -> None:
    check_execution(request.execution if request.HasField("execution") else None)
    if not request.HasField("query"):
        raise InvalidArgument("WorkflowQuery is not set on request.")
    if not request.query.query_type:
        raise InvalidArgument("QueryType is not set on request.")
    if request.query.query_args.ByteSize() > engine.limits.blob_size:
        raise InvalidArgument("Blob data size exceeds limit.")


def _reject(request: QueryWorkflowRequest, view: _View) -> QueryWorkflowResponse | None:
    condition = request.query_reject_condition
    if view.running or condition in (
        _R.QUERY_REJECT_CONDITION_UNSPECIFIED,
        _R.QUERY_REJECT_CONDITION_NONE,
    ):
        return None
    clean = view.status == _S.WORKFLOW_EXECUTION_STATUS_COMPLETED
    if condition == _R.QUERY_REJECT_CONDITION_NOT_COMPLETED_CLEANLY and clean:
        return None
    return QueryWorkflowResponse(query_rejected=QueryRejected(status=view.status))  # type: ignore[arg-type]


def _check_ready(engine: Engine, view: _View, seconds: float) -> None:
    if not view.running and not view.completed:
        raise WorkflowNotReady("Workflow execution closed before WorkflowTaskStarted event")
    if view.backoff_until > engine.clock() + int(seconds * SECOND):
        raise WorkflowNotReady("Workflow task is not scheduled yet.")
    if view.running and view.attempt >= FAILED_ATTEMPTS:
        raise WorkflowNotReady("Unable to query workflow due to Workflow Task in failed state.")


async def _ask_buffered(engine: Engine, query: Query, view: _View, until: float) -> QueryWorkflowResponse | None:
    """Waits for the answer with the run's next workflow task; None when that ended without one."""
    if len(engine.queries.buffered(view.run_id)) >= engine.settings.maximum_buffered_queries:
        raise WorkflowBusy(
            "consistent query buffer is full, this may be caused by too many queries and workflow not able to process "
            "query fast enough"
        )
    engine.queries.buffer(query)
    watch = asyncio.ensure_future(_release_when_closed(engine, query))
    try:
        return await _wait(engine, query, view, until)
    finally:
        watch.cancel()


async def _release_when_closed(engine: Engine, query: Query) -> None:
    """A run that is terminated or times out has no workflow task ahead any more."""
    key = WorkflowKey(query.key.shard_id, query.namespace_id, query.workflow_id)
    run_id = query.key.run_id
    while not engine.run_waiters.draining:
        waiter = engine.run_waiters.subscribe(query.key, closing=True)
        try:
            extent = await engine.execute(extent_of(key, run_id))
            if not extent.running:
                query.resolve(None)
                return
            waiter.version = max(waiter.version, extent.version)
            await waiter.future
        except ServiceError:
            return  # The caller finds out by itself, or runs out of time.
        finally:
            engine.run_waiters.cancel(waiter)


async def _ask_directly(engine: Engine, query: Query, view: _View, until: float) -> QueryWorkflowResponse:
    """Asks the worker that has the run in memory, then any worker of the queue."""
    engine.queries.ask_directly(query)
    loop = asyncio.get_running_loop()
    if view.sticky_queue and view.running:
        sticky = QueueKey(query.namespace_id, view.sticky_queue, WORKFLOW)
        if engine.matching.served(sticky):
            engine.matching.offer_query(sticky, query)
            patience = min(until, loop.time() + view.sticky_timeout / SECOND)
            done, _ = await asyncio.wait({query.answer}, timeout=max(0.0, patience - loop.time()))
            if done:
                return _answered(query)
            engine.matching.withdraw_query(sticky, query)
    normal = QueueKey(query.namespace_id, view.task_queue, WORKFLOW)
    engine.matching.offer_query(normal, query)
    try:
        reply = await _wait(engine, query, view, until)
    finally:
        engine.matching.withdraw_query(normal, query)
    assert reply is not None
    return reply


async def _wait(engine: Engine, query: Query, view: _View, until: float) -> QueryWorkflowResponse | None:
    loop = asyncio.get_running_loop()
    left = until - loop.time()
    done, _ = await asyncio.wait({query.answer}, timeout=max(0.0, left - NO_POLLER_MARGIN))
    if not done:
        seen = engine.matching.last_poll(QueueKey(query.namespace_id, view.task_queue, WORKFLOW))
        if seen < engine.clock() - NO_POLLER_WINDOW:
            raise FailedPrecondition("no poller seen for task queue recently, worker may be down")
        done, _ = await asyncio.wait({query.answer}, timeout=max(0.0, until - loop.time()))
    if not done:
        raise DeadlineExceeded("query timed out before a worker could process it")
    return query.answer.result()


def _answered(query: Query) -> QueryWorkflowResponse:
    reply = query.answer.result()
    assert reply is not None
    return reply


def _failure(message: RespondQueryTaskCompletedRequest | WorkflowQueryResult) -> Failure | None:
    return message.failure if message.HasField("failure") else None


def _resolve(
    engine: Engine,
    query: Query,
    result_type: QueryResultType.ValueType,
    answer: Payloads,
    error_message: str,
    failure: Failure | None,
) -> None:
    if result_type == QueryResultType.QUERY_RESULT_TYPE_ANSWERED:
        if answer.ByteSize() > engine.limits.blob_size:
            query.fail(QueryFailed("Blob data size exceeds limit."))
        else:
            query.resolve(QueryWorkflowResponse(query_result=answer))
    elif result_type == QueryResultType.QUERY_RESULT_TYPE_FAILED:
        query.fail(QueryFailed(error_message, failure))
