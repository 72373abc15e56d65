"""What a shape is: something that makes histories with workers, and the events that prove it did."""

import contextlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.worker import Worker

from tests.functional.workers import eventually, has_event, new_worker

Handle = WorkflowHandle[Any, Any]


@dataclass(frozen=True)
class Stage:
    """Where one shape is played.

    Attributes:
        client: of the server.
        task_queue: a worker that has all workflows and activities of all shapes serves it.
        own_queue: nobody serves it, until the shape does.
        workflow_id: what the ids of all workflows of the shape begin with.
    """

    client: Client
    task_queue: str
    own_queue: str
    workflow_id: str

    async def start(self, run: Callable[..., Any], *args: Any, **options: Any) -> Handle:
        """Starts a workflow; its queue and its id may be given."""
        given = {"id": self.workflow_id, "task_queue": self.task_queue} | options
        handle: Handle = await self.client.start_workflow(run, args=args, **given)
        return handle

    async def play(self, run: Callable[..., Any], *args: Any, **options: Any) -> Any:
        """Starts a workflow and returns its result."""
        return await (await self.start(run, *args, **options)).result()

    def worker(self, **options: Any) -> Worker:
        """A worker of the shape's own queue."""
        return new_worker(self.client, self.own_queue, **options)

    def run_of(self, handle: Handle) -> Handle:
        """The very run that a start began, not what became of it."""
        return self.client.get_workflow_handle(handle.id, run_id=handle.result_run_id)


async def ended(handle: Handle) -> None:
    """Returns when a workflow is over, however it ended."""
    with contextlib.suppress(WorkflowFailureError):
        await handle.result()


async def reached(handle: Handle, event: str) -> None:
    """Returns when an event of a type is in a history."""
    await eventually(lambda: has_event(handle, event), f"{event} of {handle.id}")


@dataclass(frozen=True)
class Shape:
    """One of them; `events` are types that its histories must have."""

    name: str
    play: Callable[[Stage], Awaitable[None]]
    events: tuple[str, ...]


SHAPES: list[Shape] = []
"""All there are, once the modules of this package are imported."""


def shape(*events: str) -> Callable[[Callable[[Stage], Awaitable[None]]], Callable[[Stage], Awaitable[None]]]:
    """Makes a coroutine a shape."""

    def register(play: Callable[[Stage], Awaitable[None]]) -> Callable[[Stage], Awaitable[None]]:
        SHAPES.append(Shape(play.__name__, play, events))
        return play

    return register
