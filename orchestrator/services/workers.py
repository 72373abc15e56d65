"""Workers as they describe themselves: their last heartbeat, kept in memory."""

import time
from collections.abc import Callable

from temporalio.api.worker.v1 import WorkerHeartbeat

LIFETIME = 600.0
"""Seconds a worker is remembered after its last heartbeat."""


class Workers:
    """The last heartbeat of each worker of each namespace."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._heartbeats: dict[tuple[str, str], tuple[float, WorkerHeartbeat]] = {}

    def record(self, namespace_id: str, heartbeat: WorkerHeartbeat) -> None:
        """Keeps a heartbeat, and forgets workers that have been silent for long."""
        now = self._clock()
        self._heartbeats[namespace_id, heartbeat.worker_instance_key] = (now, heartbeat)
        for key in [key for key, (at, _) in self._heartbeats.items() if now - at > LIFETIME]:
            del self._heartbeats[key]

    def known(self, namespace_id: str) -> list[WorkerHeartbeat]:
        """The workers of a namespace."""
        return [heartbeat for (namespace, _), (_, heartbeat) in self._heartbeats.items() if namespace == namespace_id]
