"""Notifiers that reach each other in one event loop, for tests of several engines in one process."""

import asyncio
from collections.abc import Callable
from contextvars import Context, copy_context

from orchestrator.store.notifier import Receive

Deliver = Callable[[Callable[[], None]], None]


class Hub:
    """What connects the members.

    Args:
        deliver: calls a delivery, now or later, once or more often, or never; by default in the next turn of the loop.
    """

    def __init__(self, deliver: Deliver | None = None) -> None:
        self.members: dict[str, HubNotifier] = {}
        self.deliver = deliver or (lambda delivery: asyncio.get_running_loop().call_soon(delivery))

    def notifier(self, member: str) -> "HubNotifier":
        """The notifier of a new member."""
        return HubNotifier(self, member)


class HubNotifier:
    """See `orchestrator.store.notifier.Notifier`."""

    def __init__(self, hub: Hub, member: str) -> None:
        self.member = member
        self._hub = hub
        self._receive: Receive | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._context = Context()

    @property
    def connected(self) -> bool:
        """Whether it was started and not stopped."""
        return self._receive is not None

    async def start(self, receive: Receive) -> None:
        """Joins the others."""
        self._loop, self._receive = asyncio.get_running_loop(), receive
        self._context = copy_context()
        self._hub.members[self.member] = self

    async def stop(self) -> None:
        """Leaves the others."""
        self._receive = None
        self._hub.members.pop(self.member, None)

    def die(self) -> None:
        """Neither hears nor says anything any more, as when its process is killed."""
        self._loop = self._receive = None
        self._hub.members.pop(self.member, None)

    def send(self, to: str, message: bytes) -> None:
        """Sends from any thread."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._post, to, message)

    def _post(self, to: str, message: bytes) -> None:
        if self._loop is None:
            return
        for name, other in list(self._hub.members.items()):
            if other is not self and to in ("", name):
                self._hub.deliver(lambda other=other: other._take(self.member, message))  # type: ignore[misc]

    def _take(self, sender: str, message: bytes) -> None:
        if self._loop is not None:
            self._loop.call_soon(self._hear, sender, message, context=self._context.copy())

    def _hear(self, sender: str, message: bytes) -> None:
        if self._receive is not None:
            self._receive(sender, message)
