"""The port to what carries messages between the processes of a cluster.

A message is a hint: it may be lost, doubled, late or out of order, and the rows hold the truth whatever becomes of it.
"""

from collections.abc import Callable
from typing import Protocol

Receive = Callable[[str, bytes], None]
"""Takes the name of the member a message came from, and its bytes, on the event loop; without bytes, the name of a
member that a message did not reach."""


class Notifier(Protocol):
    """Carries messages between members.

    Attributes:
        member: the name of this process; no other process, before or after, has the same.
    """

    member: str

    @property
    def connected(self) -> bool:
        """Whether messages most likely reach others at the moment."""
        ...

    async def start(self, receive: Receive) -> None:
        """Begins to carry, on the running event loop. What cannot be reached is tried again, and told once."""
        ...

    async def stop(self) -> None:
        """Sends what waits, then stops."""
        ...

    def send(self, to: str, message: bytes) -> None:
        """Sends a message to one member, or to all others when `to` is empty.

        Callable from any thread; never waits and never raises. Messages of one moment travel together.
        """
        ...


class Silence:
    """The notifier of a process that reaches no others.

    Args:
        member: the name of this process.
    """

    connected = False

    def __init__(self, member: str = "alone") -> None:
        self.member = member

    async def start(self, receive: Receive) -> None:
        """See Notifier."""

    async def stop(self) -> None:
        """See Notifier."""

    def send(self, to: str, message: bytes) -> None:
        """See Notifier; there is nobody."""
