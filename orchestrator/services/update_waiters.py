"""Callers who wait for a stage of an update; each hears from the transitions what became of it."""

import asyncio
import threading
from dataclasses import dataclass, field

from orchestrator.core.update_news import News


@dataclass(eq=False, slots=True)
class UpdateWaiter:
    """One caller, waiting on the event loop it was made on.

    Attributes:
        run_id: of the run that has the update.
        update_id: of the update.
        wanted: the stage it waits for.
        news: the last it heard.
        future: done once the stage is reached or never will be, or the server stops.
    """

    run_id: str
    update_id: str
    wanted: int
    news: News
    future: "asyncio.Future[None]"

    def hear(self, news: News) -> None:
        """Takes news on the event loop."""
        if self.future.done():
            return
        self.news = news
        if news.stage >= self.wanted or news.error is not None:
            self.future.set_result(None)

    def release(self) -> None:
        """Ends the wait with what is known."""
        if not self.future.done():
            self.future.set_result(None)


@dataclass(slots=True)
class UpdateWaiters:
    """All waiting callers of this process. A transition adds them after its commit, so they miss nothing."""

    _waiting: dict[tuple[str, str], set[UpdateWaiter]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _draining: bool = False

    def add(self, waiter: UpdateWaiter) -> None:
        """Begins to tell a caller; callable from any thread."""
        with self._lock:
            draining = self._draining
            if not draining:
                self._waiting.setdefault((waiter.run_id, waiter.update_id), set()).add(waiter)
        if draining:
            waiter.future.get_loop().call_soon_threadsafe(waiter.release)

    def discard(self, waiter: UpdateWaiter) -> None:
        """Forgets a caller."""
        key = (waiter.run_id, waiter.update_id)
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.discard(waiter)
                if not waiting:
                    del self._waiting[key]

    def tell(self, run_id: str, news: dict[str, News]) -> None:
        """Tells the callers of a run's updates; callable from any thread."""
        if not self._waiting:
            return
        with self._lock:
            told = [(waiter, each) for key, each in news.items() for waiter in self._waiting.get((run_id, key), ())]
        for waiter, each in told:
            waiter.future.get_loop().call_soon_threadsafe(waiter.hear, each)

    def drain(self) -> None:
        """Answers everybody with what is known, now and from now on."""
        with self._lock:
            self._draining = True
            released = [waiter for waiters in self._waiting.values() for waiter in waiters]
            self._waiting.clear()
        for waiter in released:
            waiter.future.get_loop().call_soon_threadsafe(waiter.release)
