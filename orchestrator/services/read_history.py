"""GetWorkflowExecutionHistory and GetWorkflowExecutionHistoryReverse."""

import asyncio
from collections.abc import Callable

from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    GetWorkflowExecutionHistoryReverseRequest,
    GetWorkflowExecutionHistoryReverseResponse,
)

from orchestrator.services import history_pages as pages
from orchestrator.services.engine import Engine
from orchestrator.services.history_pages import Extent
from orchestrator.services.history_token import HistoryToken, encode_token
from orchestrator.services.namespace_registry import NamespaceEntry
from orchestrator.store.ports import RunKey, WorkflowKey

MARGIN = 1.0
"""Seconds before its caller's deadline at which a long poll is answered empty."""


async def get_workflow_execution_history(
    engine: Engine,
    namespace: NamespaceEntry,
    request: GetWorkflowExecutionHistoryRequest,
    *,
    deadline: float | None,
    follows: bool,
) -> GetWorkflowExecutionHistoryResponse:
    """A page of a run's events, the close event alone, or the next events as they come.

    Args:
        engine: the surroundings.
        namespace: of the workflow.
        request: which run, and which part of its history.
        deadline: of the caller, in seconds of the event loop's clock; a long poll is answered before it.
        follows: whether the caller looks for the next run in every close event; if not, it is told by `next_run`.

    Raises:
        InvalidArgument: the request or its page token is wrong.
        NotFound: no such run.
    """
    execution, token = pages.resolve(request)
    key = engine.key(namespace, token.workflow_id if token is not None else execution.workflow_id)
    until = _patience(engine, deadline)
    if pages.wants_close_event(request):
        run_id = token.run_id if token is not None else execution.run_id
        return await _close_event(engine, key, run_id, request.wait_new_event, until, follows)
    if token is None:
        extent = await engine.execute(pages.extent_of(key, execution.run_id))
        token = pages.token_from(key, 1, extent, request.wait_new_event)
    elif token.running and token.next_event_id > token.last_event_id:
        extent = await _wait_for_more(engine, key, token, until)
        token = pages.token_from(key, token.next_event_id, extent, wait=True)
    return await engine.run_db(pages.page, engine.store, key, token, pages.page_size(request))


async def get_workflow_execution_history_reverse(
    engine: Engine, namespace: NamespaceEntry, request: GetWorkflowExecutionHistoryReverseRequest
) -> GetWorkflowExecutionHistoryReverseResponse:
    """A page of a run's events, newest first; errors as the other direction."""
    execution, token = pages.resolve(request)
    key = engine.key(namespace, token.workflow_id if token is not None else execution.workflow_id)
    if token is None:
        token = pages.token_from_end(key, await engine.execute(pages.extent_of(key, execution.run_id)))
    return await engine.run_db(pages.page_backwards, engine.store, key, token, pages.page_size(request))


async def _close_event(
    engine: Engine, key: WorkflowKey, run_id: str, wait: bool, until: float, follows: bool
) -> GetWorkflowExecutionHistoryResponse:
    """The last event of a closed run; of an open one, after waiting when asked to, nothing yet."""
    extent = await engine.execute(pages.extent_of(key, run_id))
    if extent.running and wait:
        extent = await _wait(engine, key, extent.run_id, lambda extent: not extent.running, until, closing=True)
    response = await engine.run_db(pages.close_event, engine.store, key, extent, follows)
    if extent.running and wait:
        response.next_page_token = encode_token(pages.token_from(key, extent.last_event_id + 1, extent, wait))
    return response


async def _wait_for_more(engine: Engine, key: WorkflowKey, token: HistoryToken, until: float) -> Extent:
    """Waits until the run has events past the token or is closed."""

    def more(extent: Extent) -> bool:
        return extent.last_event_id >= token.next_event_id or not extent.running

    return await _wait(engine, key, token.run_id, more, until)


def _patience(engine: Engine, deadline: float | None) -> float:
    """Until when a long poll may wait: so that its caller still gets the empty reply."""
    until = asyncio.get_running_loop().time() + engine.settings.history_poll_timeout
    return until if deadline is None else min(until, deadline - MARGIN)


async def _wait(
    engine: Engine,
    key: WorkflowKey,
    run_id: str,
    done: Callable[[Extent], bool],
    until: float,
    *,
    closing: bool = False,
) -> Extent:
    """Reads the extent until it is as wanted or the time is up; `closing`: whether only the close can make it so."""
    loop = asyncio.get_running_loop()
    while True:
        waiter = engine.run_waiters.subscribe(RunKey(key.shard_id, run_id), closing=closing)
        try:
            extent = await engine.execute(pages.extent_of(key, run_id))
            left = until - loop.time()
            if done(extent) or left <= 0 or engine.run_waiters.draining:
                return extent
            waiter.version = max(waiter.version, extent.version)
            await asyncio.wait({waiter.future}, timeout=left)
        finally:
            engine.run_waiters.cancel(waiter)
