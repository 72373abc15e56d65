"""Replies of polls, assembled from the stored bytes of the history."""

from temporalio.api.common.v1 import WorkflowExecution, WorkflowType
from temporalio.api.history.v1 import History
from temporalio.api.query.v1 import WorkflowQuery
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueResponse, PollWorkflowTaskQueueResponse

from orchestrator.core.wire import timestamp
from orchestrator.core.workflow_task import queue_message
from orchestrator.services.engine import Engine
from orchestrator.services.history_pages import LARGEST_PAGE, PAGE_SIZE, events_of
from orchestrator.services.history_token import HistoryToken, encode_token
from orchestrator.services.pollers import StartedActivityTask, StartedWorkflowTask
from orchestrator.services.queries import Query
from orchestrator.services.task_token import QueryTaskToken, WorkflowTaskToken
from orchestrator.store.ports import Node, RunKey


async def workflow_task_reply(engine: Engine, started: StartedWorkflowTask) -> PollWorkflowTaskQueueResponse:
    """The reply that hands a started workflow task to its worker."""
    task = started.task
    history, token = await _history(engine, started)
    token_bytes = engine.tokens.encode(
        WorkflowTaskToken(
            started.namespace_id,
            started.workflow_id,
            started.run_id,
            task.scheduled_event_id,
            task.started_event_id,
            task.started_time,
            task.attempt,
        )
    )
    reply = PollWorkflowTaskQueueResponse(
        task_token=token_bytes,
        workflow_execution=WorkflowExecution(workflow_id=started.workflow_id, run_id=started.run_id),
        workflow_type=WorkflowType(name=started.workflow_type),
        previous_started_event_id=started.previous_started_event_id,
        started_event_id=task.started_event_id,
        attempt=task.attempt,
        workflow_execution_task_queue=queue_message(started.normal_queue),
        scheduled_time=timestamp(task.scheduled_time),
        started_time=timestamp(task.started_time),
        history=history,
        next_page_token=token,
        queries=_queries(engine, started.run_id),
        messages=started.messages,
    )
    if not token:
        reply.history.events.extend(started.transient)
    return reply


def activity_task_reply(engine: Engine, namespace: str, started: StartedActivityTask) -> PollActivityTaskQueueResponse:
    """The reply that hands a started activity attempt to its worker."""
    reply = started.reply
    reply.workflow_namespace = namespace
    reply.task_token = engine.tokens.encode(started.token)
    return reply


async def query_task_reply(engine: Engine, query: Query, queue: str, sticky: bool) -> PollWorkflowTaskQueueResponse:
    """The reply that asks a worker a query of its own: with the whole history, or none for a worker that has it."""
    reply = PollWorkflowTaskQueueResponse(
        task_token=engine.tokens.encode(QueryTaskToken(query.namespace_id, queue, query.id)),
        workflow_execution=WorkflowExecution(workflow_id=query.workflow_id, run_id=query.key.run_id),
        workflow_type=WorkflowType(name=query.workflow_type),
        previous_started_event_id=query.previous_started_event_id,
        attempt=1,
        workflow_execution_task_queue=queue_message(query.normal_queue),
        query=query.query,
        history=History(),
    )
    if sticky:
        engine.queries.take(query)
        return reply
    last = query.last_event_id
    nodes: list[Node] = await engine.run_db(engine.store.read_nodes, query.key, 1, last, LARGEST_PAGE, PAGE_SIZE)
    reply.history.CopyFrom(events_of(nodes, 1, last))
    if nodes and (next_event_id := reply.history.events[-1].event_id + 1) <= last:
        reply.next_page_token = encode_token(
            HistoryToken(query.workflow_id, query.key.run_id, next_event_id, last, running=False)
        )
    engine.queries.take(query)
    return reply


def _queries(engine: Engine, run_id: str) -> dict[str, WorkflowQuery]:
    return {query.id: query.query for query in engine.queries.buffered(run_id).values()}


async def _history(engine: Engine, started: StartedWorkflowTask) -> tuple[History, bytes]:
    """The events of the first page, and the token of the next, with which the worker fetches the others."""
    first, last = started.first_event_id, started.task.started_event_id
    if started.transient:
        # A speculative task may have come into the history meanwhile.
        last = started.transient[0].event_id - 1
    kept = started.loaded.kept(first, last)
    if kept is not None:
        nodes = kept[:LARGEST_PAGE]
    else:
        key: RunKey = started.loaded.key
        nodes = await engine.run_db(engine.store.read_nodes, key, first, last, LARGEST_PAGE, PAGE_SIZE)
    history = events_of(nodes, first, last)
    next_event_id = history.events[-1].event_id + 1 if history.events else first
    if next_event_id > last:
        return history, b""
    token = HistoryToken(
        started.workflow_id,
        started.run_id,
        next_event_id,
        last,
        running=False,
        transient=[event.SerializeToString() for event in started.transient],
    )
    return history, encode_token(token)
