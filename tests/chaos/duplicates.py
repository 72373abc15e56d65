"""Delivers every message of Celery three times: what is pushed to a queue in Redis is pushed twice more."""

import ast
import asyncio
import contextlib
import json
import re
import uuid
from collections.abc import Iterator

import redis.asyncio as aioredis

QUEUES = b"hugo:hugo."
"""How the keys of the queues begin: the prefix of our keys in Redis, and that of the names of our queues."""
_ARGUMENT = re.compile(rb'"(?:[^"\\]|\\.)*"')
_ADDRESS = re.compile(rb"\[\d+ ([^\]]+)\]")
COPIES = 2


async def every_message_thrice(url: str, seconds: float, queues: bytes = QUEUES) -> None:
    """Listens to what Redis is told, and repeats what goes to queues; ends early when Redis goes away."""
    with contextlib.suppress(TimeoutError, aioredis.ConnectionError, OSError):
        async with asyncio.timeout(seconds), aioredis.from_url(url, single_connection_client=True) as client:
            await client.initialize()
            await client.client_setname("chaos")
            ours = str((await client.client_info())["addr"]).encode()
            await _repeat(url, client, ours, queues)


async def _repeat(url: str, client: aioredis.Redis, ours: bytes, queues: bytes) -> None:
    listener = aioredis.ConnectionPool.from_url(url).make_connection()
    await listener.connect()
    try:
        await listener.send_command("MONITOR")
        await listener.read_response()
        while True:
            line = await listener.read_response(disable_decoding=True)
            for queue, message in pushed(line, ours, queues):
                for _ in range(COPIES):
                    await client.lpush(queue, renamed(message))
    finally:
        await listener.disconnect()


def pushed(line: bytes, ours: bytes, queues: bytes) -> Iterator[tuple[bytes, bytes]]:
    """The queue and the message of a line of MONITOR that pushes one, unless it came from our own address."""
    address = _ADDRESS.search(line)
    words = [bytes(ast.literal_eval("b" + each.decode("ascii"))) for each in _ARGUMENT.findall(line)]
    if address is None or address[1].endswith(ours) or len(words) < 3:
        return
    command, queue, *messages = words
    if command.upper() == b"LPUSH" and queue.startswith(queues):
        for message in messages:
            yield queue, message


def renamed(message: bytes) -> bytes:
    """The same message under another delivery tag, as a broker that delivers it again gives it."""
    content = json.loads(message)
    content["properties"]["delivery_tag"] = str(uuid.uuid4())
    return json.dumps(content).encode()
