"""Every message that is pushed to a queue of Celery is there three times, each under a delivery tag of its own."""

import asyncio
import json

import redis.asyncio as aioredis

from tests.chaos.duplicates import QUEUES, every_message_thrice, pushed, renamed
from tests.functional.workers import eventually

QUEUE = "a test of chaos"
MESSAGE = json.dumps({"body": 'quoted "twice" \\ and \u00e9', "properties": {"delivery_tag": "first"}})
LINE = b'1700000000.123456 [0 127.0.0.1:50001] "LPUSH" "hugo:hugo.timer" "%b"'
FOREIGN = LINE % b'{\\"properties\\": {\\"delivery_tag\\": \\"\\xc3\\xa9\\"}}'


def test_a_push_is_read_from_what_redis_was_told() -> None:
    message = '{"properties": {"delivery_tag": "é"}}'.encode()
    assert list(pushed(FOREIGN, QUEUES)) == [(b"hugo:hugo.timer", message)]


def test_copies_and_other_keys_are_left_alone() -> None:
    copied = renamed(b'{"properties": {"delivery_tag": ""}}').replace(b'"', b'\\"')
    assert not list(pushed(LINE % copied, QUEUES))
    assert not list(pushed(FOREIGN.replace(b"hugo:hugo.", b"hugo:_kombu."), QUEUES))
    assert not list(pushed(FOREIGN.replace(b"LPUSH", b"RPOP"), QUEUES))


async def test_messages_are_delivered_three_times(redis_server: str) -> None:
    async with aioredis.from_url(redis_server) as client:
        await client.delete(QUEUE)
        repeated: list[bytes] = []
        repeating = asyncio.create_task(every_message_thrice(redis_server, 60, repeated.append, QUEUE.encode()))
        await eventually(lambda: _monitored(client), "somebody listening")
        await client.lpush(QUEUE, MESSAGE)
        await eventually(lambda: _count(client, 3), "three deliveries")
        found = [json.loads(each) for each in await client.lrange(QUEUE, 0, -1)]
        assert [each["body"] for each in found] == [json.loads(MESSAGE)["body"]] * 3
        assert len({each["properties"]["delivery_tag"] for each in found}) == 3
        assert repeated == [MESSAGE.encode()]
        repeating.cancel()
        await client.delete(QUEUE)


async def _monitored(client: aioredis.Redis) -> bool:
    return any("O" in each["flags"] for each in await client.client_list())


async def _count(client: aioredis.Redis, count: int) -> bool:
    return await client.llen(QUEUE) == count
