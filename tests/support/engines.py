"""An engine and its handlers, running on an event loop in a thread of this process: what a server process is inside."""

import asyncio
import threading
from collections.abc import Coroutine
from types import TracebackType
from typing import Any, Self, TypeVar

from google.protobuf.message import Message

from orchestrator.grpc.handlers import WORKFLOW_SERVICE, EngineHandlers, build
from orchestrator.services.engine import Engine

T = TypeVar("T")
PATIENCE_S = 30.0


class Caller:
    """A call as a transport makes it: no metadata, a caller that stays."""

    def __init__(self, loop: asyncio.AbstractEventLoop, seconds: float) -> None:
        self.metadata: dict[str, str | bytes] = {}
        self.deadline: float | None = loop.time() + seconds

    async def client_gone(self) -> bool:
        """Never."""
        return False


class RunningEngine:
    """A context manager; the engine is over this process's default database."""

    def __init__(self) -> None:
        self.loop = asyncio.new_event_loop()
        self.handlers: EngineHandlers = build()
        self._thread = threading.Thread(target=self.loop.run_forever, name="engine-loop", daemon=True)

    @property
    def engine(self) -> Engine:
        """The engine."""
        return self.handlers.engine

    def run(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """The result of a coroutine that runs on the engine's loop."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(PATIENCE_S)

    def begin(self, method: str, request: Message, seconds: float = 20.0) -> "Reply":
        """Begins an RPC."""
        handler = self.handlers.find(f"/{WORKFLOW_SERVICE}/{method}")
        call: Any = Caller(self.loop, seconds)
        return Reply(asyncio.run_coroutine_threadsafe(_answer(handler(call, request.SerializeToString())), self.loop))

    def call(self, method: str, request: Message, reply: type[T]) -> T:
        """The reply of an RPC."""
        return self.begin(method, request).get(reply)

    def __enter__(self) -> Self:
        self._thread.start()
        self.run(self.handlers.start())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.run(self.handlers.drain())
        self.run(self.handlers.stop())
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join(PATIENCE_S)
        self.loop.close()


class Reply:
    """The answer of an RPC that was begun."""

    def __init__(self, future: Any) -> None:
        self._future = future

    @property
    def arrived(self) -> bool:
        """Whether it is there."""
        done: bool = self._future.done()
        return done

    def get(self, reply: type[T]) -> T:
        """Waits for it; raises what the handler raised."""
        data: bytes = self._future.result(PATIENCE_S)
        parsed: T = reply.FromString(data)  # type: ignore[attr-defined]
        return parsed


async def _answer(awaitable: Any) -> bytes:
    data: bytes = await awaitable
    return data
