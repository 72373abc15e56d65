"""GetWorkflowExecutionHistory and GetWorkflowExecutionHistoryReverse (temporal-behaviour 5).

Pages are made of whole history nodes, in the unit the events were committed in.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    GetWorkflowExecutionHistoryReverseRequest,
    GetWorkflowExecutionHistoryReverseResponse,
)

from orchestrator.core.request_checks import check_execution
from orchestrator.errors import InvalidArgument
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.history_token import HistoryToken, decode_token, encode_token
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.store.ports import Node, RunKey, WorkflowKey
from orchestrator.store.transition import Unit

LARGEST_PAGE = 256
MARGIN = 1.0
"""Seconds before the caller's deadline at which a long poll is answered."""


@dataclass(frozen=True, slots=True)
class _Extent:
    """How far a history goes."""

    run_id: str
    last_event_id: int
    running: bool


async def get_workflow_execution_history(
    engine: Engine, namespace: NamespaceEntry, request: GetWorkflowExecutionHistoryRequest, *, deadline: float | None
) -> GetWorkflowExecutionHistoryResponse:
    """A page of a run's events, the close event alone, or the next events as they come.

    Args:
        engine: the surroundings.
        namespace: of the workflow.
        request: which run, and which part of its history.
        deadline: of the caller, in seconds of the event loop's clock; a long poll is answered before it.

    Raises:
        InvalidArgument: the request or its page token is wrong.
        NotFound: no such run.
    """
    execution, token = _resolve(request.execution if request.HasField("execution") else None, request.next_page_token)
    key = engine.key(namespace, token.workflow_id if token is not None else execution.workflow_id)
    until = _patience(engine, deadline)
    if request.history_event_filter_type == HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT:
        return await _close_event(engine, key, execution, request, token, until)
    if token is None:
        extent = await _extent(engine, key, execution.run_id)
        token = HistoryToken(key.workflow_id, extent.run_id, 1, extent.last_event_id, extent.running and request.wait_new_event)
    elif token.running and token.next_event_id > token.last_event_id:
        extent = await _wait_for_more(engine, key, token, until)
        token = HistoryToken(key.workflow_id, extent.run_id, token.next_event_id, extent.last_event_id, extent.running)
    size = request.maximum_page_size
    size = LARGEST_PAGE if size <= 0 else min(size, LARGEST_PAGE)
    run_key = RunKey(key.shard_id, token.run_id)
    nodes: list[Node] = []
    if token.next_event_id <= token.last_event_id:
        nodes = await engine.run_db(
            engine.store.read_nodes, run_key, token.next_event_id, token.last_event_id, size
        )
    history = _history(nodes, token.next_event_id, token.last_event_id)
    next_event_id = history.events[-1].event_id + 1 if history.events else token.next_event_id
    response = GetWorkflowExecutionHistoryResponse(history=history)
    if next_event_id <= token.last_event_id or token.running:
        response.next_page_token = encode_token(
            HistoryToken(key.workflow_id, token.run_id, next_event_id, token.last_event_id, token.running, token.transient)
        )
    else:
        history.events.extend(HistoryEvent.FromString(event) for event in token.transient)
        response.history.CopyFrom(history)
    return response


async def get_workflow_execution_history_reverse(
    engine: Engine, namespace: NamespaceEntry, request: GetWorkflowExecutionHistoryReverseRequest
) -> GetWorkflowExecutionHistoryReverseResponse:
    """A page of a run's events, newest first; errors as the other direction."""
    execution, token = _resolve(request.execution if request.HasField("execution") else None, request.next_page_token)
    key = engine.key(namespace, token.workflow_id if token is not None else execution.workflow_id)
    if token is None:
        extent = await _extent(engine, key, execution.run_id)
        token = HistoryToken(key.workflow_id, extent.run_id, extent.last_event_id, extent.last_event_id, running=False)
    size = request.maximum_page_size
    size = LARGEST_PAGE if size <= 0 else min(size, LARGEST_PAGE)
    nodes: list[Node] = await engine.run_db(
        engine.store.read_nodes_backwards, RunKey(key.shard_id, token.run_id), token.next_event_id, size
    )
    events = [
        event
        for node in nodes
        for event in reversed(History.FromString(node.events).events)
        if event.event_id <= token.next_event_id
    ]
    response = GetWorkflowExecutionHistoryReverseResponse(history=History(events=events))
    if events and events[-1].event_id > 1:
        following = HistoryToken(key.workflow_id, token.run_id, events[-1].event_id - 1, token.last_event_id, running=False)
        response.next_page_token = encode_token(following)
    return response


