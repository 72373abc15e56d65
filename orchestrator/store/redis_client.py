"""The client of the Redis that carries messages between processes."""

from redis.asyncio import Redis
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

CONNECT_S = 2.0
ANSWER_S = 5.0


def connect(url: str) -> Redis:
    """A client for a Redis URL; it connects when it is used first, and once more when a connection turns out closed.

    Args:
        url: `redis://` or `rediss://`.

    Raises:
        ValueError: the URL is none of Redis.
    """
    return Redis.from_url(
        url,
        socket_connect_timeout=CONNECT_S,
        socket_timeout=ANSWER_S,
        retry=Retry(NoBackoff(), 1),
    )
