"""The requests being answered, and the sweep that finds those whose caller is gone."""

import asyncio
import random
from collections.abc import Awaitable, Callable, MutableMapping
from functools import partial
from typing import Any

AT_ONCE = 50
A_SECOND = 500
"""Requests that are asked together, and in a second: asking ten thousand at once would hold up everything else."""

Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class Request:
    """One ASGI request being answered.

    Attributes:
        receive: ASGI's `receive`, to be asked by the sweep once the body has ended.
        task: the task that answers.
        arrived: when, in seconds of the event loop's clock.
        body_ended: whether the whole body was received; only then may the sweep ask.
    """

    __slots__ = ("arrived", "body_ended", "receive", "task")

    def __init__(self, receive: Receive, task: asyncio.Task[Any], arrived: float) -> None:
        self.receive = receive
        self.task = task
        self.arrived = arrived
        self.body_ended = False

    def hung_up(self) -> None:
        """The caller is gone: cancels the answer nobody waits for."""
        self.task.cancel()


class Inflight:
    """All requests of the process.

    The server tells nobody when a caller hangs up; it only answers `receive`, at once. So one sweep a process asks for
    the requests that have waited long, at a slow, jittered pace; a quick request is never asked. The more of them wait,
    the longer a sweep takes.

    Args:
        sweep_seconds: the mean time between two sweeps, and the age from which a request is asked.
    """

    def __init__(self, sweep_seconds: float = 5.0) -> None:
        self.requests: set[Request] = set()
        self._sweep_seconds = sweep_seconds

    def add(self, request: Request) -> None:
        """A request has arrived."""
        self.requests.add(request)

    def discard(self, request: Request) -> None:
        """A request is answered."""
        self.requests.discard(request)

    async def sweep_for_ever(self) -> None:
        """Sweeps until cancelled."""
        while True:
            await asyncio.sleep(self._sweep_seconds * random.uniform(0.75, 1.25))
            await self.sweep()

    async def sweep(self) -> None:
        """Asks for every request that waits long whether its caller is there; the gone ones are cancelled."""
        oldest = asyncio.get_running_loop().time() - self._sweep_seconds
        waiting = [request for request in self.requests if request.body_ended and request.arrived < oldest]
        for begin in range(0, len(waiting), AT_ONCE):
            for request in waiting[begin : begin + AT_ONCE]:
                if request in self.requests:
                    answer = asyncio.ensure_future(request.receive())
                    answer.add_done_callback(partial(self._told, request))
            if begin + AT_ONCE < len(waiting):
                await asyncio.sleep(AT_ONCE / A_SECOND)

    def _told(self, request: Request, answer: asyncio.Future[MutableMapping[str, Any]]) -> None:
        if answer.result()["type"] == "http.disconnect" and request in self.requests:
            request.hung_up()
