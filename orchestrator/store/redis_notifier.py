"""Messages between the processes of a cluster over Redis channels: one for all of them, and one for each member.

What is sent while a batch is on its way to Redis makes up the next batch: one round trip, and in it one PUBLISH for
each receiver. While Redis is away messages are dropped; the rows hold the truth.
"""

import asyncio
import logging
import random
import threading
from contextlib import suppress

import msgspec
from redis.asyncio import Redis
from redis.exceptions import RedisError

from orchestrator.store.notifier import Receive
from orchestrator.store.redis_client import complaint

logger = logging.getLogger(__name__)

QUEUED = 10_000
"""Messages that wait for Redis, at most."""
QUIET_S = 3.0
"""Silence after which the subscription is probed, and after as much again given up."""
FIRST_ATTEMPT_S = 2.0
"""How long a process waits for Redis when it starts."""
SHORTEST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0

_Packet = tuple[str, list[bytes]]
_packets = msgspec.msgpack.Decoder(_Packet)


class RedisNotifier:
    """See `orchestrator.store.notifier.Notifier`.

    Args:
        client: of the Redis.
        cluster_id: names the channels, so that clusters may share a Redis.
        member: the name of this process.
        counts: whether Redis knows how many receivers a message has; a node of a Redis cluster does not.
    """

    def __init__(self, client: Redis, cluster_id: str, member: str, *, counts: bool = True) -> None:
        self.member = member
        self._counts = counts
        self._client = client
        self._cluster_id = cluster_id
        self._lock = threading.Lock()
        self._outbox: dict[str, list[bytes]] = {}
        self._queued = 0
        self._full = False
        self._connected = False
        self._told_away = False
        self._stopping = False
        self._complaint = ""
        self._tried = asyncio.Event()
        self._wake = asyncio.Event()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._receive: Receive | None = None
        self._tasks: list[asyncio.Task[None]] = []

    @property
    def connected(self) -> bool:
        """Whether this process is subscribed."""
        return self._connected

    async def start(self, receive: Receive) -> None:
        """See Notifier; waits a moment for the first attempt."""
        self._loop, self._receive = asyncio.get_running_loop(), receive
        self._tasks = [
            self._loop.create_task(self._read(), name="hugo-redis-read"),
            self._loop.create_task(self._write(), name="hugo-redis-write"),
        ]
        with suppress(TimeoutError):
            async with asyncio.timeout(FIRST_ATTEMPT_S):
                await self._tried.wait()

    async def stop(self) -> None:
        """See Notifier."""
        # The client may take a cancellation for the end of its connection; then the flag ends the task.
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._connected:
            with suppress(RedisError, OSError):
                await self._publish(self._take_all())
        self._connected = False
        with suppress(RedisError, OSError):
            await self._client.aclose()

    def send(self, to: str, message: bytes) -> None:
        """See Notifier."""
        with self._lock:
            if not self._connected:
                return
            if self._queued >= QUEUED:
                if not self._full:
                    self._full = True
                    logger.warning("Redis does not keep up: messages to other processes are dropped")
                return
            self._outbox.setdefault(to, []).append(message)
            self._queued += 1
            if self._queued > 1:
                return
        assert self._loop is not None
        with suppress(RuntimeError):  # The loop has ended.
            self._loop.call_soon_threadsafe(self._wake.set)

    def _channel(self, to: str) -> str:
        return f"hugo:{self._cluster_id}:member:{to}" if to else f"hugo:{self._cluster_id}:all"

    def _take_all(self) -> dict[str, list[bytes]]:
        with self._lock:
            outbox, self._outbox = self._outbox, {}
            self._queued = 0
            self._full = False
        return outbox

    async def _write(self) -> None:
        while not self._stopping:
            await self._wake.wait()
            self._wake.clear()
            try:
                await self._publish(self._take_all())
            except (RedisError, OSError) as error:
                logger.info("messages to other processes are lost: %s", error)

    async def _publish(self, outbox: dict[str, list[bytes]]) -> None:
        if not outbox:
            return
        pipeline = self._client.pipeline(transaction=False)
        for to, messages in outbox.items():
            pipeline.publish(self._channel(to), msgspec.msgpack.encode((self.member, messages)))
        receivers = await pipeline.execute()
        if self._counts:
            for to, count in zip(outbox, receivers, strict=True):
                if to and not count:
                    self._deliver(to, [b""])

    async def _read(self) -> None:
        pause = SHORTEST_PAUSE_S
        while not self._stopping:
            try:
                await self._listen()
            except (RedisError, OSError) as error:
                if self._connected or not self._told_away:
                    pause = SHORTEST_PAUSE_S
                self._away(error)
            await asyncio.sleep(pause * (0.5 + random.random()))
            pause = min(2 * pause, LONGEST_PAUSE_S)

    async def _listen(self) -> None:
        """Takes messages until Redis is gone; raises what the client raises then."""
        async with self._client.pubsub() as subscription:
            await subscription.subscribe(self._channel(""), self._channel(self.member))
            probed = False
            while not self._stopping:
                message = await subscription.get_message(timeout=QUIET_S)
                if message is None:
                    if probed:
                        raise OSError("Redis is silent")
                    await subscription.ping()
                    probed = True
                    continue
                probed = False
                if message["type"] == "message":
                    self._unpack(message["data"])
                elif message["type"] == "subscribe" and message["data"] == 2:
                    self._back()
                    await self._inspect()

    def _unpack(self, packet: bytes) -> None:
        try:
            sender, messages = _packets.decode(packet)
        except msgspec.MsgspecError as error:
            logger.info("something in Redis that is no message of ours: %s", error)
            return
        if sender != self.member:
            self._deliver(sender, messages)

    def _deliver(self, sender: str, messages: list[bytes]) -> None:
        assert self._receive is not None
        for message in messages:
            self._receive(sender, message)

    async def _inspect(self) -> None:
        found = await complaint(self._client)
        if found and found != self._complaint:
            logger.warning("%s", found)
        self._complaint = found

    def _back(self) -> None:
        self._connected = True
        if self._told_away:
            self._told_away = False
            logger.warning("Redis answers again")
        self._tried.set()

    def _away(self, error: Exception) -> None:
        self._connected = False
        self._take_all()
        if not self._told_away:
            self._told_away = True
            logger.warning("Redis does not answer (%s): other processes are not told of anything until it does", error)
        self._tried.set()
