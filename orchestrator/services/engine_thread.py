"""An engine beside a main thread that does something else, as in a Celery worker."""

import asyncio
import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from contextlib import suppress

from orchestrator.services.current import clear_running, set_running
from orchestrator.services.engine import Engine
from orchestrator.services.event_loop import fastest_loop

logger = logging.getLogger(__name__)


class EngineThread:
    """Runs an engine on an event loop in a thread of its own.

    Args:
        build: builds the engine, on that thread.
        died: called on that thread when the engine ends although nobody stopped it.
        stop_seconds: how long stopping may take.
    """

    def __init__(self, build: Callable[[], Engine], died: Callable[[], None], stop_seconds: float) -> None:
        self._build = build
        self._died = died
        self._stop_seconds = stop_seconds
        self._started: Future[None] = Future()
        self._thread = threading.Thread(target=self._run, name="hugo-engine", daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._told: asyncio.Event | None = None

    def start(self) -> None:
        """Returns when the engine works; raises what kept it from that."""
        self._thread.start()
        self._started.result()

    def stop(self) -> None:
        """Commits what is in flight and ends the engine; leaves it behind when that takes too long."""
        if self._loop is None or self._told is None:
            return
        with suppress(RuntimeError):  # The loop has ended.
            self._loop.call_soon_threadsafe(self._told.set)
        self._thread.join(self._stop_seconds)
        if self._thread.is_alive():
            logger.warning("the engine did not end within %g seconds and is left behind", self._stop_seconds)

    def _run(self) -> None:
        try:
            engine = self._build()
            with asyncio.Runner(loop_factory=fastest_loop) as runner:
                runner.run(self._live(engine))
        except BaseException as error:
            if not self._started.done():
                self._started.set_exception(error)
                return
            logger.critical("the engine of this process has died", exc_info=True)
            self._died()

    async def _live(self, engine: Engine) -> None:
        self._told = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        await engine.start()
        set_running(engine)
        self._started.set_result(None)
        try:
            await self._told.wait()
        finally:
            clear_running(engine)
            engine.drain()
            await engine.stop()
