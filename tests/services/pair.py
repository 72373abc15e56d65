"""Two members of a cluster, and what becomes of the messages between them."""

import asyncio
from collections.abc import Callable
from typing import TypeVar

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import HistoryEventFilterType
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
)

from orchestrator.conf import HugoSettings
from orchestrator.services.bootstrap import Cluster
from orchestrator.services.peers import Message
from tests.services.callers import Caller, until
from tests.support.hub import Hub

M = TypeVar("M", bound=Message)

CLOSE = HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT


class Post:
    """Delivers as a test wants it: so many times, or late."""

    def __init__(self) -> None:
        self.times = 1
        self.late: list[Callable[[], None]] = []
        self.keeps = False

    def __call__(self, delivery: Callable[[], None]) -> None:
        if self.keeps:
            self.late.append(delivery)
        for _ in range(0 if self.keeps else self.times):
            asyncio.get_running_loop().call_soon(delivery)

    def deliver_late(self) -> None:
        """Delivers what it kept."""
        late, self.late, self.keeps = self.late, [], False
        for delivery in late:
            delivery()


class Two:
    """Two members; `near` is the one callers wait at.

    Attributes:
        post: delivers their messages.
        heard: all that arrived.
        lost: kinds of messages that are lost.
    """

    def __init__(self, made: Cluster, post: Post, settings: HugoSettings | None = None) -> None:
        self.post = post
        self.hub = hub = Hub(post)
        self.near, self.far = Caller(hub, "near", made, settings), Caller(hub, "far", made, settings)
        self.heard: list[Message] = []
        self.lost: set[type[Message]] = set()
        self._unlucky: set[type[Message]] = set()
        for member in (self.near, self.far):
            handlers = member.engine.peers._handlers
            for name, (kind, handler) in list(handlers.items()):
                handlers[name] = (kind, lambda sender, message, handler=handler: self._hear(sender, message, handler))

    def _hear(self, sender: str, message: Message, handler: Callable[[str, Message], None]) -> None:
        self.heard.append(message)
        if type(message) in self._unlucky:
            self._unlucky.discard(type(message))
        elif type(message) not in self.lost:
            handler(sender, message)

    def lose_first(self, kind: type[Message]) -> None:
        """The next message of a kind is lost."""
        self._unlucky.add(kind)

    def messages(self, kind: type[M]) -> list[M]:
        """What arrived of a kind."""
        return [message for message in self.heard if isinstance(message, kind)]

    async def acquainted(self) -> None:
        """Returns once they know each other."""
        for member in (self.near, self.far):
            presence = member.engine.matching.presence
            await until(lambda presence=presence: presence.members, "the acquaintance")  # type: ignore[misc]

    async def hears(self, kind: type[Message]) -> None:
        """Returns once a message of a kind was heard."""
        await until(lambda: self.messages(kind), kind.__name__)

    async def hears_of(self, execution: WorkflowExecution) -> None:
        """Returns once the far member knows that a caller waits for a run."""
        interest = self.far.engine.run_interest
        await until(lambda: interest._wishes.get(execution.run_id), "the interest")

    async def waits_for_close(
        self, execution: WorkflowExecution
    ) -> "asyncio.Task[GetWorkflowExecutionHistoryResponse]":
        """Begins to wait for the result of a run, and returns once the caller waits."""
        request = GetWorkflowExecutionHistoryRequest(
            execution=execution, wait_new_event=True, history_event_filter_type=CLOSE
        )
        return await self._begin(request)

    async def waits_for_more(self, execution: WorkflowExecution) -> "asyncio.Task[GetWorkflowExecutionHistoryResponse]":
        """Begins to wait for the next event of a run, and returns once the caller waits."""
        request = GetWorkflowExecutionHistoryRequest(execution=execution, wait_new_event=True)
        first = await self.near.call("GetWorkflowExecutionHistory", request, GetWorkflowExecutionHistoryResponse)
        request.next_page_token = first.next_page_token
        return await self._begin(request)

    async def _begin(
        self, request: GetWorkflowExecutionHistoryRequest
    ) -> "asyncio.Task[GetWorkflowExecutionHistoryResponse]":
        waiters = self.near.engine.run_waiters
        before = len(waiters.waiting())
        task = self.near.begin("GetWorkflowExecutionHistory", request, GetWorkflowExecutionHistoryResponse)
        await until(lambda: task.done() or sum(each.version > 0 for each in waiters.waiting()) > before)
        return task
