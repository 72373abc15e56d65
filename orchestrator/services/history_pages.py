"""Pages of histories: whole history nodes, in the unit the events were committed in.

What waits for more events is in `read_history`; here a history is read as it is, in the caller's thread.
"""

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.history.v1 import History, HistoryEvent
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    GetWorkflowExecutionHistoryReverseRequest,
    GetWorkflowExecutionHistoryReverseResponse,
)

from orchestrator.core.limits import MIB
from orchestrator.core.request_checks import check_execution
from orchestrator.errors import InvalidArgument, WorkflowNotFound
from orchestrator.services.engine import Engine, Prepared
from orchestrator.services.history_token import HistoryToken, decode_token, encode_token
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.services.next_run import as_continued
from orchestrator.store.ports import Node, RunKey, Store, WorkflowKey
from orchestrator.store.transition import Unit

LARGEST_PAGE = 256
"""History nodes of a page, at most."""
PAGE_SIZE = 3 * MIB
"""Bytes of events in a page, at most, unless it has but one event: what remains of the 4 MiB that clients accept unless
told otherwise is for what else a reply holds."""

Request = GetWorkflowExecutionHistoryRequest | GetWorkflowExecutionHistoryReverseRequest


class Reader(Protocol):
    """What reads history nodes: a store, or a session inside a transaction."""

    def read_nodes(self, key: RunKey, first: int, last: int, limit: int = 0, size: int = 0) -> list[Node]:
        """See Session."""
        ...


@dataclass(frozen=True, slots=True)
class Extent:
    """How far a history goes, in that version of its run."""

    run_id: str
    version: int
    last_event_id: int
    running: bool


def history_as_it_is(
    engine: Engine, namespace: NamespaceEntry, request: GetWorkflowExecutionHistoryRequest
) -> GetWorkflowExecutionHistoryResponse:
    """A page of a run's events, or the close event alone; never waits. Joins a transaction the thread has open.

    Raises:
        InvalidArgument: the request or its page token is wrong.
        NotFound: no such run.
    """
    execution, token = resolve(request)
    key = engine.key(namespace, token.workflow_id if token is not None else execution.workflow_id)
    run_id = token.run_id if token is not None else execution.run_id
    with engine.store.joined() as session:
        if wants_close_event(request):
            return close_event(session, key, engine.execute_joined(extent_of(key, run_id)))
        if token is None or token.next_event_id > token.last_event_id:
            begin = 1 if token is None else token.next_event_id
            token = token_from(key, begin, engine.execute_joined(extent_of(key, run_id)), wait=False)
        return page(session, key, token, page_size(request))


def history_backwards_as_it_is(
    engine: Engine, namespace: NamespaceEntry, request: GetWorkflowExecutionHistoryReverseRequest
) -> GetWorkflowExecutionHistoryReverseResponse:
    """A page of a run's events, newest first; otherwise as `history_as_it_is`."""
    execution, token = resolve(request)
    key = engine.key(namespace, token.workflow_id if token is not None else execution.workflow_id)
    if token is None:
        token = token_from_end(key, engine.execute_joined(extent_of(key, execution.run_id)))
    return page_backwards(engine.store, key, token, page_size(request))


def resolve(request: Request) -> tuple[WorkflowExecution, HistoryToken | None]:
    """The checked execution of a request and its page token; raises InvalidArgument."""
    execution = request.execution if request.HasField("execution") else None
    check_execution(execution)
    assert execution is not None
    if not request.next_page_token:
        return execution, None
    decoded = decode_token(request.next_page_token)
    if execution.run_id and execution.run_id != decoded.run_id:
        raise InvalidArgument("RunId in the request does not match the NextPageToken.")
    return execution, decoded


def wants_close_event(request: GetWorkflowExecutionHistoryRequest) -> bool:
    """Whether only the last event of a closed run is asked for."""
    return request.history_event_filter_type == HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT


def page_size(request: Request) -> int:
    """The history nodes of a page."""
    return min(request.maximum_page_size, LARGEST_PAGE) if request.maximum_page_size > 0 else LARGEST_PAGE


def extent_of(key: WorkflowKey, run_id: str) -> Prepared[Extent]:
    """How far the history of a run goes; raises NotFound when executed."""

    def look(unit: Unit) -> Extent:
        run = unit.run()
        state = run.state
        return Extent(state.run_id, unit.loaded(run).version, state.next_event_id - 1, state.running)

    return Prepared(key, look, run_id, fresh=True)


