"""The table of handlers the wire tests are answered from, in this process or in Envoy's."""

import asyncio

from orchestrator.errors import NamespaceNotFound, Unimplemented
from orchestrator.grpc.call import Call, Handler

SERVICE = "test.Wire"


class Table:
    """Every method of `test.Wire`; what has happened is told by its `Events` method."""

    def __init__(self) -> None:
        self._draining = asyncio.Event()
        self._methods: dict[str, Handler] = {
            f"/{SERVICE}/{name}": getattr(self, f"_{name.lower()}") for name in ("Echo", "Poll", "Fail", "Raise")
        }

    def find(self, method: str) -> Handler:
        try:
            return self._methods[method]
        except KeyError:
            service, _, name = method[1:].rpartition("/")
            if service == SERVICE:
                raise Unimplemented(f"unknown method {name} for service {service}") from None
            raise Unimplemented(f"unknown service {service}") from None

    async def start(self) -> None:
        pass

    async def drain(self) -> None:
        self._draining.set()

    async def stop(self) -> None:
        pass

    async def _echo(self, call: Call, request: bytes) -> bytes:
        return request

    async def _poll(self, call: Call, request: bytes) -> bytes:
        await self._draining.wait()
        return b""

    async def _fail(self, call: Call, request: bytes) -> bytes:
        raise NamespaceNotFound("näme%")

    async def _raise(self, call: Call, request: bytes) -> bytes:
        raise RuntimeError("secret")
