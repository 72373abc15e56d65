"""Messages over every kind of Redis, and what is said of one that is not fit."""

import asyncio
import logging
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager

import pytest
from celery import Celery

from config.brokers import from_redis_url
from orchestrator.store.redis_client import complaint_of, connect
from orchestrator.store.redis_notifier import RedisNotifier
from tests.support.redis_kinds import Servers, serving

pytestmark = pytest.mark.usefixtures("redis_server")


@pytest.fixture
def servers() -> Iterator[Servers]:
    """Where a test starts its own."""
    with serving() as place:
        yield place


class Pair:
    """Two members of a cluster; what the second has heard of the first."""

    def __init__(self, url: str, other_url: str) -> None:
        self.one = RedisNotifier(connect(url), "cluster", "one")
        self.other = RedisNotifier(connect(other_url), "cluster", "other")
        self.heard: set[bytes] = set()

    async def hears(self, message: bytes) -> None:
        """Says a message again and again until it is heard; one said during an outage is lost."""
        async with asyncio.timeout(60):
            while message not in self.heard:
                self.one.send("other", message)
                await asyncio.sleep(0.02)


@asynccontextmanager
async def pair(url: str, other_url: str = "") -> AsyncIterator[Pair]:
    """A running one, over one URL or two."""
    both = Pair(url, other_url or url)
    await both.one.start(lambda sender, message: None)
    await both.other.start(lambda sender, message: both.heard.add(message))
    try:
        yield both
    finally:
        await both.one.stop()
        await both.other.stop()


def delivered(url: str) -> bool:
    """Whether a Celery worker at the broker of a URL gets a message."""
    broker = from_redis_url(url)
    got = threading.Event()
    app = Celery("test", broker=broker.url, broker_use_ssl=broker.tls, broker_transport_options=broker.options)
    with app.connection_for_write() as sending, app.connection_for_read() as receiving:
        with sending.SimpleQueue("q") as queue:
            queue.put({"hello": 1})
        with receiving.SimpleQueue("q") as queue:
            message = queue.get(timeout=30)
            message.ack()
            got.set()
    return got.is_set()


async def test_over_tls(servers: Servers) -> None:
    server = servers.tls()
    async with pair(server.url) as both:
        await both.hears(b"hello")
    assert await asyncio.to_thread(delivered, server.url)


async def test_a_stranger_to_the_authority_is_told_apart(servers: Servers, caplog: pytest.LogCaptureFixture) -> None:
    server = servers.tls()
    async with pair(f"rediss://127.0.0.1:{server.port}/0") as both:
        assert not both.one.connected
    assert "certificate verify failed" in caplog.text


async def test_over_a_socket(servers: Servers) -> None:
    path = servers.parent / "plain" / "s"
    servers.plain("plain", "--unixsocket", str(path), "--unixsocketperm", "777")
    async with pair(f"unix://{path}?db=1") as both:
        await both.hears(b"hello")
    assert await asyncio.to_thread(delivered, f"unix://{path}?db=1")


async def test_sentinels_lead_to_the_next_master(servers: Servers) -> None:
    master, url = await asyncio.to_thread(servers.watched)
    async with pair(url) as both:
        await both.hears(b"before")
        await asyncio.to_thread(master.stop)
        await both.hears(b"after")
        assert await asyncio.to_thread(delivered, url)


async def test_a_cluster_carries_from_node_to_node_and_outlives_one(servers: Servers) -> None:
    nodes, url = await asyncio.to_thread(servers.cluster)
    first, second = (f"redis+cluster://127.0.0.1:{node.port}" for node in nodes[:2])
    async with pair(first, second) as both:
        await both.hears(b"from another node")
    async with pair(url) as both:
        for node in nodes[:2]:
            await both.hears(f"before the end of {node.name}".encode())
            await asyncio.to_thread(node.stop)
            await both.hears(f"after the end of {node.name}".encode())


Start = Callable[[Servers], str]


def a_replica(servers: Servers) -> str:
    """One that takes no writes."""
    return servers.replica(servers.plain("master")).url


def an_old_one(servers: Servers) -> str:
    """One that knows nothing that came with Redis 6."""
    return servers.plain("old", "--rename-command", "HELLO", "").url


@pytest.mark.parametrize(
    ("start", "said"), [(a_replica, ["Redis is a read-only replica"]), (an_old_one, [])], ids=["replica", "old"]
)
async def test_what_is_not_fit_carries_messages_and_is_told_once(
    servers: Servers, caplog: pytest.LogCaptureFixture, start: Start, said: list[str]
) -> None:
    caplog.set_level(logging.WARNING)
    url = await asyncio.to_thread(start, servers)
    async with pair(url) as both:
        await both.hears(b"one")
        await both.hears(b"two")
    warned = [record.getMessage() for record in caplog.records if record.name == "orchestrator.store.redis_notifier"]
    # Each of the two members tells it.
    assert sorted(each.partition(":")[0] for each in warned) == sorted(said * 2)


def test_what_is_said_of_a_server() -> None:
    replica = {"redis_version": "7.0.15", "role": "slave", "redis_mode": "standalone"}
    assert complaint_of(replica).startswith("Redis is a read-only replica")
    assert complaint_of(replica | {"redis_mode": "cluster"}) == ""
    assert complaint_of(replica | {"role": "master"}) == ""
    assert complaint_of(replica | {"redis_version": "5.0.14"}).startswith("Redis 5.0.14 is older than 6.0: Celery")
    assert complaint_of({}) == ""
