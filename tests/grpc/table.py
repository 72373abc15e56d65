"""The table of handlers the wire tests are answered from, on either transport, in a process of its own.

Handlers note what happens to them; a test waits for a note with the method `Await`, on any connection.
"""

import asyncio
import base64
import json
from collections import Counter

from google.rpc.status_pb2 import Status

from orchestrator.errors import Internal, InvalidArgument, NamespaceNotFound, Unimplemented
from orchestrator.grpc.call import Call, Handler

SERVICE = "test.Wire"


class Table:
    """Every method of `test.Wire`."""

    def __init__(self) -> None:
        self._methods: dict[str, Handler] = {
            "Echo": self._echo,
            "Metadata": self._metadata,
            "Refuse": self._refuse,
            "Raise": self._raise,
            "Parse": self._parse,
            "Hold": self._hold,
            "Finish": self._finish,
            "AskGone": self._ask_gone,
            "Release": self._release,
            "Await": self._await,
        }
        self._notes: Counter[str] = Counter()
        self._noted = asyncio.Condition()
        self._draining = asyncio.Event()

    def find(self, method: str) -> Handler:
        """The handler of a method, with grpc-go's words for one that is not there."""
        service, _, name = method[1:].rpartition("/")
        if service != SERVICE:
            raise Unimplemented(f"unknown service {service}")
        if name not in self._methods:
            raise Unimplemented(f"unknown method {name} for service {service}")
        return self._methods[name]

    async def start(self) -> None:
        """Nothing to open."""

    async def drain(self) -> None:
        """Ends the held polls."""
        self._draining.set()

    async def stop(self) -> None:
        """Says so, for the test that reads standard output."""
        print("stopped", flush=True)

    async def _note(self, what: str) -> None:
        async with self._noted:
            self._notes[what] += 1
            self._noted.notify_all()

    async def _until(self, what: str, times: int = 1) -> None:
        async with self._noted:
            await self._noted.wait_for(lambda: self._notes[what] >= times)

    async def _echo(self, call: Call, request: bytes) -> bytes:
        return request

    async def _metadata(self, call: Call, request: bytes) -> bytes:
        """What the handler is told about its call, as JSON."""
        now = asyncio.get_running_loop().time()
        seen = {
            "method": call.method,
            "remaining": None if call.deadline is None else call.deadline - now,
            "text": {key: value for key, value in call.metadata.items() if isinstance(value, str)},
            "binary": {
                key: base64.b64encode(value).decode()
                for key, value in call.metadata.items()
                if isinstance(value, bytes)
            },
        }
        return json.dumps(seen).encode()

    async def _refuse(self, call: Call, request: bytes) -> bytes:
        """Refuses with a detail when the request is empty, else with the request as the text."""
        if request:
            raise InvalidArgument(request.decode())
        raise NamespaceNotFound("näme%\n")

    async def _raise(self, call: Call, request: bytes) -> bytes:
        raise RuntimeError("a secret")

    async def _parse(self, call: Call, request: bytes) -> bytes:
        if Status.FromString(request).code == Internal.code:
            raise AssertionError("never sent")
        return b""

    async def _hold(self, call: Call, request: bytes) -> bytes:
        """A poll: held until the drain."""
        name = request.decode()
        await self._note(f"held {name}")
        try:
            await self._draining.wait()
        except asyncio.CancelledError:
            await self._note(f"cancelled {name}")
            raise
        return b""

    async def _finish(self, call: Call, request: bytes) -> bytes:
        """A call in flight when the drain begins: has something left to do then."""
        await self._note(f"held {request.decode()}")
        await self._draining.wait()
        await asyncio.sleep(0.2)
        return request

    async def _ask_gone(self, call: Call, request: bytes) -> bytes:
        """Asks, once released, whether its caller is there."""
        name = request.decode()
        await self._note(f"held {name}")
        try:
            await self._until(f"released {name}")
        except asyncio.CancelledError:
            await self._until(f"released {name}")
        await self._note(f"gone {name}" if await call.client_gone() else f"there {name}")
        return b""

    async def _release(self, call: Call, request: bytes) -> bytes:
        await self._note(f"released {request.decode()}")
        return b""

    async def _await(self, call: Call, request: bytes) -> bytes:
        """Returns when a thing was noted so many times: `{"note": text, "times": number}`."""
        asked = json.loads(request)
        await self._until(asked["note"], asked["times"])
        return b""


class BrokenTable(Table):
    """A table that cannot start."""

    async def start(self) -> None:
        """Fails."""
        raise RuntimeError("the database is on fire")
