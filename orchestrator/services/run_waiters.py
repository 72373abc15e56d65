"""Callers of this process who wait for a run to change: long polls of histories, and what watches a run for a query.

Subscribe first, then read, then wait: so no change is missed. Who changes the run in another process is told of the
wait by `run_interest`.
"""

import asyncio
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass

from orchestrator.store.loaded import Loaded
from orchestrator.store.ports import RunKey

GONE = 2**62
"""What stands for the version of a run that was deleted."""


@dataclass(eq=False, slots=True)
class RunWaiter:
    """One caller, waiting on the event loop it was made on.

    Attributes:
        run: what it waits for.
        future: done once it has to look at the run again, or the server stops.
        closing: whether nothing but the close of the run matters.
        elsewhere: whether only updates matter, and it hears in another way what this process makes of them.
        version: of the run, as far as it knows it; 0 until it has looked.
    """

    run: RunKey
    future: "asyncio.Future[None]"
    closing: bool = False
    elsewhere: bool = False
    version: int = 0

    def concerns(self, run: Loaded) -> bool:
        """Whether it has to look at what this process has committed."""
        if self.elsewhere:
            # A version it has not heard of, in between, is of another process.
            return run.version > self.version + 1
        return not (self.closing and run.state.running)


class RunWaiters:
    """All waiting callers of this process, in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, dict[RunWaiter, None]] = {}
        self._draining = False
        self.announce: Callable[[RunWaiter], None] = lambda _: None

    def subscribe(self, run: RunKey, *, closing: bool = False, elsewhere: bool = False, version: int = 0) -> RunWaiter:
        """Begins to wait; the arguments are those of `RunWaiter`."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        waiter = RunWaiter(run, future, closing, elsewhere, version)
        with self._lock:
            if self._draining:
                future.set_result(None)
                return waiter
            self._waiting.setdefault(run.run_id, {})[waiter] = None
        self.announce(waiter)
        return waiter

    def cancel(self, waiter: RunWaiter) -> None:
        """Forgets a caller who does not wait any more."""
        run_id = waiter.run.run_id
        with self._lock:
            waiting = self._waiting.get(run_id)
            if waiting is not None:
                waiting.pop(waiter, None)
                if not waiting:
                    del self._waiting[run_id]

    def notify(self, runs: Iterable[Loaded]) -> None:
        """Wakes who waits for what this process has committed; callable from any thread."""
        if not self._waiting:
            return
        woken: list[RunWaiter] = []
        with self._lock:
            for run in runs:
                for waiter in self._waiting.get(run.key.run_id, ()):
                    if waiter.concerns(run):
                        woken.append(waiter)
                    waiter.version = max(waiter.version, run.version)
        _wake(woken)

    def tell(self, versions: Mapping[str, int]) -> None:
        """Wakes who has not seen these versions of runs; callable from any thread."""
        with self._lock:
            woken = [
                waiter
                for run_id, version in versions.items()
                for waiter in self._waiting.get(run_id, ())
                if version > waiter.version
            ]
        _wake(woken)

    def waiting(self) -> list[RunWaiter]:
        """Who waits now."""
        with self._lock:
            return [waiter for waiters in self._waiting.values() for waiter in waiters]

    def drain(self) -> None:
        """Wakes everybody, now and from now on."""
        with self._lock:
            self._draining = True
            woken = [waiter for waiters in self._waiting.values() for waiter in waiters]
            self._waiting.clear()
        _wake(woken)

    @property
    def draining(self) -> bool:
        """Whether the server is stopping."""
        return self._draining


def _wake(waiters: Iterable[RunWaiter]) -> None:
    for waiter in waiters:
        waiter.future.get_loop().call_soon_threadsafe(_finish, waiter.future)


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
