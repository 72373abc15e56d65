"""Messages over a real Redis: who gets them, what travels together, and what happens while Redis is away."""

import asyncio
import logging
import tempfile
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path

import pytest
import pytest_asyncio

from orchestrator.store import redis_notifier
from orchestrator.store.redis_client import connect
from orchestrator.store.redis_notifier import RedisNotifier
from tests.support.binaries import ensure
from tests.support.servers import Redis

CLUSTER = "cluster"


class Member:
    """A notifier and what it received."""

    def __init__(self, url: str, name: str, cluster: str = CLUSTER) -> None:
        self.notifier = RedisNotifier(connect(url), cluster, name)
        self.heard: list[tuple[str, bytes]] = []

    async def start(self) -> "Member":
        await self.notifier.start(lambda sender, message: self.heard.append((sender, message)))
        return self

    def send(self, to: str, text: str) -> None:
        self.notifier.send(to, text.encode())

    @property
    def texts(self) -> list[str]:
        return [message.decode() for _, message in self.heard]


@pytest.fixture
def redis() -> Iterator[Redis]:
    """A Redis of the test's own: it is stopped, and its clients are killed."""
    ensure()
    with tempfile.TemporaryDirectory(prefix="hugo-redis-", dir="/tmp") as parent:  # The account of Redis must reach it.
        Path(parent).chmod(0o755)
        server = Redis(Path(parent))
        server.serve()
        server.wait()
        yield server
        server.stop()


@pytest_asyncio.fixture
async def one_and_other(redis: Redis) -> AsyncIterator[tuple[Member, Member]]:
    """Two members."""
    async with members(redis, "one", "other") as (one, other):
        yield one, other


@asynccontextmanager
async def members(redis: Redis, *names: str) -> AsyncIterator[list[Member]]:
    """Members of one cluster."""
    async with AsyncExitStack() as stack:
        found = []
        for name in names:
            member = await Member(redis.url, name).start()
            stack.push_async_callback(member.notifier.stop)
            found.append(member)
        yield found


async def until(condition: object) -> None:
    """Returns once a condition holds."""
    async with asyncio.timeout(30):
        while not condition():  # type: ignore[operator]
            await asyncio.sleep(0.01)


async def test_a_message_reaches_one_member_or_all_others(redis: Redis) -> None:
    async with members(redis, "a", "b", "c") as (a, b, c):
        a.send("b", "for b")
        a.send("", "for all")
        await until(lambda: len(b.heard) == 2 and len(c.heard) == 1)

        assert sorted(b.heard) == [("a", b"for all"), ("a", b"for b")]
        assert c.heard == [("a", b"for all")]
        assert a.heard == []


async def test_clusters_share_a_redis_without_hearing_each_other(redis: Redis) -> None:
    async with members(redis, "a", "b") as (a, b):
        stranger = await Member(redis.url, "stranger", "another cluster").start()
        stranger.send("", "not for you")
        stranger.send("b", "nor this")
        await stranger.notifier.stop()
        a.send("b", "for you")
        await until(lambda: b.heard)

        assert b.texts == ["for you"]


async def test_messages_of_a_moment_travel_in_one_publish_for_each_receiver(
    redis: Redis, one_and_other: tuple[Member, Member]
) -> None:
    one, other = one_and_other
    spy = connect(redis.url)
    before = await published(spy)
    for number in range(100):
        one.send("other", str(number))
        one.send("", f"all {number}")
    await until(lambda: len(other.heard) == 200)

    assert await published(spy) - before == 2
    assert [text for text in other.texts if text.isdigit()] == [str(number) for number in range(100)]
    await spy.aclose()


async def published(client: object) -> int:
    """How many PUBLISH commands Redis has taken."""
    found: int = (await client.info("commandstats")).get("cmdstat_publish", {}).get("calls", 0)  # type: ignore[attr-defined]
    return found


async def test_any_thread_may_send(one_and_other: tuple[Member, Member]) -> None:
    one, other = one_and_other
    threads = [
        threading.Thread(target=lambda name=name: [one.send("other", f"{name} {i}") for i in range(100)])
        for name in "abcd"
    ]
    for thread in threads:
        thread.start()
    await until(lambda: len(other.heard) == 400)
    for thread in threads:
        thread.join()

    for name in "abcd":
        assert [text for text in other.texts if text.startswith(name)] == [f"{name} {i}" for i in range(100)]


