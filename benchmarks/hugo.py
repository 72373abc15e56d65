"""`python -m benchmarks.hugo`: what the primitives of `hugo` cost beside those of asyncio and anyio.

Each round measures the CPU time of ours, then of the other, so that a busy machine slows down both. Only the ratio
counts: how many times as long ours took, below 1 is in our favour.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import sys
import time
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from statistics import median

from hugo.channels import Channel, PrioritizedChannel
from hugo.result import Result, err, ok
from hugo.sync import ErrGroup, Mutex, WaitGroup
from hugo.task_queue import TaskQueue

PLACES = 100
TASKS = 100

Load = Callable[[int], Awaitable[None]]


@dataclass(frozen=True)
class Comparison:
    """Something of ours beside something that does the same, and how many times as long ours may take."""

    name: str
    ours: Load
    other: str
    theirs: Load
    target: float | None = None


async def queue_in_turn(count: int) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(PLACES)
    for number in range(count):
        await queue.put(number)
        await queue.get()


async def channel_in_turn(count: int) -> None:
    channel: Channel[int] = Channel(PLACES)
    write, read = channel.writer.write, channel.reader.read
    for number in range(count):
        await write(number)
        await read()


async def prioritized_in_turn(count: int) -> None:
    channel: PrioritizedChannel[int] = PrioritizedChannel(3, capacity_per_level=PLACES)
    write, read = channel.writer.write, channel.reader.read
    for number in range(count):
        await write(number, 1)
        await read()


async def task_queue_in_turn(count: int) -> None:
    queue: TaskQueue[int] = TaskQueue()
    for number in range(count):
        await queue.enqueue(number)
        lease = await queue.lease()
        await lease.complete()


async def stream_in_turn(count: int) -> None:
    send, receive = import_module("anyio").create_memory_object_stream(PLACES)
    with send, receive:
        for number in range(count):
            await send.send(number)
            await receive.receive()


async def _both(writing: Awaitable[None], reading: Awaitable[None]) -> None:
    await asyncio.gather(writing, reading)


async def queue_between_tasks(count: int) -> None:
    queue: asyncio.Queue[int] = asyncio.Queue(PLACES)

    async def write() -> None:
        for number in range(count):
            await queue.put(number)

    async def read() -> None:
        for _ in range(count):
            await queue.get()

    await _both(write(), read())


async def channel_between_tasks(count: int) -> None:
    channel: Channel[int] = Channel(PLACES)

    async def write() -> None:
        for number in range(count):
            await channel.writer.write(number)

    async def read() -> None:
        for _ in range(count):
            await channel.reader.read()

    await _both(write(), read())


async def future_to_waiting(count: int) -> None:
    """As matching hands over: whoever waits is a future in a line."""
    loop = asyncio.get_running_loop()
    waiting: deque[asyncio.Future[int]] = deque()

    async def poll() -> None:
        for _ in range(count):
            future = loop.create_future()
            waiting.append(future)
            await future

    polling = asyncio.create_task(poll())
    for number in range(count):
        await asyncio.sleep(0)
        waiting.popleft().set_result(number)
    await polling


async def channel_to_waiting(count: int) -> None:
    channel: Channel[int] = Channel()

    async def poll() -> None:
        for _ in range(count):
            await channel.reader.read()

    polling = asyncio.create_task(poll())
    for number in range(count):
        await asyncio.sleep(0)
        channel.writer.try_write(number)
    await polling


async def task_queue_to_waiting(count: int) -> None:
    queue: TaskQueue[int] = TaskQueue()

    async def poll() -> None:
        for _ in range(count):
            await (await queue.lease()).complete()

    polling = asyncio.create_task(poll())
    for number in range(count):
        await asyncio.sleep(0)
        await queue.enqueue(number)
    await polling


def _half(number: int) -> Result[int]:
    return ok(number // 2) if number % 2 == 0 else err("odd")


def _halved(number: int) -> int:
    if number % 2:
        raise ValueError("odd")
    return number // 2


async def pipelines(count: int) -> None:
    """Half of them fail at the first step, a quarter at the second."""
    for number in range(count):
        _half(number).then(_half).map(str).value_or("")


async def exceptions(count: int) -> None:
    for number in range(count):
        try:
            str(_halved(_halved(number)))
        except ValueError:
            pass


async def lock_in_turn(count: int) -> None:
    lock = asyncio.Lock()
    for _ in range(count):
        async with lock:
            pass


async def mutex_in_turn(count: int) -> None:
    mutex = Mutex()
    for _ in range(count):
        async with mutex.lock():
            pass


async def _nothing() -> None:
    return


async def task_group(count: int) -> None:
    for _ in range(count // TASKS):
        async with asyncio.TaskGroup() as group:
            for _ in range(TASKS):
                group.create_task(_nothing())


async def err_group(count: int) -> None:
    for _ in range(count // TASKS):
        async with ErrGroup() as group:
            for _ in range(TASKS):
                group.go(_nothing)
            await group.wait()


async def wait_group(count: int) -> None:
    for _ in range(count // TASKS):
        async with WaitGroup() as group:
            for _ in range(TASKS):
                group.go(_nothing)


def comparisons() -> Iterator[Comparison]:
    """All of them; those with anyio where it is installed."""
    yield Comparison("channel, write + read", channel_in_turn, "asyncio.Queue", queue_in_turn, 1.3)
    yield Comparison("channel between two tasks", channel_between_tasks, "asyncio.Queue", queue_between_tasks, 1.3)
    yield Comparison("prioritised channel, write + read", prioritized_in_turn, "asyncio.Queue", queue_in_turn, 2.0)
    yield Comparison("task queue, enqueue + lease + complete", task_queue_in_turn, "asyncio.Queue", queue_in_turn, 4.0)
    if find_spec("anyio") is not None:
        yield Comparison("channel, write + read", channel_in_turn, "anyio memory stream", stream_in_turn)
    yield Comparison("channel, to a reader that waits", channel_to_waiting, "future in a line", future_to_waiting)
    yield Comparison("task queue, to a worker that waits", task_queue_to_waiting, "future in a line", future_to_waiting)
    yield Comparison("result pipeline, two steps", pipelines, "try and except", exceptions)
    yield Comparison("mutex, uncontended", mutex_in_turn, "asyncio.Lock", lock_in_turn)
    yield Comparison(f"wait group, {TASKS} tasks", wait_group, "asyncio.TaskGroup", task_group)
    yield Comparison(f"error group, {TASKS} tasks", err_group, "asyncio.TaskGroup", task_group)


async def seconds(load: Load, count: int) -> float:
    """CPU time of `count` operations: nothing is waited for but other tasks of this thread."""
    gc.collect()
    started = time.thread_time()
    await load(count)
    return time.thread_time() - started


async def compare(comparison: Comparison, count: int, rounds: int) -> str:
    """Measures both in turn, after one round that does not count, and returns a line of the table."""
    measured: list[tuple[float, float]] = []
    for _ in range(rounds + 1):
        measured.append((await seconds(comparison.ours, count), await seconds(comparison.theirs, count)))
    del measured[0]
    ratios = sorted(ours / theirs for ours, theirs in measured)
    ours, theirs = (median(side) / count * 1e6 for side in zip(*measured, strict=True))
    target = "" if comparison.target is None else f"{comparison.target:.1f}"
    return (
        f"{comparison.name:40}{comparison.other:22}{ours:9.2f}{theirs:9.2f}{median(ratios):8.2f}"
        f"{ratios[0]:8.2f} to {ratios[-1]:.2f}{target:>9}"
    )


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.hugo", description="hugo beside asyncio and anyio")
    parser.add_argument("--rounds", type=int, default=15, help="rounds that count (default: %(default)s)")
    parser.add_argument("--operations", type=int, default=5000, help="operations a round (default: %(default)s)")
    args = parser.parse_args(argv)
    print(f"{'ours':40}{'beside':22}{'us':>9}{'us':>9}{'ratio':>8}{'range':>16}{'at most':>9}")
    for comparison in comparisons():
        print(asyncio.run(compare(comparison, args.operations, args.rounds)), flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
