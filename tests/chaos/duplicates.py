"""Delivers every message of Celery three times: what is pushed to a queue in Redis is pushed twice more."""

import ast
import asyncio
import contextlib
import json
import re
import uuid
from collections.abc import AsyncGenerator, Callable, Iterator

import redis.asyncio as aioredis

QUEUES = b"hugo:hugo."
"""How the keys of the queues begin: the prefix of our keys in Redis, and that of the names of our queues."""
_ARGUMENT = re.compile(rb'"(?:[^"\\]|\\.)*"')
OURS = "chaos-"
"""How the delivery tags of copies begin: a copy is not copied."""
COPIES = 2


async def every_message_thrice(
    url: str, seconds: float, repeated: Callable[[bytes], object], queues: bytes = QUEUES
) -> None:
    """Listens to what Redis is told, and repeats what goes to queues; ends early when Redis goes away.

    Args:
        url: of Redis.
        seconds: for how long.
        repeated: told of each message that was repeated.
        queues: how the keys of the queues begin.
    """
    with contextlib.suppress(TimeoutError, aioredis.RedisError, OSError):
        async with (
            asyncio.timeout(seconds),
            aioredis.from_url(url) as client,
            contextlib.aclosing(_told(url)) as lines,
        ):
            async for line in lines:
                for queue, message in pushed(line, queues):
                    for _ in range(COPIES):
                        await client.lpush(queue, renamed(message))
                    repeated(message)


async def _told(url: str) -> AsyncGenerator[bytes, None]:
    """The lines of MONITOR, as they come: the client of Redis would decode them, and lose what messages quote."""
    connection = aioredis.ConnectionPool.from_url(url).make_connection()
    await connection.connect()
    try:
        await connection.send_command("MONITOR")
        await connection.read_response()
        while True:
            yield await connection.read_response(disable_decoding=True)
    finally:
        await connection.disconnect()


def pushed(line: bytes, queues: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The queue and the messages of a line of MONITOR that pushes some, but for copies."""
    words = [bytes(ast.literal_eval("b" + each.decode("ascii"))) for each in _ARGUMENT.findall(line)]
    if len(words) < 3 or words[0].upper() != b"LPUSH" or not words[1].startswith(queues):
        return
    for message in words[2:]:
        if not json.loads(message)["properties"]["delivery_tag"].startswith(OURS):
            yield words[1], message


def renamed(message: bytes) -> bytes:
    """The same message under another delivery tag, as a broker that delivers it again gives it."""
    content = json.loads(message)
    content["properties"]["delivery_tag"] = f"{OURS}{uuid.uuid4()}"
    return json.dumps(content).encode()
