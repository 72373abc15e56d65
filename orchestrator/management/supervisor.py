"""Keeps several processes of a server running: starts them, starts again what dies, drains all when a signal comes."""

import asyncio
import logging
import signal
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress

from orchestrator.management.child import child_command, child_environment

logger = logging.getLogger(__name__)

READY = b"READY "
FIRST_PAUSE = 0.5
LONGEST_PAUSE = 30.0
"""Seconds before a process that died is started again; doubled each time up to the longest."""
SETTLED = 30.0
"""Seconds a process has to serve until its next death counts as the first."""


class Child:
    """One of the processes.

    Args:
        number: what the log calls it.
        module: what it runs, see `child_command`.
        arguments: of the module.
    """

    def __init__(self, number: int, module: str, arguments: Sequence[str]) -> None:
        self.number = number
        self._command = child_command(module, *arguments)
        self._process: asyncio.subprocess.Process | None = None
        self._reading: asyncio.Task[None] | None = None

    @property
    def running(self) -> asyncio.subprocess.Process:
        """The process; there is one once `start` was called."""
        assert self._process is not None
        return self._process

    async def start(self) -> bool:
        """Starts the process; returns whether it serves, or else ended."""
        self._process = await asyncio.create_subprocess_exec(
            *self._command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env=child_environment(),
            # A Ctrl-C at the terminal is for this process, which drains them.
            start_new_session=True,
        )
        assert self._process.stdout is not None
        async for line in self._process.stdout:
            if line.startswith(READY):
                self._reading = asyncio.create_task(_pass_on(self._process.stdout))
                return True
        await self._process.wait()
        return False

    async def keep(self) -> None:
        """Starts the process again whenever it ends, until it is cancelled."""
        loop = asyncio.get_running_loop()
        pause = FIRST_PAUSE
        while True:
            since = loop.time()
            status = await self.running.wait()
            if loop.time() - since > SETTLED:
                pause = FIRST_PAUSE
            logger.warning(
                "worker %d (process %d) ended with status %d; another starts in %g s",
                *(self.number, self.running.pid, status, pause),
            )
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
            if await self.start():
                logger.info("worker %d serves again, as process %d", self.number, self.running.pid)

    async def stop(self, patience: float) -> None:
        """Drains the process, and kills it when that takes longer than `patience` seconds."""
        if self._process is None:
            return
        with suppress(ProcessLookupError):
            self._process.terminate()
        try:
            async with asyncio.timeout(patience):
                await self._process.wait()
        except TimeoutError:
            logger.warning("worker %d (process %d) did not end and is killed", self.number, self._process.pid)
            self._process.kill()
            await self._process.wait()
        if self._reading is not None:
            await self._reading


async def _pass_on(output: asyncio.StreamReader) -> None:
    async for line in output:
        sys.stdout.write(line.decode(errors="replace"))


async def supervise(children: Sequence[Child], started: Callable[[], None], stop_seconds: float) -> int:
    """Runs the processes until SIGTERM or SIGINT comes, then drains them.

    Args:
        children: not started yet; each prints a line that begins with READY once it serves.
        started: called once all of them serve.
        stop_seconds: how long they may take to drain.

    Returns:
        The exit status: 0 after a signal; when one of them ends before all serve, the status of that one.
    """
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    asked = asyncio.create_task(told.wait())
    work = asyncio.create_task(_run(children, started))
    try:
        await asyncio.wait((asked, work), return_when=asyncio.FIRST_COMPLETED)
        return work.result() if work.done() else 0
    finally:
        asked.cancel()
        work.cancel()
        await asyncio.wait((work,))
        await asyncio.gather(*(child.stop(stop_seconds) for child in children))


async def _run(children: Sequence[Child], started: Callable[[], None]) -> int:
    """Returns the status of a process that could not start; else runs until it is cancelled."""
    starting = {asyncio.create_task(child.start()): child for child in children}
    try:
        for first in asyncio.as_completed(starting):
            if not await first:
                return next(child.running.returncode or 1 for task, child in starting.items() if _failed(task))
    finally:
        for task in starting:
            task.cancel()
        await asyncio.wait(starting)
    started()
    await asyncio.gather(*(child.keep() for child in children))
    raise AssertionError("processes are kept for ever")


def _failed(task: "asyncio.Task[bool]") -> bool:
    return task.done() and not task.cancelled() and not task.result()
