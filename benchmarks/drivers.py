"""Driver processes: spawned, brought to the starting line, released together, collected.

A fresh process for each run keeps one run's garbage out of the next one's figures, and several of them drive a server
that one Python process could not keep busy.
"""

from __future__ import annotations

import asyncio
import gc
import multiprocessing
import time
import traceback
from contextlib import AbstractContextManager
from multiprocessing.connection import Connection
from types import TracebackType

from benchmarks.load import Load, LoadOptions
from benchmarks.sample import Sample, merge


class DriverError(RuntimeError):
    """A driver process broke; holds its traceback."""


class Drivers(AbstractContextManager["Drivers"]):
    """Entering waits until every driver is ready; `run` is the measured part; leaving hangs up."""

    def __init__(self, load: type[Load], address: str, options: LoadOptions, processes: int = 1) -> None:
        context = multiprocessing.get_context("spawn")
        processes = min(processes, options.count)
        self._timeout = options.timeout
        self._pipes: list[Connection] = []
        self._processes = []
        for i in range(processes):
            ours, theirs = context.Pipe()
            process = context.Process(target=_drive, args=(theirs, load, address, options.share(i, processes)))
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)

    def __enter__(self) -> Drivers:
        try:
            for pipe in self._pipes:
                self._expect(pipe, "ready", self._timeout)
        except BaseException:
            self._end()
            raise
        return self

    def run(self) -> Sample:
        """Release all drivers and wait until the last is done; they stay connected."""
        for pipe in self._pipes:
            pipe.send("go")
        return merge([self._expect(pipe, "done", self._timeout + 60) for pipe in self._pipes])

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            for pipe in self._pipes:
                pipe.send("stop")
            for process in self._processes:
                process.join(60)
        self._end()

    def _end(self) -> None:
        for process in self._processes:
            if process.is_alive():
                process.terminate()
            process.join()

    @staticmethod
    def _expect(pipe: Connection, word: str, seconds: float) -> Sample:
        if not pipe.poll(seconds):
            raise DriverError(f"a driver was not {word} within {seconds:.0f} s")
        try:
            said, payload = pipe.recv()
        except EOFError:
            raise DriverError(f"a driver ended before it was {word}") from None
        if said != word:
            raise DriverError(payload)
        return payload or Sample()


def _drive(pipe: Connection, load: type[Load], address: str, options: LoadOptions) -> None:
    """Body of a driver process."""
    try:
        asyncio.run(_steps(pipe, load(address, options)))
    except BaseException:
        pipe.send(("broken", traceback.format_exc()))


async def _steps(pipe: Connection, load: Load) -> None:
    await load.open()
    gc.collect()
    gc.freeze()
    pipe.send(("ready", None))
    # The wait must not block the loop: the polls are already hanging.
    await asyncio.to_thread(pipe.recv)
    cpu = time.process_time()
    await load.run()
    load.sample.cpu = time.process_time() - cpu
    pipe.send(("done", load.sample))
    await asyncio.to_thread(pipe.recv)
    await load.close()
