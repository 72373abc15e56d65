"""Callers who wait for a stage of an update; each hears from the transitions what became of it.

A transition of another process is heard of by `run_interest`, and what it made of the update is read from the run. But
of a rejected update nothing is stored: so who rejects it tells those who wait.
"""

import asyncio
import threading
from collections.abc import Mapping
from dataclasses import dataclass

from temporalio.api.update.v1 import Outcome

from orchestrator.core.update_news import ADMITTED, COMPLETED, News
from orchestrator.errors import WorkflowNotReady
from orchestrator.services.peers import Message, Peers
from orchestrator.services.run_interest import RunInterest, RunsChanged
from orchestrator.store.loaded import Loaded


@dataclass(eq=False, slots=True)
class UpdateWaiter:
    """One caller, waiting on the event loop it was made on.

    Attributes:
        run_id: of the run that has the update.
        update_id: of the update.
        wanted: the stage it waits for.
        news: the last it heard.
        future: done once the stage is reached or never will be, or the server stops.
        version: of the run when it began to wait.
    """

    run_id: str
    update_id: str
    wanted: int
    news: News
    future: "asyncio.Future[None]"
    version: int = 0

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


class UpdatesRefused(Message, frozen=True):
    """Updates that came to nothing, and left no trace.

    Attributes:
        run_id: of the run that had them.
        version: of the run since then.
        rejected: the serialized outcome of each that a worker rejected, by its id.
        unready: why a workflow task that carried the update was failed, by the update's id.
    """

    run_id: str
    version: int
    rejected: dict[str, bytes]
    unready: dict[str, str]


class UpdateWaiters:
    """All waiting callers of this process, in the order in which they came.

    A transition adds them after its commit, so they miss nothing.

    Args:
        peers: the other processes.
        interest: knows which of them wait for which runs.
    """

    def __init__(self, peers: Peers, interest: RunInterest) -> None:
        self._peers = peers
        self._interest = interest
        self._waiting: dict[tuple[str, str], dict[UpdateWaiter, None]] = {}
        self._lock = threading.Lock()
        self._draining = False
        peers.on(UpdatesRefused, self._refused)

    def add(self, waiter: UpdateWaiter) -> None:
        """Begins to tell a caller; callable from any thread."""
        with self._lock:
            draining = self._draining
            if not draining:
                self._waiting.setdefault((waiter.run_id, waiter.update_id), {})[waiter] = None
        if draining:
            waiter.future.get_loop().call_soon_threadsafe(waiter.release)

    def discard(self, waiter: UpdateWaiter) -> None:
        """Forgets a caller."""
        key = (waiter.run_id, waiter.update_id)
        with self._lock:
            waiting = self._waiting.get(key)
            if waiting is not None:
                waiting.pop(waiter, None)
                if not waiting:
                    del self._waiting[key]

    def tell(self, run: Loaded, news: Mapping[str, News]) -> None:
        """Tells the callers of a run's updates, here and elsewhere; callable from any thread."""
        run_id = run.key.run_id
        self._tell(run_id, news)
        members = self._interest.in_updates_of(run_id)
        if not members:
            return
        lost = {key: each for key, each in news.items() if not each.stored}
        refused = UpdatesRefused(
            run_id,
            run.version,
            {key: each.outcome.SerializeToString() for key, each in lost.items() if each.outcome is not None},
            {key: each.error.message for key, each in lost.items() if each.error is not None},
        )
        for member in members:
            if lost:
                self._peers.tell(member, refused)
            self._peers.tell(member, RunsChanged({run_id: run.version}))

    def _tell(self, run_id: str, news: Mapping[str, News], version: int | None = None) -> None:
        """Tells the callers of this process; with a version, those who have not begun to wait since then."""
        if not self._waiting:
            return
        with self._lock:
            told = [
                (waiter, each)
                for key, each in news.items()
                for waiter in self._waiting.get((run_id, key), ())
                if version is None or waiter.version < version
            ]
        for waiter, each in told:
            waiter.future.get_loop().call_soon_threadsafe(waiter.hear, each)

    def _refused(self, _: str, message: UpdatesRefused) -> None:
        """Another process has refused updates. One that was sent again meanwhile has another fate."""
        news = {key: News(COMPLETED, Outcome.FromString(outcome)) for key, outcome in message.rejected.items()}
        news |= {key: News(ADMITTED, error=WorkflowNotReady(text)) for key, text in message.unready.items()}
        self._tell(message.run_id, news, message.version)

    def drain(self) -> None:
        """Answers everybody with what is known, now and from now on."""
        with self._lock:
            self._draining = True
            released = [waiter for waiters in self._waiting.values() for waiter in waiters]
            self._waiting.clear()
        for waiter in released:
            waiter.future.get_loop().call_soon_threadsafe(waiter.release)
