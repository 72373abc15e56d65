"""Polls that wait, and what they are given."""

import asyncio
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from temporalio.api.common.v1 import WorkerVersionStamp
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.protocol.v1 import Message
from temporalio.api.workflowservice.v1 import PollActivityTaskQueueResponse

from orchestrator.core.state import WorkflowTask
from orchestrator.services.task_token import ActivityTaskToken
from orchestrator.store.loaded import Loaded


class QueueKey(NamedTuple):
    """Names a task queue: a name, and whether it holds workflow or activity tasks."""

    namespace_id: str
    name: str
    kind: int


class PollerInfo(NamedTuple):
    """A worker that polled a queue; `last_access` in nanoseconds since the epoch, `rate` in tasks a second or None."""

    identity: str
    last_access: int
    rate: float | None


@dataclass(slots=True)
class StartedWorkflowTask:
    """A workflow task started for a poll, as it was at that moment.

    Attributes:
        loaded: the run, for its history; later transitions may already have changed its state.
        task: a copy of the task.
        previous_started_event_id: of the last completed workflow task.
        first_event_id: where the history of the reply begins.
        transient: events of a transient or speculative task, which are not stored yet.
        messages: the updates that travel with it.
    """

    namespace_id: str
    workflow_id: str
    run_id: str
    workflow_type: str
    normal_queue: str
    loaded: Loaded
    task: WorkflowTask
    previous_started_event_id: int
    first_event_id: int
    transient: list[HistoryEvent]
    messages: list[Message]


@dataclass(slots=True)
class StartedActivityTask:
    """An activity attempt started for a poll: the reply, but for the namespace's name and the token."""

    reply: PollActivityTaskQueueResponse
    token: ActivityTaskToken


Started = StartedWorkflowTask | StartedActivityTask


@dataclass(eq=False, slots=True)
class Poller:
    """One poll, waiting on the event loop it was made on. Matching's lock guards what changes.

    Attributes:
        queue: what it polls.
        identity: of the worker.
        instance_key: of the worker; empty when it does not say.
        rate: tasks a second the worker wants its queue to hand out at most; None when it does not say.
        deadline: until when it waits, in seconds of the event loop's clock.
        worker_version: what the worker says of its build.
        future: done once the poll is decided.
        item: what it was given.
        expired: its time ran out while a transition had reserved it.
        abandoned: nobody waits for it any more.
        begun: when the worker sent it, nanoseconds since the epoch.
    """

    queue: QueueKey
    identity: str
    instance_key: str
    rate: float | None
    deadline: float
    worker_version: WorkerVersionStamp | None = None
    future: "asyncio.Future[None]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    item: Any = None
    expired: bool = False
    abandoned: bool = False
    begun: int = 0

    def again(self) -> "Poller":
        """The same poll, to wait once more."""
        return Poller(
            self.queue,
            self.identity,
            self.instance_key,
            self.rate,
            self.deadline,
            self.worker_version,
            begun=self.begun,
        )

    def resolve(self) -> None:
        """Ends the wait; callable from any thread."""
        self.future.get_loop().call_soon_threadsafe(_finish, self.future)


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
