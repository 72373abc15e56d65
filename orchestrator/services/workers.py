"""Workers as they describe themselves: their last heartbeat, in the memory of every process.

The process that takes a heartbeat tells the others; one that joins asks them for those they took.
"""

import time
from collections.abc import Callable

from temporalio.api.worker.v1 import WorkerHeartbeat

from orchestrator.services.peers import Message, Peers

LIFETIME = 600.0
"""Seconds a worker is remembered after its last heartbeat."""


class HeartbeatsTaken(Message, frozen=True):
    """Heartbeats the sender took: the id of the namespace, their ages in seconds, and the serialized messages."""

    heartbeats: list[tuple[str, float, bytes]]


class HeartbeatsWanted(Message, frozen=True):
    """Asks for all heartbeats the receiver took."""


class Workers:
    """The last heartbeat of each worker of each namespace.

    Args:
        peers: the other processes.
        clock: seconds, never going back.
    """

    def __init__(self, peers: Peers, clock: Callable[[], float] = time.monotonic) -> None:
        self._peers = peers
        self._clock = clock
        self._heartbeats: dict[tuple[str, str], tuple[float, WorkerHeartbeat]] = {}
        self._taken: set[tuple[str, str]] = set()
        peers.on(HeartbeatsTaken, self._hear)
        peers.on(HeartbeatsWanted, self._answer)

    def start(self) -> None:
        """Asks the other processes for what they know."""
        self._peers.tell_all(HeartbeatsWanted())

    def record(self, namespace_id: str, heartbeat: WorkerHeartbeat) -> None:
        """Keeps a heartbeat, tells the others of it, and forgets workers that have been silent for long."""
        now = self._clock()
        self._taken.add(self._keep(namespace_id, now, heartbeat))
        for key in [key for key, (at, _) in self._heartbeats.items() if now - at > LIFETIME]:
            del self._heartbeats[key]
            self._taken.discard(key)
        self._peers.tell_all(HeartbeatsTaken([(namespace_id, 0.0, heartbeat.SerializeToString())]))

    def known(self, namespace_id: str) -> list[WorkerHeartbeat]:
        """The workers of a namespace."""
        return [heartbeat for (namespace, _), (_, heartbeat) in self._heartbeats.items() if namespace == namespace_id]

    def _keep(self, namespace_id: str, at: float, heartbeat: WorkerHeartbeat) -> tuple[str, str]:
        key = (namespace_id, heartbeat.worker_instance_key)
        self._heartbeats[key] = (at, heartbeat)
        return key

    def _hear(self, _: str, message: HeartbeatsTaken) -> None:
        now = self._clock()
        for namespace_id, age, data in message.heartbeats:
            heartbeat = WorkerHeartbeat.FromString(data)
            known = self._heartbeats.get((namespace_id, heartbeat.worker_instance_key))
            if known is None or known[0] <= now - age:
                self._taken.discard(self._keep(namespace_id, now - age, heartbeat))

    def _answer(self, sender: str, _: HeartbeatsWanted) -> None:
        now = self._clock()
        taken = [(key[0], now - at, heartbeat) for key in self._taken for at, heartbeat in [self._heartbeats[key]]]
        if taken:
            self._peers.tell(
                sender, HeartbeatsTaken([(name, age, each.SerializeToString()) for name, age, each in taken])
            )
