"""An event loop whose clock stands still while anything can run, and then jumps to the next thing that is due."""

import asyncio
import random
import selectors
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from dataclasses import dataclass, field
from typing import Any

SECOND = 1_000_000_000
EPOCH = 1_700_000_000 * SECOND
"""Where the simulated time begins, nanoseconds since the epoch."""


LONGEST = 50_000
"""Rounds of the loop that a simulation may take; one in good order needs a few thousand."""


@dataclass
class Process:
    """A simulated process, as the loop knows it.

    Attributes:
        tasks: all it has made.
        frozen: whether nothing of it runs.
        held: what is to run once it thaws.
    """

    tasks: "list[asyncio.Task[Any]]" = field(default_factory=list)
    frozen: bool = False
    held: list[tuple[Callable[[], object], Context]] = field(default_factory=list)


running: ContextVar[Process | None] = ContextVar("running", default=None)
"""The process that the running callback is part of; None for those who use servers."""


class Standstill(Exception):
    """Nothing can run and nothing is due though somebody waits, or everything runs in circles."""


class _Skipping(selectors.SelectSelector):
    """Waits for nothing: the time it was to wait passes at once."""

    def __init__(self) -> None:
        super().__init__()
        self.passed = 0.0
        self.rounds = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.rounds += 1
        if timeout is None or self.rounds > LONGEST:
            raise Standstill(f"after {self.rounds} rounds")
        self.passed += max(0.0, timeout)
        return []


class VirtualLoop(asyncio.SelectorEventLoop):
    """One thread, no files: everything that happens is decided by the callbacks and by a seed.

    Args:
        rng: how long work takes that a real process would give to a thread.
    """

    def __init__(self, rng: random.Random) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)
        self._rng = rng

    def time(self) -> float:
        """Seconds since the simulation began."""
        return self._skipping.passed

    def freeze(self, process: Process, seconds: float) -> None:
        """Lets nothing of a process run for a while; then it runs on, in the order of what happened to it."""
        process.frozen = True
        super().call_at(self.time() + seconds, self.thaw, process)

    def thaw(self, process: Process) -> None:
        """Lets a process run on."""
        process.frozen = False
        held, process.held = process.held, []
        for run, context in held:
            super().call_soon(run, context=context)

    def call_soon(  # type: ignore[override]
        self, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.Handle:
        """As ever, but what is part of a frozen process is held until it thaws."""
        context = context or copy_context()
        process = context.get(running)
        if process is None or not process.frozen:
            return super().call_soon(callback, *args, context=context)
        handle = asyncio.Handle(lambda: None, (), self, context)
        process.held.append((lambda: handle.cancelled() or callback(*args), context))
        return handle

    def call_at(  # type: ignore[override]
        self, when: float, callback: Callable[..., Any], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As ever, but what is part of a frozen process is held until it thaws."""
        context = context or copy_context()
        process = context.get(running)
        if process is None:
            return super().call_at(when, callback, *args, context=context)

        def run() -> None:
            if process.frozen:
                process.held.append((run, context))
            elif not handle.cancelled():
                callback(*args)

        handle = super().call_at(when, run, context=context)
        return handle

    def clock(self) -> int:
        """Nanoseconds since the epoch."""
        return EPOCH + round(self.time() * SECOND)

    def begin_again(self) -> None:
        """Counts the rounds from nothing."""
        self._skipping.rounds = 0

    def sleep_now(self, seconds: float) -> None:
        """Lets time pass although the loop is busy."""
        self._skipping.passed += seconds

    def run_in_executor(self, executor: Any, func: Callable[..., Any], *args: Any) -> "asyncio.Future[Any]":  # type: ignore[override]
        """Runs a function a little later, on the loop itself."""
        future: asyncio.Future[Any] = self.create_future()

        def run() -> None:
            if future.done():
                return
            try:
                result = func(*args)
            except Exception as error:
                future.set_exception(error)
            else:
                future.set_result(result)

        self.call_later(self._rng.uniform(0, 0.003), run)
        return future

    def _write_to_self(self) -> None:
        """Nothing sleeps that would have to be woken."""
