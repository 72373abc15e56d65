"""A fixed number of threads for the views of a process, and so for their database connections.

Django gives each request a thread of its own, which opens a connection and takes it along when it ends.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from asgiref.sync import ThreadSensitiveContext

Application = Callable[..., Awaitable[None]]


class ViewThreads:
    """An ASGI application that runs the synchronous parts of another one in threads it keeps.

    Args:
        application: the other one.
        count: how many requests are answered at a time; further ones wait.
    """

    def __init__(self, application: Application, count: int) -> None:
        self._application = application
        self._places = asyncio.Semaphore(count)
        # Each runs one thread, which is what a request needs; the one used last comes first, it has a connection.
        self._threads = deque(ThreadPoolExecutor(1, thread_name_prefix="hugo-http") for _ in range(count))

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Answers one request."""
        async with self._places:
            thread = self._threads.pop()
            try:
                async with ThreadSensitiveContext(executor=thread):
                    await self._application(scope, receive, send)
            finally:
                self._threads.append(thread)
