"""`WaitGroup`: wait until as many operations are done as were added."""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

from hugo.cancellation import CancelToken
from hugo.clock import Clock
from hugo.diagnostics.instruments import WAITGROUP_ADDITIONS, WAITGROUP_COMPLETIONS, WAITGROUP_OUTSTANDING
from hugo.loops import LoopOwned
from hugo.sync.run import run
from hugo.watchers import Watchers

log = logging.getLogger(__name__)

T = TypeVar("T")


class WaitGroup(LoopOwned):
    """Counts operations that are under way. It may be used again once the count is back at zero.

    As `async with WaitGroup() as group:` it waits at the end of the block. The group knows nothing of success: what
    its operations raise is logged, and is for those who hold the tasks.
    """

    __slots__ = ("_count", "_watchers")

    def __init__(self) -> None:
        super().__init__()
        self._count = 0
        self._watchers = Watchers()

    @property
    def count(self) -> int:
        """Operations under way."""
        return self._count

    def add(self, delta: int = 1) -> None:
        """Counts `delta` more operations, each of which must call `done`; raises ValueError if it is not positive."""
        if delta <= 0:
            raise ValueError("A wait group is added to by a positive number.")
        self._check_loop()
        self._count += delta
        WAITGROUP_ADDITIONS.record(delta)
        WAITGROUP_OUTSTANDING.record(delta)

    def done(self) -> None:
        """Counts one operation less; raises RuntimeError if none is under way."""
        self._check_loop()
        if self._count == 0:
            raise RuntimeError("The counter of a wait group cannot become negative.")
        self._count -= 1
        WAITGROUP_COMPLETIONS.record()
        WAITGROUP_OUTSTANDING.record(-1)
        if self._count == 0:
            self._watchers.wake()

    def go(
        self,
        fn: Callable[..., Awaitable[T]],
        *args: Any,
        token: CancelToken | None = None,
        name: str | None = None,
    ) -> "asyncio.Task[T]":
        """Starts `fn(*args)` as a task and counts it until it ends; it is not begun if the token has fired by then."""
        task = run(fn, *args, token=token, name=name)
        self.track(task)
        return task

    def track(self, work: Awaitable[T]) -> "asyncio.Future[T]":
        """Counts work that is under way until it ends, and returns it; a coroutine becomes a task."""
        future = work if isinstance(work, asyncio.Future) else run(lambda: work)
        self.add()
        future.add_done_callback(self._ended)
        return future

    async def wait(
        self, timeout: float | None = None, *, token: CancelToken | None = None, clock: Clock | None = None
    ) -> bool:
        """Waits until no operation is under way: True, or False if `timeout` seconds pass first.

        Raises OperationCanceled when the token fires first, and ValueError for a negative timeout. The operations go on
        in any case.
        """
        if timeout is not None and timeout < 0:
            raise ValueError("A timeout is not negative.")
        self._check_loop()
        if token is not None:
            token.raise_if_cancelled()
        return self._count == 0 or await self._watchers.wait(token, seconds=timeout, clock=clock)

    async def __aenter__(self) -> "WaitGroup":
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.wait()

    def _ended(self, work: "asyncio.Future[Any]") -> None:
        if not work.cancelled() and (exception := work.exception()) is not None:
            log.error("An operation of a wait group failed.", exc_info=exception)
        self.done()
