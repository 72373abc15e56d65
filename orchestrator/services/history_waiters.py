"""Wakes long polls of histories and closings when their run changed; losing a wake-up costs one poll interval."""

import asyncio
import threading


class HistoryWaiters:
    """Futures by run id. Subscribe first, then read, then wait: so no change is missed."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: dict[str, set[asyncio.Future[None]]] = {}
        self._draining = False

    def subscribe(self, run_id: str) -> "asyncio.Future[None]":
        """A future that is done when the run has changed, or the server stops."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        with self._lock:
            if self._draining:
                future.set_result(None)
            else:
                self._waiting.setdefault(run_id, set()).add(future)
        return future

    def cancel(self, run_id: str, future: "asyncio.Future[None]") -> None:
        """Forgets a future nobody waits for any more."""
        with self._lock:
            waiting = self._waiting.get(run_id)
            if waiting is not None:
                waiting.discard(future)
                if not waiting:
                    del self._waiting[run_id]

    def notify(self, run_ids: list[str]) -> None:
        """Wakes who waits for these runs; callable from any thread."""
        if not self._waiting:
            return
        woken: list[asyncio.Future[None]] = []
        with self._lock:
            for run_id in run_ids:
                woken.extend(self._waiting.pop(run_id, ()))
        self._wake(woken)

    def drain(self) -> None:
        """Wakes everybody, now and from now on."""
        with self._lock:
            self._draining = True
            woken = [future for futures in self._waiting.values() for future in futures]
            self._waiting.clear()
        self._wake(woken)

    @property
    def draining(self) -> bool:
        """Whether the server is stopping."""
        return self._draining

    @staticmethod
    def _wake(futures: "list[asyncio.Future[None]]") -> None:
        for future in futures:
            future.get_loop().call_soon_threadsafe(_finish, future)


def _finish(future: "asyncio.Future[None]") -> None:
    if not future.done():
        future.set_result(None)