def token_from(key: WorkflowKey, next_event_id: int, extent: Extent, wait: bool) -> HistoryToken:
    """The token of the pages that begin at an event; `wait`: whether the last page of an open run leads on to more."""
    return HistoryToken(key.workflow_id, extent.run_id, next_event_id, extent.last_event_id, extent.running and wait)


def token_from_end(key: WorkflowKey, extent: Extent) -> HistoryToken:
    """The token of the pages that begin at the end."""
    return HistoryToken(key.workflow_id, extent.run_id, extent.last_event_id, extent.last_event_id, running=False)


def page(reader: Reader, key: WorkflowKey, token: HistoryToken, size: int) -> GetWorkflowExecutionHistoryResponse:
    """The events from where a token points; raises NotFound when the run was deleted since then."""
    nodes: Sequence[Node] = ()
    if token.next_event_id <= token.last_event_id:
        run = RunKey(key.shard_id, token.run_id)
        nodes = reader.read_nodes(run, token.next_event_id, token.last_event_id, size, PAGE_SIZE)
        if not nodes:
            raise WorkflowNotFound(key.workflow_id, token.run_id)
    history = events_of(nodes, token.next_event_id, token.last_event_id)
    next_event_id = history.events[-1].event_id + 1 if history.events else token.next_event_id
    if next_event_id <= token.last_event_id or token.running:
        last, transient = token.last_event_id, token.transient
        following = HistoryToken(key.workflow_id, token.run_id, next_event_id, last, token.running, transient)
        return GetWorkflowExecutionHistoryResponse(history=history, next_page_token=encode_token(following))
    history.events.extend(HistoryEvent.FromString(event) for event in token.transient)
    return GetWorkflowExecutionHistoryResponse(history=history)


def page_backwards(
    store: Store, key: WorkflowKey, token: HistoryToken, size: int
) -> GetWorkflowExecutionHistoryReverseResponse:
    """The events before where a token points, that one included."""
    nodes = store.read_nodes_backwards(RunKey(key.shard_id, token.run_id), token.next_event_id, size, PAGE_SIZE)
    found = [
        event
        for node in nodes
        for event in reversed(History.FromString(node.events).events)
        if event.event_id <= token.next_event_id
    ]
    events = found[: _fitting(found)] if _large(nodes) else found
    response = GetWorkflowExecutionHistoryReverseResponse(history=History(events=events))
    if events and events[-1].event_id > 1:
        following = HistoryToken(
            key.workflow_id, token.run_id, events[-1].event_id - 1, token.last_event_id, running=False
        )
        response.next_page_token = encode_token(following)
    return response


def close_event(
    reader: Reader, key: WorkflowKey, extent: Extent, follows: bool = False
) -> GetWorkflowExecutionHistoryResponse:
    """The last event of a closed run; of an open one nothing. `follows`: whether its reader follows every next run.

    Raises:
        NotFound: the run was deleted since its extent was read.
    """
    if extent.running:
        return GetWorkflowExecutionHistoryResponse(history=History())
    last = extent.last_event_id
    nodes = reader.read_nodes(RunKey(key.shard_id, extent.run_id), last, last)
    if not nodes:
        raise WorkflowNotFound(key.workflow_id, extent.run_id)
    history = events_of(nodes, last, last)
    return GetWorkflowExecutionHistoryResponse(
        history=history if follows else History(events=map(as_continued, history.events))
    )


def events_of(nodes: Sequence[Node], first: int, last: int) -> History:
    """The events of nodes from `first` to `last`, but no more than fit into a page; at least one, if there is any."""
    history = History.FromString(b"".join(node.events for node in nodes))
    if history.events and (history.events[0].event_id < first or history.events[-1].event_id > last):
        history = History(events=[event for event in history.events if first <= event.event_id <= last])
    if _large(nodes):
        del history.events[_fitting(history.events) :]
    return history


def _large(nodes: Sequence[Node]) -> bool:
    """Whether the events may be more than a page: only of one node, which may itself be larger."""
    return sum(len(node.events) for node in nodes) > PAGE_SIZE


def _fitting(events: Sequence[HistoryEvent]) -> int:
    """How many of the events a page can hold; at least one."""
    sizes = itertools.accumulate(event.ByteSize() for event in events)
    return max(1, sum(size <= PAGE_SIZE for size in sizes))
