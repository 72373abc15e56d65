"""The HTTP application inside Envoy: its `receive` made to wait as ASGI says it must."""

import asyncio
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from orchestrator.grpc.inflight import Inflight, Receive, Request

Application = Callable[..., Awaitable[None]]


class HttpRequest(Request):
    """A request of the HTTP application.

    Once the body has ended pyvoy's `receive` answers at once, and applications such as Django's wait in it for the
    disconnect. So this one waits until the sweep finds the caller gone.
    """

    __slots__ = ("_gone",)

    def __init__(self, receive: Receive, task: asyncio.Task[Any], loop: asyncio.AbstractEventLoop) -> None:
        super().__init__(receive, task, loop.time())
        self._gone: asyncio.Future[None] = loop.create_future()

    async def next_event(self) -> MutableMapping[str, Any]:
        """ASGI's `receive` for the application."""
        if not self.body_ended:
            event = await asyncio.shield(asyncio.ensure_future(self.receive()))
            self.body_ended = event["type"] == "http.request" and not event.get("more_body")
            return event
        await asyncio.shield(self._gone)
        return {"type": "http.disconnect"}

    def hung_up(self) -> None:
        """Lets the application know, which decides itself what to do."""
        if not self._gone.done():
            self._gone.set_result(None)


class HttpApplication:
    """Runs an ASGI application and registers its requests for the sweep.

    Args:
        application: the ASGI application.
        inflight: the requests being answered.
    """

    def __init__(self, application: Application, inflight: Inflight) -> None:
        self._application = application
        self._inflight = inflight

    async def __call__(self, scope: MutableMapping[str, Any], receive: Receive, send: Callable[..., Any]) -> None:
        """Answers one request."""
        task = asyncio.current_task()
        assert task is not None
        request = HttpRequest(receive, task, asyncio.get_running_loop())
        self._inflight.add(request)
        try:
            await self._application(scope, request.next_event, send)
        finally:
            self._inflight.discard(request)
