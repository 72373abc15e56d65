"""What goes wrong, drawn from a seed: each fault breaks something, and mends it before it ends."""

import asyncio
import random
from collections.abc import Awaitable, Callable, Iterator, Sequence

import redis.asyncio as aioredis

from tests.chaos.cluster import Cluster
from tests.chaos.duplicates import every_message_thrice
from tests.chaos.processes import Process
from tests.chaos.stores import PostgreSQL

Fault = Callable[["Faults"], Awaitable[None]]
BEYOND_LEASE_S = 9.0
"""How long a frozen process is: longer than a shard lease lasts."""
JUMP_S = 300.0


class Faults:
    """Breaks a cluster.

    Args:
        cluster: which one.
        chance: the seed's.
        say: told what is broken.
    """

    def __init__(self, cluster: Cluster, chance: random.Random, say: Callable[[str], None]) -> None:
        self.cluster = cluster
        self.chance = chance
        self.say = say
        self.counts: dict[str, int] = {}

    def draw(self) -> Iterator[str]:
        """Names of faults, for ever: each of them once before any comes again."""
        while True:
            names = list(FAULTS)
            self.chance.shuffle(names)
            yield from names

    async def happen(self, name: str) -> None:
        """Lets a fault happen, from its beginning to its end."""
        self.counts[name] = self.counts.get(name, 0) + 1
        await FAULTS[name](self)

    async def kill(self, processes: Sequence[Process]) -> None:
        """SIGKILL, and another process in its place a little later."""
        process = self.chance.choice(processes)
        self.say(f"kill -9 {process.name}")
        process.kill()
        await asyncio.sleep(self.chance.uniform(0, 2))
        process.start()

    async def freeze(self, processes: Sequence[Process]) -> None:
        """SIGSTOP for longer than its leases last, then SIGCONT."""
        process = self.chance.choice(processes)
        self.say(f"freeze {process.name} for {BEYOND_LEASE_S:g} s")
        process.freeze()
        await asyncio.sleep(BEYOND_LEASE_S)
        process.thaw()

    async def jump(self, processes: Sequence[Process]) -> None:
        """The wall clock of one process is minutes off for a while."""
        process = self.chance.choice(processes)
        seconds = self.chance.choice((-JUMP_S, JUMP_S))
        self.say(f"the clock of {process.name} jumps by {seconds:+g} s")
        process.shift(seconds)
        await asyncio.sleep(self.chance.uniform(5, 10))
        process.shift(0)

    async def restart_postgres(self, how: str) -> None:
        """Ends PostgreSQL in an orderly way or not, and starts it again."""
        self.say(f"restart PostgreSQL, {how}")
        await asyncio.to_thread(self.cluster.postgres.end, PostgreSQL.ENDS[how])
        await asyncio.sleep(self.chance.uniform(0, 2))
        self.cluster.postgres.again()

    async def stop_redis(self) -> None:
        """Redis is away for a while, and has forgotten everything when it comes back."""
        seconds = self.chance.uniform(2, 6)
        self.say(f"stop Redis for {seconds:.1f} s")
        await asyncio.to_thread(self.cluster.redis.stop)
        await asyncio.sleep(seconds)
        self.cluster.redis.again()

    async def flush_redis(self) -> None:
        """Redis forgets everything."""
        self.say("FLUSHALL")
        async with aioredis.from_url(self.cluster.redis.url) as client:
            try:
                await client.flushall()
            except (aioredis.ConnectionError, OSError):
                self.say("  Redis is away, and has forgotten everything anyway")

    async def repeat_messages(self) -> None:
        """Every message of Celery is delivered three times."""
        seconds = self.chance.uniform(5, 15)
        self.say(f"every Celery message three times for {seconds:.0f} s")
        await every_message_thrice(self.cluster.redis.url, seconds)


FAULTS: dict[str, Fault] = {
    "kill a frontend": lambda faults: faults.kill(faults.cluster.frontends),
    "kill a Celery worker": lambda faults: faults.kill(faults.cluster.celery_workers),
    "kill an SDK worker": lambda faults: faults.kill(faults.cluster.sdk_workers),
    "freeze a frontend": lambda faults: faults.freeze(faults.cluster.frontends),
    "freeze a Celery worker": lambda faults: faults.freeze(faults.cluster.celery_workers),
    "freeze an SDK worker": lambda faults: faults.freeze(faults.cluster.sdk_workers),
    "restart PostgreSQL, fast": lambda faults: faults.restart_postgres("fast"),
    "restart PostgreSQL, immediate": lambda faults: faults.restart_postgres("immediate"),
    "stop Redis": Faults.stop_redis,
    "flush Redis": Faults.flush_redis,
    "repeat Celery messages": Faults.repeat_messages,
    "move the clock of a frontend": lambda faults: faults.jump(faults.cluster.frontends),
    "move the clock of a Celery worker": lambda faults: faults.jump(faults.cluster.celery_workers),
}
