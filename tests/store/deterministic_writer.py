"""A process that counts in a shared record: `python -m tests.store.deterministic_writer KIND URL KEY TIMES`.

It prints how often it added the record, which over all processes is once, and then counts its version up TIMES times.
"""

import asyncio
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import django
from redis.asyncio import Redis

from hugo.deterministic import DeterministicRecord, DeterministicStateStore
from orchestrator.store.deterministic_redis import RedisStateStore

NOW = datetime(2024, 1, 1, tzinfo=UTC)


def numbered(version: int) -> DeterministicRecord:
    """A record that differs from others by its version."""
    return DeterministicRecord("hugo.effect", version, str(version).encode(), NOW)


async def count_up(store: DeterministicStateStore, key: str, times: int) -> int:
    """Counts the version up as often as told, beside others who do the same; returns how often it added the record."""
    added = int(await store.add(key, numbered(0)))
    done = 0
    while done < times:
        found = await store.get(key)
        assert found is not None
        assert found.payload == str(found.version).encode()
        done += await store.replace(key, numbered(found.version + 1), expected=found.version)
    return added


@asynccontextmanager
async def redis_store(url: str) -> AsyncIterator[DeterministicStateStore]:
    """The store in a Redis server."""
    async with Redis.from_url(url) as client:
        yield RedisStateStore(client)


async def main(kind: str, url: str, key: str, times: int) -> None:
    """Counts, in Redis or in this process's default database, and prints what the module says."""
    if kind == "redis":
        async with redis_store(url) as store:
            print(await count_up(store, key, times))
    else:
        from orchestrator.store.deterministic_sql import DjangoStateStore

        print(await count_up(DjangoStateStore(), key, times))


if __name__ == "__main__":
    django.setup()
    asyncio.run(main(sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4])))
