"""Orders through a cluster of real processes, which are killed, drained and away for a while: all finish, once."""

import asyncio
import contextlib
import os
import signal
import uuid
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker
from redis.asyncio import Redis
from temporalio.client import Client

from tests.chaos.duplicates import every_message_thrice
from tests.functional.order import Log, Order, step
from tests.functional.paid_orders import all_orders, check_orders, executed
from tests.functional.workers import eventually, new_worker
from tests.support.cluster import Cluster, Process
from tests.support.processes import free_port

ORDERS = 40

pytestmark = [pytest.mark.timeout(300), pytest.mark.slow]


class Site:
    """A cluster with two frontends and two Celery workers, of which a test starts what it wants."""

    def __init__(self, directory: Path, url: str, redis_url: str) -> None:
        self.url = url
        self.redis_url = redis_url
        self.prefix = f"{uuid.uuid4().hex}:"
        self.cluster = Cluster(directory, url, redis_url, {"CELERY_KEY_PREFIX": self.prefix})
        self.frontends = [self.cluster.frontend(f"frontend-{n}", "--grpc-port", str(free_port())) for n in (1, 2)]
        self.workers = [self.cluster.worker(f"celery-{n}") for n in (1, 2)]

    def done(self) -> dict[str, dict[str, str]]:
        """What `hugo processes` shows, by role and number of the process."""
        process = self.cluster.process("processes", ["manage.py", "hugo", "processes"], "")
        assert process.launch().wait() == 0, process.printed
        header, *rows = [line.split("  ") for line in process.printed.splitlines()]
        names = [name.strip() for name in header if name.strip()]
        found = [dict(zip(names, filter(None, map(str.strip, row)), strict=True)) for row in rows]
        return {f"{row['ROLE']} {row['PID']}": row for row in found}


@pytest.fixture
def site(tmp_path: Path, postgres_url: str, redis_server: str) -> Iterator[Site]:
    """A cluster, nothing of it started."""
    made = Site(tmp_path, postgres_url, redis_server)
    with made.cluster:
        yield made


@contextlib.asynccontextmanager
async def order_worker(addresses: Sequence[str], task_queue: str) -> AsyncIterator[list[Client]]:
    """Clients of the addresses; a worker of the SDK works at the first."""
    Log.executed.clear()
    clients = [await Client.connect(address) for address in addresses]
    async with new_worker(clients[0], task_queue, workflows=[Order], activities=[step]):
        yield clients


async def orders_meanwhile(
    site: Site, blocker: DjangoDbBlocker, task_queue: str, trouble: Callable[[], Awaitable[None]], count: int = ORDERS
) -> None:
    """Takes orders through both frontends while there is trouble, and checks what is stored of them."""
    addresses = [frontend.match["grpc"] for frontend in site.frontends if frontend.match is not None]
    async with order_worker(addresses, task_queue) as clients:
        troubling = asyncio.ensure_future(trouble())
        acknowledged = await all_orders(clients, task_queue, count)
        await troubling
    with blocker.unblock():
        await asyncio.to_thread(check_orders, site.url, acknowledged)


async def nothing() -> None:
    """No trouble."""


async def test_celery_workers_fire_the_timers_and_frontends_hand_over_the_tasks(
    site: Site, django_db_blocker: DjangoDbBlocker, task_queue: str
) -> None:
    site.cluster.start(*site.frontends, *site.workers)
    await orders_meanwhile(site, django_db_blocker, task_queue, nothing)
    done = await asyncio.to_thread(site.done)
    workers = [row for who, row in done.items() if who.startswith("worker")]
    frontends = [row for who, row in done.items() if who.startswith("frontend")]
    assert [row["SHARDS"] for row in workers] == ["256", "256"]
    assert [row["SHARDS"] for row in frontends] == ["0", "0"]
    assert sum(int(row["TIMERS"]) for row in workers) >= ORDERS
    assert all(int(row["TIMERS"]) > 0 for row in workers)
    assert [row["TIMERS"] for row in frontends] == ["0", "0"]
    assert all(int(row["TRANSITIONS"]) > 2 * ORDERS for row in frontends)
    assert sum(int(row["TASKS SENT"]) for row in frontends) > 0


