"""What a soak looks at from time to time."""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.processes import cpu_seconds, memory_mb
from benchmarks.sample import Sample
from benchmarks.statistics import percentile
from benchmarks.systems import System

MB = 1 << 20
HOT = ("execution", "current_execution", "dispatch_task", "timer_task", "transfer_task", "visibility_record")
"""The tables whose rows change or go; histories are only appended."""
TABLES = """
SELECT relname, n_dead_tup, n_live_tup, pg_table_size(relid), pg_indexes_size(relid)
FROM pg_stat_user_tables WHERE relname = ANY (%s) OR relname = 'history_node'
"""


@dataclass(frozen=True)
class Look:
    """One look: of the time since the one before, and of the state at its moment.

    Attributes:
        seconds: since the start.
        per_second: workflows finished.
        p50_ms, p99_ms: from start to completion.
        cpu_ms: of server and database for each workflow.
        memory_mb: of the server.
        dead_rows: in tables whose rows change, that vacuum has not cleaned yet.
        queue_mb: of the tables of tasks and timers with their indexes, which should stay small.
        row_kb: of the database for each workflow it holds.
    """

    seconds: float
    per_second: float
    p50_ms: float | None
    p99_ms: float | None
    cpu_ms: float
    memory_mb: float | None
    dead_rows: int
    queue_mb: float
    row_kb: float


class Watch:
    """Looks at a server on PostgreSQL and at the sample of the load that drives it."""

    def __init__(self, system: System, sample: Sample) -> None:
        assert system.counters is not None
        self._system = system
        self._sample = sample
        self._connection = system.counters.connect()
        self._began = self._last = time.monotonic()
        self._seen = 0
        self._cpu = self._cpu_now()

    def look(self) -> Look:
        """What happened since the last look, and how things are."""
        now, cpu = time.monotonic(), self._cpu_now()
        latencies = self._sample.latencies[self._seen :]
        self._seen += len(latencies)
        passed, used = max(now - self._last, 1e-9), cpu - self._cpu
        self._last, self._cpu = now, cpu
        dead, queues, whole, stored = 0, 0, 0, 0
        for name, dead_rows, live_rows, size, indexes in self._connection.execute(TABLES, (list(HOT),)):
            whole += size + indexes
            if name in HOT:
                dead += dead_rows
            if name.endswith("_task"):
                queues += size + indexes
            if name == "execution":
                stored = live_rows
        middle, slowest = percentile(latencies, 0.5), percentile(latencies, 0.99)
        return Look(
            seconds=now - self._began,
            per_second=len(latencies) / passed,
            p50_ms=None if middle is None else middle * 1e3,
            p99_ms=None if slowest is None else slowest * 1e3,
            cpu_ms=used * 1e3 / max(1, len(latencies)),
            memory_mb=memory_mb(self._system.server_pids),
            dead_rows=dead,
            queue_mb=queues / MB,
            row_kb=whole / 1024 / max(1, stored),
        )

    def close(self) -> None:
        """Drops the connection."""
        self._connection.close()

    def _cpu_now(self) -> float:
        return cpu_seconds((*self._system.server_pids, *self._system.database_pids))
