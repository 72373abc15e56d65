"""Workers of the unmodified SDK, and what tests ask of the runs they work on."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client, WorkflowHandle
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

T = TypeVar("T")
PATIENCE = 30.0
AWAY = frozenset(
    {
        RPCStatusCode.UNAVAILABLE,
        RPCStatusCode.CANCELLED,
        RPCStatusCode.UNKNOWN,
        RPCStatusCode.DEADLINE_EXCEEDED,
        RPCStatusCode.INTERNAL,
    }
)
"""What a client hears while there is no server."""


def new_worker(
    client: Client,
    task_queue: str,
    *,
    workflows: Sequence[type] = (),
    activities: Sequence[Callable[..., Any]] = (),
    **options: Any,
) -> Worker:
    """A worker; run it with `async with`. The sandbox is left out: it is the SDK's business, and slow to import."""
    return Worker(
        client,
        task_queue=task_queue,
        workflows=workflows,
        activities=activities,
        workflow_runner=UnsandboxedWorkflowRunner(),
        **options,
    )


async def eventually(look: Callable[[], Awaitable[T]], what: str = "the condition") -> T:
    """Looks until the answer is true, and returns it."""
    loop = asyncio.get_running_loop()
    until = loop.time() + PATIENCE
    while not (seen := await look()):
        assert loop.time() < until, f"{what} did not come true"
        await asyncio.sleep(0.02)
    return seen


async def insist(call: Callable[[], Awaitable[T]]) -> T:
    """Repeats a call until a server that comes and goes acknowledges it."""
    while True:
        try:
            return await call()
        except RPCError as error:
            if error.status not in AWAY:
                raise
            await asyncio.sleep(0.05)


async def events_of(handle: WorkflowHandle[Any, Any]) -> list[HistoryEvent]:
    """The history of a run as it is now."""
    return list((await handle.fetch_history()).events)


def names(events: Sequence[HistoryEvent]) -> list[str]:
    """The types of events, without their prefix."""
    return [EventType.Name(event.event_type).removeprefix("EVENT_TYPE_") for event in events]


def only(events: Sequence[HistoryEvent], name: str) -> HistoryEvent:
    """The one event of a type."""
    (found,) = all_of(events, name)
    return found


def all_of(events: Sequence[HistoryEvent], name: str) -> list[HistoryEvent]:
    """The events of a type."""
    return [event for event in events if event.event_type == EventType.Value(f"EVENT_TYPE_{name}")]


async def has_event(handle: WorkflowHandle[Any, Any], name: str) -> bool:
    """Whether an event of a type is in the history."""
    return bool(all_of(await events_of(handle), name))


async def pending_activity(handle: WorkflowHandle[Any, Any]) -> Any:
    """What the description says of the one pending activity; None when there is none."""
    raw = (await handle.describe()).raw_description
    return raw.pending_activities[0] if raw.pending_activities else None