async def _close_event(
    engine: Engine,
    key: WorkflowKey,
    execution: WorkflowExecution,
    request: GetWorkflowExecutionHistoryRequest,
    token: HistoryToken | None,
    until: float,
) -> GetWorkflowExecutionHistoryResponse:
    """The last event of a closed run; of an open one, after waiting when asked to, nothing yet."""
    extent = await _extent(engine, key, token.run_id if token is not None else execution.run_id)
    if extent.running and request.wait_new_event:
        extent = await _wait(engine, key, extent.run_id, lambda extent: not extent.running, until)
    if extent.running:
        response = GetWorkflowExecutionHistoryResponse(history=History())
        if request.wait_new_event:
            again = HistoryToken(key.workflow_id, extent.run_id, extent.last_event_id + 1, extent.last_event_id, running=True)
            response.next_page_token = encode_token(again)
        return response
    last = extent.last_event_id
    nodes = await engine.run_db(engine.store.read_nodes, RunKey(key.shard_id, extent.run_id), last, last)
    return GetWorkflowExecutionHistoryResponse(history=_history(nodes, last, last))


async def _wait_for_more(engine: Engine, key: WorkflowKey, token: HistoryToken, until: float) -> _Extent:
    """Waits until the run has events past the token or is closed."""

    def more(extent: _Extent) -> bool:
        return extent.last_event_id >= token.next_event_id or not extent.running

    return await _wait(engine, key, token.run_id, more, until)


def _patience(engine: Engine, deadline: float | None) -> float:
    """Until when a long poll may wait: so that its caller still gets the empty reply."""
    until = asyncio.get_running_loop().time() + engine.settings.history_poll_timeout
    return until if deadline is None else min(until, deadline - MARGIN)


async def _wait(
    engine: Engine, key: WorkflowKey, run_id: str, done: Callable[[_Extent], bool], until: float
) -> _Extent:
    """Reads the extent until it is as wanted or the time is up. Subscribing comes first, so no change is missed."""
    loop = asyncio.get_running_loop()
    while True:
        changed = engine.history_waiters.subscribe(run_id)
        try:
            extent = await _extent(engine, key, run_id)
            left = until - loop.time()
            if done(extent) or left <= 0 or engine.history_waiters.draining:
                return extent
            await asyncio.wait({changed}, timeout=left)
        finally:
            engine.history_waiters.cancel(run_id, changed)


async def _extent(engine: Engine, key: WorkflowKey, run_id: str) -> _Extent:
    def look(unit: Unit) -> _Extent:
        state = unit.run().state
        return _Extent(state.run_id, state.next_event_id - 1, state.running)

    prepared: Prepared[_Extent] = Prepared(key, look, run_id)
    return await engine.execute(prepared)


def _resolve(execution: WorkflowExecution | None, token: bytes) -> tuple[WorkflowExecution, HistoryToken | None]:
    check_execution(execution)
    assert execution is not None
    if not token:
        return execution, None
    decoded = decode_token(token)
    if execution.run_id and execution.run_id != decoded.run_id:
        raise InvalidArgument("RunId in the request does not match the NextPageToken.")
    return execution, decoded


def _history(nodes: list[Node], first: int, last: int) -> History:
    """The events of nodes from `first` to `last`."""
    history = History.FromString(b"".join(node.events for node in nodes))
    if history.events and (history.events[0].event_id < first or history.events[-1].event_id > last):
        return History(events=[event for event in history.events if first <= event.event_id <= last])
    return history
