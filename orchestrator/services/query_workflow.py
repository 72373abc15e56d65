"""QueryWorkflow.

A query of a run that has a workflow task ahead travels with that task, so that it sees all that came before it. Any
other query becomes a task of its own, for the sticky queue first. Neither leaves an event.
"""

import asyncio

from temporalio.api.enums.v1 import QueryRejectCondition, WorkflowExecutionStatus
from temporalio.api.query.v1 import QueryRejected
from temporalio.api.workflowservice.v1 import (
    QueryWorkflowRequest,
    QueryWorkflowResponse,
)

from orchestrator.core.request_checks import check_execution
from orchestrator.core.run import WORKFLOW
from orchestrator.core.state import ExecutionState
from orchestrator.core.wire import SECOND
from orchestrator.errors import (
    DeadlineExceeded,
    FailedPrecondition,
    InvalidArgument,
    ServiceError,
    WorkflowBusy,
    WorkflowNotReady,
)
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.pollers import QueueKey
from orchestrator.services.queries import Query
from orchestrator.services.query_messages import id_of
from orchestrator.store.ports import RunKey, WorkflowKey
from orchestrator.store.transition import Unit

DEFAULT_TIMEOUT = 10.0
"""Seconds a query waits when its caller sets no deadline."""
FAILED_ATTEMPTS = 3
NO_POLLER_WINDOW = 20 * SECOND
LATE_ANSWER = 0.1
"""Seconds in which the answer arrives of a workflow task that another process has completed."""
NO_POLLER_MARGIN = 1.0
"""Seconds before the deadline at which a query nobody can answer is given up with a better text."""

_S = WorkflowExecutionStatus
_R = QueryRejectCondition


class _View:
    """What a query needs to know of the run, read under its lock."""

    def __init__(self, state: ExecutionState, version: int) -> None:
        self.version = version
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
            id=id_of(engine.new_uuid(), engine.peers.member),
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


def _look(unit: Unit) -> _View:
    run = unit.run()
    return _View(run.state, unit.loaded(run).version)


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
    engine.queries.buffer(query, until - asyncio.get_running_loop().time())
    watch = asyncio.ensure_future(_release_when_idle(engine, query))
    try:
        return await _wait(engine, query, view, until)
    finally:
        watch.cancel()


async def _release_when_idle(engine: Engine, query: Query) -> None:
    """A run that is closed, or whose workflow task is done elsewhere, has no workflow task ahead any more."""
    key = WorkflowKey(query.key.shard_id, query.namespace_id, query.workflow_id)
    look: Prepared[_View] = Prepared(key, _look, query.key.run_id, fresh=True)
    while not engine.run_waiters.draining:
        waiter = engine.run_waiters.subscribe(query.key)
        try:
            view = await engine.execute(look)
            if not (view.running and view.has_task):
                # The answer of another process may still be on its way.
                await asyncio.sleep(LATE_ANSWER if engine.peers.connected else 0)
                query.resolve(None)
                return
            waiter.version = max(waiter.version, view.version)
            await waiter.future
        except ServiceError:
            return  # The caller finds out by itself, or runs out of time.
        finally:
            engine.run_waiters.cancel(waiter)


async def _ask_directly(engine: Engine, query: Query, view: _View, until: float) -> QueryWorkflowResponse:
    """Asks the worker that has the run in memory, then any worker of the queue."""
    queries = engine.queries
    queries.ask_directly(query)
    if view.sticky_queue and view.running:
        sticky = QueueKey(query.namespace_id, view.sticky_queue, WORKFLOW)
        if engine.matching.served(sticky):
            patience = asyncio.get_running_loop().time() + view.sticky_timeout / SECOND
            await queries.offer(sticky, query, min(until, patience))
    offering = asyncio.ensure_future(
        queries.offer(QueueKey(query.namespace_id, view.task_queue, WORKFLOW), query, until)
    )
    try:
        reply = await _wait(engine, query, view, until)
    finally:
        offering.cancel()
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
