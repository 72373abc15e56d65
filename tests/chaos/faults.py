"""What goes wrong, drawn from a seed: each fault breaks something, and mends it before it ends."""

import asyncio
import random
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager

import redis.asyncio as aioredis

from tests.chaos.cluster import Cluster
from tests.chaos.duplicates import every_message_thrice
from tests.chaos.processes import Victim

Fault = Callable[["Faults"], Awaitable[None]]
BEYOND_LEASE_S = 9.0
"""How long a frozen process is: longer than a shard lease lasts."""
JUMP_S = 300.0
ENDS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}
"""How PostgreSQL is told to end."""


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
        self._suffering: set[Victim] = set()
        self._postgres = asyncio.Lock()
        self._redis = asyncio.Lock()

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

    @asynccontextmanager
    async def _one_of(self, processes: Sequence[Victim]) -> AsyncIterator[Victim]:
        """One of some processes, once nothing else happens to it."""
        while not (well := [each for each in processes if each not in self._suffering]):
            await asyncio.sleep(0.1)
        chosen = self.chance.choice(well)
        self._suffering.add(chosen)
        try:
            yield chosen
        finally:
            self._suffering.discard(chosen)

    async def kill(self, processes: Sequence[Victim]) -> None:
        """SIGKILL, and another process in its place a little later."""
        async with self._one_of(processes) as process:
            self.say(f"kill -9 {process.name}")
            process.kill()
            await asyncio.sleep(self.chance.uniform(0, 2))
            process.again()

    async def freeze(self, processes: Sequence[Victim]) -> None:
        """SIGSTOP for longer than its leases last, then SIGCONT."""
        async with self._one_of(processes) as process:
            self.say(f"freeze {process.name} for {BEYOND_LEASE_S:g} s")
            process.freeze()
            await asyncio.sleep(BEYOND_LEASE_S)
            process.thaw()

    async def jump(self, processes: Sequence[Victim]) -> None:
        """The wall clock of one process is minutes off for a while."""
        async with self._one_of(processes) as process:
            seconds = self.chance.choice((-JUMP_S, JUMP_S))
            self.say(f"the clock of {process.name} jumps by {seconds:+g} s")
            process.shift(seconds)
            await asyncio.sleep(self.chance.uniform(5, 10))
            process.shift(0)

    async def restart_postgres(self, how: str) -> None:
        """Ends PostgreSQL in an orderly way or not, and starts it again."""
        async with self._postgres:
            self.say(f"restart PostgreSQL, {how}")
            await self.cluster.postgres.restart(ENDS[how], self.chance.uniform(0, 2))

    async def stop_redis(self) -> None:
        """Redis is away for a while, and has forgotten everything when it comes back."""
        seconds = self.chance.uniform(2, 6)
        async with self._redis:
            self.say(f"stop Redis for {seconds:.1f} s")
            await self.cluster.redis.restart(away_s=seconds)

    async def flush_redis(self) -> None:
        """Redis forgets everything."""
        self.say("FLUSHALL")
        async with aioredis.from_url(self.cluster.redis.url) as client:
            try:
                await client.flushall()
            except (aioredis.RedisError, OSError):
                self.say("  Redis is away, and has forgotten everything anyway")

    async def repeat_messages(self) -> None:
        """Every message of Celery is delivered three times."""
        seconds = self.chance.uniform(5, 15)
        repeated: list[bytes] = []
        self.say(f"every Celery message three times for {seconds:.0f} s")
        await every_message_thrice(self.cluster.redis.url, seconds, repeated.append)
        self.say(f"  {len(repeated)} messages were repeated")


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
