"""The client of the Redis that carries messages between processes."""

import random
from collections.abc import Mapping
from typing import Any

from redis.asyncio import ConnectionPool, Redis, Sentinel
from redis.asyncio.connection import Connection, SSLConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff
from redis.exceptions import RedisError, ResponseError

from orchestrator.store.redis_urls import RedisPlace, parse_redis_url

CONNECT_S = 2.0
ANSWER_S = 5.0
OLDEST = (6, 0)
"""The first version that knows what Celery's client says first."""


def connect(url: str) -> Redis:
    """A client for a Redis URL; it connects when it is used first, and once more when a connection turns out closed.

    Args:
        url: see `redis_urls`.

    Raises:
        ValueError: the URL is none of Redis.
    """
    place = parse_redis_url(url)
    # The older protocol: it has all that messages need, and every server speaks it.
    bounds: dict[str, Any] = {"socket_connect_timeout": CONNECT_S, "socket_timeout": ANSWER_S, "protocol": 2}
    if place.kind == "sentinel":
        return _master(place, bounds)
    bounds["retry"] = Retry(NoBackoff(), 1)
    if place.kind == "cluster":
        kind = TlsNodeConnection if place.tls else NodeConnection
        pool = ConnectionPool(connection_class=kind, nodes=place.nodes, **place.options | bounds)
        return Redis.from_pool(pool)
    return Redis.from_url(url, **bounds)


def _master(place: RedisPlace, bounds: dict[str, Any]) -> Redis:
    # Whoever may ask a Sentinel need not be who may use its Redis.
    options = dict(place.options)
    asking = {name: options.pop(f"sentinel_{name}", None) for name in ("username", "password")}
    tls = {"ssl": True, **place.tls_options()} if place.tls else {}
    sentinels = Sentinel(place.nodes, sentinel_kwargs=bounds | asking | tls)  # type: ignore[no-untyped-call]
    client: Redis = sentinels.master_for(place.service, redis_class=OfMaster, **options | bounds | tls)
    return client


class OfMaster(Redis):
    """Of whichever server the Sentinels name; it closes its connections to them too."""

    async def aclose(self, close_connection_pool: bool | None = None) -> None:
        """See Redis."""
        await super().aclose(close_connection_pool)
        pool: Any = self.connection_pool
        for sentinel in pool.sentinel_manager.sentinels:
            await sentinel.aclose()


class _AnyNode:
    """Connects to any node of a cluster: what is published at one is heard at all.

    Args:
        nodes: hosts and ports.
    """

    def __init__(self, *, nodes: tuple[tuple[str, int], ...], **options: Any) -> None:
        super().__init__(**options)
        self._nodes = nodes

    async def _connect(self) -> None:
        for attempt, (host, port) in enumerate(random.sample(self._nodes, len(self._nodes)), 1):
            self.host, self.port = host, port
            try:
                await super()._connect()  # type: ignore[misc]
            except (OSError, TimeoutError, RedisError):
                if attempt == len(self._nodes):
                    raise
            else:
                return


class NodeConnection(_AnyNode, Connection):
    """Without TLS."""


class TlsNodeConnection(_AnyNode, SSLConnection):
    """Over TLS."""


async def complaint(client: Redis) -> str:
    """What is wrong with a server that answers, in one sentence; empty when nothing is, or it does not tell."""
    try:
        return complaint_of(await client.info())
    except ResponseError:
        return ""


def complaint_of(info: Mapping[str, Any]) -> str:
    """The same, of the answer to INFO."""
    version = str(info.get("redis_version", ""))
    numbers = tuple(int(part) for part in version.split(".")[:2] if part.isdigit())
    if numbers and numbers < OLDEST:
        oldest = ".".join(map(str, OLDEST))
        return f"Redis {version} is older than {oldest}: Celery cannot use it, so shards are looked at less often"
    # A node of a cluster passes messages on, whatever it is.
    if info.get("role") == "slave" and info.get("redis_mode") != "cluster":
        return (
            "Redis is a read-only replica: it takes no messages of Celery, and only processes at the same replica hear "
            "each other; name the master"
        )
    return ""
