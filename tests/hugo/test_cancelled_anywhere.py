"""What waits may be cancelled at any of its awaits: that propagates, no task or timer is left, nothing is half done.

Here is what waits for others or runs them; queues, locks, channels and select have tests of their own.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import pytest

from hugo.cancellation import CancelToken
from hugo.channels import Channel, PrioritizedChannel
from hugo.clock import FakeClock, settle
from hugo.deterministic import (
    DeterministicGate,
    DeterministicRecord,
    EffectStore,
    InMemoryStateStore,
    RunScope,
    VersionGate,
)
from hugo.go import FallbackTier, Once, after_async, defer_async, delay, fan_in, race, retry, tiered_fallback, when_all
from hugo.policies import ExecutionPolicy, RetryPolicy, StepContext, execute
from hugo.result import Result, err, ok, traverse_async, with_timeout
from hugo.sagas import Saga
from hugo.streams import collect, merge_streams, partition_stream, to_channel, window_stream
from hugo.sync import ErrGroup
from hugo.task_queue import BackpressureMonitor, SafeTaskQueue, TaskQueue
from hugo.timers import Ticker
from tests.hugo.stepping import Run, at_each_step


@dataclass
class Scene:
    """What a piece of work needs, and what became of it."""

    clock: FakeClock = field(default_factory=FakeClock)
    log: list[str] = field(default_factory=list)
    check: Callable[[bool], Awaitable[None] | None] = lambda cancelled: None

    def note(self, word: str) -> None:
        self.log.append(word)


Work = Callable[[Scene], Coroutine[Any, Any, Any]]


@pytest.fixture(autouse=True)
def silent(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("CRITICAL")


async def soon(value: str) -> Result[str]:
    await asyncio.sleep(0)
    return ok(value)


async def slow(scene: Scene, step: StepContext) -> Result[str]:
    """Succeeds after a moment, and can be taken back."""
    step.register_compensation(scene.note, f"undo {step.name}")
    await delay(1, clock=scene.clock)
    scene.note(f"done {step.name}")
    return ok(step.name)


async def busy(scene: Scene, step: StepContext) -> Result[str]:
    """Fails once after a moment, then as `slow`."""
    result = await slow(scene, step)
    return err("busy") if step.attempt == 1 else result


async def several(*values: str) -> AsyncIterator[Result[str]]:
    for value in values:
        await asyncio.sleep(0)
        yield ok(value)


def undone_if_cancelled(scene: Scene, done: int) -> None:
    """All that was done is undone after a cancellation, and nothing without one."""

    def check(cancelled: bool) -> None:
        undone = sum(word.startswith("undo") for word in scene.log)
        finished = sum(word.startswith("done") for word in scene.log)
        assert undone >= finished if cancelled else (finished, undone) == (done, 0)

    scene.check = check


# The pieces of work.


async def once(scene: Scene) -> None:
    once = Once()

    async def action() -> None:
        scene.note("begun")
        await asyncio.sleep(0)

    other = asyncio.create_task(once.do_async(action))
    await asyncio.sleep(0)

    async def check(_: bool) -> None:
        await other
        await once.do_async(action)
        assert scene.log == ["begun"]

    scene.check = check
    await once.do_async(action)


async def first_of_once(scene: Scene) -> None:
    once = Once()

    async def check(_: bool) -> None:
        await once.do_async(partial(soon, "never"))

    scene.check = check
    await once.do_async(partial(soon, "first"))


async def token(scene: Scene) -> None:
    token = CancelToken()
    scene.clock.call_later(1, token.cancel)
    await token.wait()


async def deferred(scene: Scene) -> None:
    async def close() -> None:
        scene.note("closed")
        await asyncio.sleep(0)

    def check(_: bool) -> None:
        assert scene.log == ["closed"]

    async with defer_async(close):
        scene.check = check
        await asyncio.sleep(0)


async def after_a_while(scene: Scene) -> None:
    await after_async(1, clock=scene.clock)


async def ticks(scene: Scene) -> None:
    async with Ticker(1, clock=scene.clock) as ticker:
        await ticker.read()


async def lanes(scene: Scene) -> None:
    channel: PrioritizedChannel[str] = PrioritizedChannel(2, capacity_per_level=1)
    await channel.writer.write("old", 0)
    scene.clock.call_later(1, channel.reader.try_read)

    def check(cancelled: bool) -> None:
        assert channel.reader.count == (0 if cancelled else 1)

    scene.check = check
    await channel.writer.write("new", 0)


async def reserved(scene: Scene) -> None:
    channel: Channel[str] = Channel(1)
    await channel.writer.write("old")
    scene.clock.call_later(1, channel.reader.try_read)

    def check(cancelled: bool) -> None:
        channel.reader.try_read()
        assert channel.writer.try_write("probe") is cancelled

    scene.check = check
    await channel.writer.reserve()


async def watching(scene: Scene) -> None:
    channel: Channel[str] = Channel(1)
    await channel.writer.write("old")
    scene.clock.call_later(1, channel.reader.try_read)
    scene.clock.call_later(2, partial(channel.writer.try_write, "new"))
    scene.clock.call_later(3, channel.reader.try_read)
    scene.clock.call_later(3, channel.writer.try_complete)

    def check(_: bool) -> None:
        assert not channel.reader.watchers.futures
        assert not channel.writer._watching

    scene.check = check
    await channel.writer.wait_to_write()
    await channel.reader.wait_to_read()
    await channel.reader.completion()


async def joined(scene: Scene) -> None:
    source, narrow = Channel[str](), Channel[str](1)
    for word in ("a", "b"):
        source.writer.try_write(word)
    scene.clock.call_later(1, narrow.reader.try_read)
    scene.clock.call_later(2, source.writer.try_complete)

    def check(cancelled: bool) -> None:
        assert narrow.writer.completed
        assert (narrow.reader.error is not None) is cancelled

    scene.check = check
    await fan_in([source.reader], narrow.writer)


async def in_time(scene: Scene) -> None:
    async def operation(token: CancelToken) -> Result[None]:
        try:
            await delay(1, clock=scene.clock, token=token)
        finally:
            scene.note("ended")
        return ok()

    def check(_: bool) -> None:
        assert scene.log in ([], ["ended"])

    scene.check = check
    await with_timeout(operation, 5, clock=scene.clock)


async def out_of_time(scene: Scene) -> None:
    async def stubborn(_: CancelToken) -> Result[None]:
        await delay(9, clock=scene.clock)
        return ok()

    await with_timeout(stubborn, 1, grace=1, clock=scene.clock)


async def together(scene: Scene) -> None:
    undone_if_cancelled(scene, 2)
    await when_all([partial(slow, scene)] * 2, clock=scene.clock)


async def racing(scene: Scene) -> None:
    undone_if_cancelled(scene, 1)

    async def never(_: StepContext) -> Result[str]:
        await asyncio.Event().wait()
        return ok("never")

    await race([partial(slow, scene), never], clock=scene.clock)


async def again(scene: Scene) -> None:
    def check(cancelled: bool) -> None:
        assert scene.log.count("undo step") >= scene.log.count("done step") - (not cancelled)

    scene.check = check
    policy = ExecutionPolicy(RetryPolicy.fixed(3, 1))
    await execute(partial(busy, scene), policy=policy, clock=scene.clock)


async def retried(scene: Scene) -> None:
    async def operation(attempt: int, _: CancelToken) -> Result[int]:
        await asyncio.sleep(0)
        return ok(attempt) if attempt == 2 else err("busy")

    await retry(operation, initial_delay=1, clock=scene.clock)


async def falling_back(scene: Scene) -> None:
    async def fail(_: StepContext) -> Result[str]:
        await asyncio.sleep(0)
        return err("no")

    await tiered_fallback(
        [FallbackTier("a", [fail, fail]), FallbackTier("b", [partial(slow, scene)])], clock=scene.clock
    )


async def saga(scene: Scene) -> None:
    undone_if_cancelled(scene, 2)
    steps = Saga().step("a", partial(slow, scene)).step("b", partial(slow, scene))
    await steps.execute(clock=scene.clock)


async def failing_saga(scene: Scene) -> None:
    async def undo(word: str) -> None:
        await asyncio.sleep(0)
        scene.note(f"undo {word}")

    def check(_: bool) -> None:
        # Once, whether the saga fails, is cancelled, or is cancelled while it is taken back.
        assert scene.log in ([], ["undo a"])

    scene.check = check
    steps = Saga().step("a", lambda _: soon("a"), undo=undo).step("b", lambda _: err("no"))
    await steps.execute(clock=scene.clock)


async def group(scene: Scene) -> None:
    async with ErrGroup() as group:
        group.go_step(partial(slow, scene), clock=scene.clock)
        group.go(asyncio.sleep, 0)
        await group.wait()


async def traversed(scene: Scene) -> None:
    await traverse_async(["a", "b", "c"], soon, concurrency=2)


async def piped(scene: Scene) -> None:
    await ok("a").pipe().then(soon).map(str.upper).tap(soon).then(soon)


async def merged(scene: Scene) -> None:
    await collect(merge_streams([several("a", "b"), several("c")]))


async def windows(scene: Scene) -> None:
    await collect(window_stream(several("a", "b", "c"), 2, flush=1, clock=scene.clock))


async def to_channels(scene: Scene) -> None:
    channels = [Channel[Result[str]](1) for _ in range(3)]
    for channel in channels:
        for moment in (1, 2, 3):
            scene.clock.call_later(moment, channel.reader.try_read)

    def check(_: bool) -> None:
        assert channels[0].writer.completed

    scene.check = check
    await to_channel(several("a", "b"), channels[0].writer)
    await partition_stream(several("a", "b"), lambda word: word == "a", channels[1].writer, channels[2].writer)


class SlowStore(InMemoryStateStore):
    """A store whose answers take a moment."""

    async def get(self, key: str) -> DeterministicRecord | None:
        await asyncio.sleep(0)
        return await super().get(key)

    async def add(self, key: str, record: DeterministicRecord) -> bool:
        added = await super().add(key, record)
        await asyncio.sleep(0)
        return added


async def effect(scene: Scene) -> None:
    store, scope = SlowStore(), RunScope("default", "w", "r")
    effects = EffectStore(store, scope)
    gates = DeterministicGate(VersionGate(store, scope), effects)

    async def branch(_: object) -> Result[str]:
        await asyncio.sleep(0)
        scene.note("paid")
        return ok(f"payment {len(scene.log)}")

    async def check(_: bool) -> None:
        outcomes = [(await gates.execute("pay", 1, 2, upgraded=branch, legacy=branch)).value for _ in range(2)]
        # What was remembered stays, whoever was cancelled; what was not is done again.
        assert outcomes[0] == outcomes[1]
        assert len(scene.log) <= 2

    scene.check = check
    await gates.execute("pay", 1, 2, upgraded=branch, legacy=branch)


async def draining(scene: Scene) -> None:
    queue: TaskQueue[str] = TaskQueue(clock=scene.clock)
    await queue.enqueue("a")
    with BackpressureMonitor(queue, high=1, low=0, cooldown=1) as monitor:
        scene.clock.call_later(1, partial(asyncio.ensure_future, queue.drain()))
        await monitor.wait_for_draining()


async def burying(scene: Scene) -> None:
    async def bury(_: object) -> None:
        await asyncio.sleep(0)
        scene.note("buried")

    queue: TaskQueue[str] = TaskQueue(clock=scene.clock, dead_letter=bury)
    await queue.enqueue("a")
    await queue.enqueue("b")

    def check(_: bool) -> None:
        assert scene.log == ["buried"] * 2

    await queue.lease()
    scene.check = check
    await queue.aclose()


async def safely(scene: Scene) -> None:
    queue: TaskQueue[str] = TaskQueue(clock=scene.clock)
    scene.clock.call_later(1, partial(asyncio.ensure_future, queue.enqueue("a")))

    def check(cancelled: bool) -> None:
        assert (queue.pending_count, queue.active_lease_count) == (int(cancelled), 0)

    scene.check = check
    lease = (await SafeTaskQueue(queue).lease()).unwrap()
    await lease.complete()


WORKS: list[Work] = [
    once,
    first_of_once,
    token,
    deferred,
    after_a_while,
    ticks,
    lanes,
    reserved,
    watching,
    joined,
    in_time,
    out_of_time,
    together,
    racing,
    again,
    retried,
    falling_back,
    saga,
    failing_saga,
    group,
    traversed,
    piped,
    merged,
    windows,
    to_channels,
    effect,
    draining,
    burying,
    safely,
]


async def pass_time(clock: FakeClock) -> None:
    """A second after the other, as long as there is something to do in it."""
    while True:
        await clock.advance_and_settle(1, rounds=8)


@pytest.mark.parametrize("work", WORKS, ids=lambda work: work.__name__)
async def test_it_may_be_cancelled_at_any_await(work: Work) -> None:
    async def scenario(run: Run) -> None:
        before = asyncio.all_tasks()
        scene = Scene()
        passing = asyncio.create_task(pass_time(scene.clock))
        cancelled = await run(work(scene))
        passing.cancel()
        await scene.clock.advance_and_settle(20, rounds=8)
        assert asyncio.all_tasks() == before
        assert scene.clock.next_due is None
        checked = scene.check(cancelled)
        if checked is not None:
            await checked
        await settle()
        assert asyncio.all_tasks() == before

    assert await at_each_step(scenario) >= 2