async def test_while_redis_is_away_messages_are_dropped_and_it_is_told_once(
    redis: Redis, one_and_other: tuple[Member, Member], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = one_and_other
    caplog.set_level(logging.WARNING, "orchestrator")
    redis.stop()
    await until(lambda: not one.notifier.connected and not other.notifier.connected)
    for number in range(2 * redis_notifier.QUEUED):
        one.send("other", str(number))

    redis.process = redis.run(redis.service())
    redis.wait()
    await until(lambda: one.notifier.connected and other.notifier.connected)
    one.send("other", "news")
    await until(lambda: other.heard)

    assert other.texts == ["news"]
    told = [record.getMessage() for record in caplog.records]
    assert sum(text.startswith("Redis does not answer") for text in told) == 2, "once by each"
    assert sum(text == "Redis answers again" for text in told) == 2


async def test_it_starts_without_redis_and_finds_it_later(redis: Redis) -> None:
    redis.stop()
    async with members(redis, "early", "bird") as (early, bird):
        assert not early.notifier.connected
        redis.process = redis.run(redis.service())
        redis.wait()
        await until(lambda: early.notifier.connected and bird.notifier.connected)
        early.send("bird", "hello")
        await until(lambda: bird.heard)


async def test_killed_connections_are_made_again(redis: Redis, one_and_other: tuple[Member, Member]) -> None:
    one, other = one_and_other
    killer = connect(redis.url)
    for kind in ("pubsub", "normal"):
        await killer.client_kill_filter(_type=kind, skipme=True)
    heard = asyncio.create_task(until(lambda: other.heard))
    while not heard.done():
        one.send("other", "still there?")
        await asyncio.sleep(0.01)

    await heard
    await killer.aclose()


async def test_a_flushed_redis_carries_on(redis: Redis, one_and_other: tuple[Member, Member]) -> None:
    one, other = one_and_other
    killer = connect(redis.url)
    await killer.flushall()
    one.send("other", "still there")
    await until(lambda: other.heard)
    await killer.aclose()


async def test_what_does_not_fit_is_dropped_and_told_once(
    one_and_other: tuple[Member, Member], caplog: pytest.LogCaptureFixture
) -> None:
    one, other = one_and_other
    caplog.set_level(logging.WARNING, "orchestrator")
    for number in range(redis_notifier.QUEUED + 100):
        one.send("other", str(number))
    await until(lambda: len(other.heard) == redis_notifier.QUEUED)
    one.send("other", "afterwards")
    await until(lambda: other.texts[-1] == "afterwards")

    assert len(other.heard) == redis_notifier.QUEUED + 1
    assert [record.getMessage() for record in caplog.records] == [
        "Redis does not keep up: messages to other processes are dropped"
    ]


async def test_what_others_publish_there_is_passed_over(redis: Redis, one_and_other: tuple[Member, Member]) -> None:
    one, other = one_and_other
    vandal = connect(redis.url)
    for garbage in (b"", b"\xc1", b"text", b"\x93\x01\x02\x03"):
        await vandal.publish(f"hugo:{CLUSTER}:all", garbage)
    one.send("other", "and on")
    await until(lambda: other.heard)

    assert other.texts == ["and on"]
    await vandal.aclose()


async def test_a_member_that_a_message_does_not_reach_is_named(
    redis: Redis, one_and_other: tuple[Member, Member]
) -> None:
    one, other = one_and_other
    await other.notifier.stop()
    one.send("", "for all, of whom there may be none")
    one.send("other", "are you there?")
    await until(lambda: one.heard)

    assert one.heard == [("other", b"")]


async def test_what_was_sent_before_the_stop_arrives(redis: Redis, one_and_other: tuple[Member, Member]) -> None:
    _, other = one_and_other
    leaving = await Member(redis.url, "leaving").start()
    leaving.send("other", "goodbye")
    await leaving.notifier.stop()
    leaving.send("other", "from beyond")
    await until(lambda: other.heard)

    assert other.texts == ["goodbye"]


async def test_stop_while_a_message_is_on_its_way_ends(redis: Redis, one_and_other: tuple[Member, Member]) -> None:
    """The client may swallow a cancellation: it takes it for the end of its connection."""
    for turns in range(40):
        leaving = await Member(redis.url, f"leaving-{turns}").start()
        leaving.send("other", "goodbye")
        for _ in range(turns % 20):
            await asyncio.sleep(0)
        async with asyncio.timeout(10):
            await leaving.notifier.stop()