async def test_killed_celery_worker(site: Site, django_db_blocker: DjangoDbBlocker, task_queue: str) -> None:
    site.cluster.start(*site.frontends, *site.workers)

    async def kill_each() -> None:
        for share, worker in enumerate(site.workers, 1):
            await executed(2 * ORDERS * share // 4)
            await asyncio.to_thread(worker.kill)
            await asyncio.to_thread(worker.start)

    await orders_meanwhile(site, django_db_blocker, task_queue, kill_each)


async def test_celery_workers_that_come_late(site: Site, django_db_blocker: DjangoDbBlocker, task_queue: str) -> None:
    site.cluster.start(*site.frontends)

    async def come_late() -> None:
        await executed(ORDERS // 2)
        site.cluster.start(*site.workers)

    await orders_meanwhile(site, django_db_blocker, task_queue, come_late, count=ORDERS // 2)


async def test_killed_worker_of_a_supervised_frontend(
    site: Site, django_db_blocker: DjangoDbBlocker, task_queue: str
) -> None:
    port = ("--grpc-port", str(free_port()))
    site.frontends = [site.cluster.frontend("supervisor", *port, "--workers", "2")]
    site.cluster.start(*site.frontends, *site.workers)

    async def kill_one() -> None:
        await executed(ORDERS // 2)
        os.kill(children(site.frontends[0])[0], signal.SIGKILL)
        await asyncio.to_thread(site.frontends[0].until, "serves again, as process")

    await orders_meanwhile(site, django_db_blocker, task_queue, kill_one)
    assert site.frontends[0].stop() == 0


def children(process: Process) -> list[int]:
    """The processes a process has started."""
    return [int(child) for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split()]


async def test_each_process_drains_in_turn(site: Site, django_db_blocker: DjangoDbBlocker, task_queue: str) -> None:
    site.cluster.start(*site.frontends, *site.workers)

    async def restart_each() -> None:
        each = [*site.workers, *site.frontends]
        for number, process in enumerate(each, 1):
            await executed(ORDERS * number // len(each))
            assert await asyncio.to_thread(process.stop) == 0, process.printed
            await asyncio.to_thread(process.start)

    await orders_meanwhile(site, django_db_blocker, task_queue, restart_each)


async def test_all_messages_of_celery_are_lost(
    tmp_path: Path, site: Site, django_db_blocker: DjangoDbBlocker, task_queue: str
) -> None:
    elsewhere = Cluster(tmp_path, site.url, site.redis_url, {"CELERY_KEY_PREFIX": f"{site.prefix}elsewhere:"})
    with elsewhere:
        elsewhere.start(elsewhere.worker("deaf-1"), elsewhere.worker("deaf-2"))
        site.cluster.start(*site.frontends)
        await orders_meanwhile(site, django_db_blocker, task_queue, nothing, count=10)
    assert await waiting(site) > 0


async def test_burst_of_a_thousand_transitions_costs_a_few_messages(site: Site, task_queue: str) -> None:
    site.cluster.start(site.frontends[0])
    assert site.frontends[0].match is not None
    client = await Client.connect(site.frontends[0].match["grpc"])
    later = timedelta(seconds=2)  # a timer that is due before its owner looks by itself
    await asyncio.gather(
        *(client.start_workflow("Idle", id=f"idle-{n}", task_queue=task_queue, start_delay=later) for n in range(1000))
    )
    assert 0 < await waiting(site) < 50


async def waiting(site: Site) -> int:
    """How many hints about timers nobody has taken."""
    async with Redis.from_url(site.redis_url) as redis:
        return int(await redis.llen(f"{site.prefix}hugo.timer"))


async def test_all_messages_of_celery_come_three_times(
    site: Site, django_db_blocker: DjangoDbBlocker, task_queue: str
) -> None:
    site.cluster.start(*site.frontends, *site.workers)
    repeating = asyncio.create_task(every_message_thrice(site.redis_url, 300.0, f"{site.prefix}hugo.".encode()))
    await orders_meanwhile(site, django_db_blocker, task_queue, nothing)
    repeating.cancel()
    await asyncio.gather(repeating, return_exceptions=True)
    assert all("cannot be used" not in worker.printed for worker in site.workers)


async def test_two_beats_tick_and_disturb_nothing(
    site: Site, django_db_blocker: DjangoDbBlocker, task_queue: str
) -> None:
    beats = [site.cluster.beat(f"beat-{number}") for number in (1, 2)]
    site.cluster.start(*site.frontends, *site.workers, *beats)

    async def wait_for_ticks() -> None:
        for beat in beats:
            await asyncio.to_thread(beat.until, r"Sending due task hugo.timer tick \(hugo.timer\)")

    await orders_meanwhile(site, django_db_blocker, task_queue, wait_for_ticks)
    assert [beat.stop() for beat in beats] == [0, 0]
    assert all("cannot be used" not in worker.printed for worker in site.workers)


async def test_orders_on_mariadb(
    tmp_path: Path, mariadb_url: str, redis_server: str, django_db_blocker: DjangoDbBlocker, task_queue: str
) -> None:
    site = Site(tmp_path, mariadb_url, redis_server)
    with site.cluster:
        site.cluster.start(*site.frontends, *site.workers)
        await orders_meanwhile(site, django_db_blocker, task_queue, nothing)


async def test_frontends_own_the_shards_of_a_site_without_celery_and_redis(
    tmp_path: Path, postgres_url: str, django_db_blocker: DjangoDbBlocker, task_queue: str
) -> None:
    site = Site(tmp_path, postgres_url, "")
    site.frontends = [site.cluster.frontend(f"owner-{number}", "--own-shards") for number in (1, 2)]
    with site.cluster:
        site.cluster.start(*site.frontends)
        await orders_meanwhile(site, django_db_blocker, task_queue, nothing, count=10)
        done: dict[str, dict[str, str]] = {}

        async def shared() -> bool:
            done.update(await asyncio.to_thread(site.done))
            return sorted(row["SHARDS"] for row in done.values()) == ["256", "256"]

        await eventually(shared, "an equal share of the shards")
    assert {row["TIMERS"] for row in done.values()} == {"?"}
