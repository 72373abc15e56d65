"""What the processes of a cluster tell each other: small typed messages over the notifier, all of them hints.

A message is a `Message` struct that lives beside the service which sends and handles it. One that this version does not
know, or cannot read, is ignored: during a deploy two versions talk to each other.
"""

import logging
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from orchestrator.store.notifier import Notifier, Silence

logger = logging.getLogger(__name__)


class Message(msgspec.Struct, array_like=True, frozen=True):
    """The base of all messages; fields are only ever appended, with defaults."""


M = TypeVar("M", bound=Message)
Handler = Callable[[str, Any], None]


class Peers:
    """The other processes, as far as messages reach them.

    Args:
        notifier: carries the messages.
    """

    def __init__(self, notifier: Notifier) -> None:
        self._notifier = notifier
        self._handlers: dict[str, tuple[type[Message], Handler]] = {}
        self._lost: list[Callable[[str], None]] = []

    @property
    def member(self) -> str:
        """The name of this process."""
        return self._notifier.member

    @property
    def connected(self) -> bool:
        """Whether messages most likely reach others at the moment."""
        return self._notifier.connected

    @property
    def alone(self) -> bool:
        """Whether there is nothing that could carry a message."""
        return isinstance(self._notifier, Silence)

    async def start(self) -> None:
        """Begins to receive, on the running event loop."""
        await self._notifier.start(self._receive)

    async def stop(self) -> None:
        """Sends what waits, then stops."""
        await self._notifier.stop()

    def on(self, kind: type[M], handler: Callable[[str, M], None]) -> None:
        """Names who handles a kind of message: called on the event loop with its sender and the message."""
        self._handlers[kind.__name__] = (kind, handler)

    def lost(self, handler: Callable[[str], None]) -> None:
        """Names who wants to know of members that a message did not reach, most likely because they have died."""
        self._lost.append(handler)

    def tell(self, member: str, message: Message) -> None:
        """Sends to one member; callable from any thread."""
        self._notifier.send(member, _encode(message))

    def tell_all(self, message: Message) -> None:
        """Sends to all others; callable from any thread."""
        self._notifier.send("", _encode(message))

    def _receive(self, sender: str, data: bytes) -> None:
        if not data:
            for each in self._lost:
                _attempt(each, sender)
            return
        try:
            name, body = msgspec.msgpack.decode(data, type=tuple[str, msgspec.Raw])
            known = self._handlers.get(name)
            if known is None:
                return
            kind, handler = known
            message = msgspec.msgpack.decode(body, type=kind)
        except msgspec.MsgspecError as error:
            logger.info("a message of %s cannot be read: %s", sender, error)
            return
        _attempt(handler, sender, message)


def _attempt(handler: Callable[..., None], sender: str, *message: Message) -> None:
    try:
        handler(sender, *message)
    except Exception:
        logger.exception("handling %s of %s failed", message or "the loss", sender)


def _encode(message: Message) -> bytes:
    return msgspec.msgpack.encode((type(message).__name__, message))
