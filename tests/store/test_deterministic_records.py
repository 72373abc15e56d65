"""Every store of deterministic records behaves alike: one adds, one replaces, whoever else tries at the same time."""

import asyncio
import subprocess
import sys
import uuid
from collections.abc import AsyncIterator, Iterator
from datetime import UTC, datetime

import pytest
import pytest_asyncio
from asgiref.sync import sync_to_async
from django.db import connections
from pytest_django import DjangoDbBlocker

from hugo.deterministic import (
    EFFECT,
    Captured,
    DeterministicRecord,
    DeterministicStateStore,
    EffectStore,
    InMemoryStateStore,
    RunScope,
)
from hugo.result import err, ok
from orchestrator.store.deterministic_redis import KEY_PREFIX, RedisStateStore
from orchestrator.store.deterministic_sql import DjangoStateStore
from tests.store.conftest import fresh
from tests.store.deterministic_writer import count_up, numbered, redis_store
from tests.support.databases import ROOT, Databases, alias, server_environment

SHARED = ["sqlite", "mariadb", "postgres", "redis"]
WRITERS = 50


@pytest.fixture
def place(request: pytest.FixtureRequest, databases: Databases) -> Iterator[tuple[str, str]]:
    """A kind of store, and the URL of its server or of a database of its own."""
    kind: str = request.param
    if kind == "memory":
        yield kind, ""
    elif kind == "redis":
        yield kind, request.getfixturevalue("redis_server")
    else:
        url = fresh(kind, request, databases)
        yield kind, url
        databases.drop(url)


@pytest_asyncio.fixture
async def store(place: tuple[str, str], django_db_blocker: DjangoDbBlocker) -> AsyncIterator[DeterministicStateStore]:
    """A store of each kind."""
    kind, url = place
    if kind == "memory":
        yield InMemoryStateStore()
    elif kind == "redis":
        async with redis_store(url) as found:
            yield found
    else:
        with django_db_blocker.unblock(), alias(url) as name:
            yield DjangoStateStore(name)
            await sync_to_async(lambda: connections[name].close())()


@pytest.fixture
def key() -> str:
    """A key nobody has used."""
    return f"orders/{uuid.uuid4()}/é" + "x" * 2000


every_store = pytest.mark.parametrize("place", ["memory", *SHARED], indirect=True)
shared_stores = pytest.mark.parametrize("place", SHARED, indirect=True)


@every_store
async def test_a_record_comes_back_as_it_was(store: DeterministicStateStore, key: str) -> None:
    record = DeterministicRecord(EFFECT, -1, bytes(range(256)), datetime(2024, 2, 29, 1, 2, 3, 456789, UTC))
    assert await store.get(key) is None
    await store.put(key, record)
    assert await store.get(key) == record
    await store.put(key, numbered(2**53 + 1))
    assert await store.get(key) == numbered(2**53 + 1)


@every_store
async def test_only_the_first_is_added(store: DeterministicStateStore, key: str) -> None:
    assert await store.add(key, numbered(1))
    assert not await store.add(key, numbered(2))
    assert await store.get(key) == numbered(1)
    assert await store.add(key + "y", numbered(3))
    assert await store.add(key.upper(), numbered(4))


@every_store
async def test_only_the_expected_version_is_replaced(store: DeterministicStateStore, key: str) -> None:
    assert not await store.replace(key, numbered(2), expected=1)
    assert await store.get(key) is None
    await store.add(key, numbered(1))
    assert not await store.replace(key, numbered(3), expected=2)
    assert await store.replace(key, numbered(2), expected=1)
    assert not await store.replace(key, numbered(4), expected=1)
    assert await store.get(key) == numbered(2)


@every_store
async def test_of_fifty_writers_one_adds_and_no_replacement_is_lost(store: DeterministicStateStore, key: str) -> None:
    added = await asyncio.gather(*(count_up(store, key, 1) for _ in range(WRITERS)))
    assert sum(added) == 1
    assert await store.get(key) == numbered(WRITERS)


@every_store
async def test_an_effect_has_one_outcome_for_all_who_run_it(store: DeterministicStateStore, key: str) -> None:
    scope = RunScope("default", key, "run")
    captured = await asyncio.gather(
        *(EffectStore(store, scope).capture("pay", lambda: str(uuid.uuid4()), type_=str) for _ in range(10))
    )
    outcomes = [result.unwrap() for result in captured]
    assert len({outcome.value for outcome in outcomes}) == 1
    assert sum(not outcome.replayed for outcome in outcomes) == 1
    effects = EffectStore(store, scope)
    assert (await effects.capture("ship", lambda: err("busy"), record_failures=False)).is_err
    assert await effects.capture("ship", lambda: "sent") == ok(Captured("sent", replayed=False))
    assert await effects.capture("ship", lambda: "never") == ok(Captured("sent", replayed=True))


@shared_stores
async def test_processes_share_a_record(store: DeterministicStateStore, place: tuple[str, str], key: str) -> None:
    kind, url = place
    environment = server_environment(None if kind == "redis" else url) | {"PATH": ""}
    writers = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "tests.store.deterministic_writer",
            *(kind, url, key, "20"),
            cwd=ROOT,
            env=environment,
            stdout=subprocess.PIPE,
        )
        for _ in range(3)
    ]
    printed = [await writer.communicate() for writer in writers]
    assert sum(int(output) for output, _ in printed) == 1
    assert await store.get(key) == numbered(60)


async def test_records_in_redis_are_forgotten_when_nobody_changes_them(redis_server: str, key: str) -> None:
    from redis.asyncio import Redis

    async with Redis.from_url(redis_server) as client:
        kept, passing = RedisStateStore(client), RedisStateStore(client, ttl=60)
        await kept.add(key, numbered(1))
        assert await client.pttl(KEY_PREFIX + key) == -1
        for change in (
            passing.replace(key, numbered(2), expected=1),
            passing.put(key, numbered(3)),
            passing.add(key + "y", numbered(1)),
        ):
            await change
        for name in (key, key + "y"):
            assert 0 < await client.pttl(KEY_PREFIX + name) <= 60_000
        await kept.put(key, numbered(4))
        assert await client.pttl(KEY_PREFIX + key) == -1
