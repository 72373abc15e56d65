"""A thousand polls of one queue over two processes that reach each other through Redis."""

import asyncio
import time
from collections import Counter

from orchestrator.conf import HugoSettings
from orchestrator.store.redis_client import connect
from orchestrator.store.redis_notifier import RedisNotifier
from tests.services.conftest import Database
from tests.services.member import Member, running

POLLS = 500
"""Of each process."""
WORKFLOWS = 2000
STARTERS = 32
"""That start workflows at a time, in each process."""


async def test_every_task_is_given_to_one_poll_and_none_is_tried_twice(
    shared_database: Database, redis_server: str
) -> None:
    _, cluster = shared_database
    notifiers = [RedisNotifier(connect(redis_server), cluster.id, name) for name in ("one", "other")]
    members = [Member(notifier, *shared_database, HugoSettings()) for notifier in notifiers]
    done: Counter[str] = Counter()
    finished = asyncio.Event()
    numbers = iter(range(WORKFLOWS))

    async def work(member: Member) -> None:
        while not finished.is_set():
            polled = await member.poll("queue", seconds=20)
            if polled.task_token:
                await member.complete(polled.task_token)
                done[polled.workflow_execution.workflow_id] += 1
                if len(done) == WORKFLOWS:
                    finished.set()

    async def start(member: Member) -> None:
        for number in numbers:
            await member.start(f"order-{number}", "queue")

    async with running(*members):
        polls = [asyncio.create_task(work(member)) for member in members for _ in range(POLLS)]
        began = time.perf_counter()
        await asyncio.gather(*(start(member) for member in members for _ in range(STARTERS)))
        await finished.wait()
        seconds = time.perf_counter() - began
        for member in members:
            member.engine.drain()
        await asyncio.gather(*polls)

    missed = sum(member.engine.matching.missed for member in members)
    print(f"\n{WORKFLOWS / seconds:.0f} workflows/s with {2 * POLLS} polls, {missed} attempts at tasks that were over")
    assert set(done.values()) == {1}
    assert len(done) == WORKFLOWS
    assert missed <= WORKFLOWS // 100
