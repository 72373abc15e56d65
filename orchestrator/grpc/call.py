"""The seam between the transports and the handlers: what a handler is told about the call it answers."""

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol


class Call(Protocol):
    """One unary call, whichever transport carries it."""

    @property
    def method(self) -> str:
        """The full method, `/package.Service/Method`."""
        ...

    @property
    def metadata(self) -> Mapping[str, str | bytes]:
        """The request metadata, keys in lower case; a repeated key keeps its last value, `-bin` values are bytes."""
        ...

    @property
    def deadline(self) -> float | None:
        """When the caller's time ends, in seconds of the running event loop's clock; None without `grpc-timeout`."""
        ...

    async def client_gone(self) -> bool:
        """Whether the caller has hung up. Asks the transport once; cheap, and safe to call again later."""
        ...


Handler = Callable[[Call, bytes], Awaitable[bytes]]
"""Answers a request with the serialized reply, or raises ServiceError."""


class Handlers(Protocol):
    """The table of all methods, and the life of what stands behind them."""

    def find(self, method: str) -> Handler:
        """The handler of a full method; raises Unimplemented, with a text that names it, for one that is not served."""
        ...

    async def start(self) -> None:
        """Opens what the handlers need, on the event loop that will run them."""
        ...

    async def drain(self) -> None:
        """Makes every waiting poll end with its empty reply; new polls end at once."""
        ...

    async def stop(self) -> None:
        """Finishes the commits in flight and closes everything."""
        ...
