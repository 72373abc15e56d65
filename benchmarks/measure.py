"""One measured run of a case on a system: warm up, read the counters, drive, read them again."""

from __future__ import annotations

import time
from dataclasses import dataclass, field, replace
from typing import Any

from benchmarks.drivers import Drivers
from benchmarks.processes import cpu_seconds, memory_mb
from benchmarks.sample import Sample
from benchmarks.scenarios import Case
from benchmarks.statistics import percentile
from benchmarks.systems import System

BUSY_DRIVER = 0.85
"""Part of a core above which a driver process is taken to have held the server back."""


@dataclass(frozen=True)
class Settings:
    """How to measure. `warmup` in units; `settle` in seconds, for statistics that lag behind."""

    warmup: int = 200
    settle: float = 0.0
    drivers: int = 1


@dataclass
class Measurement:
    """Figures of one run. Times in milliseconds, CPU in milliseconds per finished unit, counts per finished unit."""

    system: str
    case: str
    unit: str
    wanted: int
    finished: int
    seconds: float
    per_second: float
    p50_ms: float | None
    p95_ms: float | None
    p99_ms: float | None
    server_cpu_ms: float | None = None
    database_cpu_ms: float | None = None
    driver_cpu_ms: float = 0.0
    driver_bound: bool = False
    server_memory_mb: float | None = None
    counts: dict[str, float] = field(default_factory=dict)
    totals: dict[str, int] = field(default_factory=dict)
    methods: dict[str, dict[str, Any]] = field(default_factory=dict)
    events: dict[str, int] = field(default_factory=dict)
    errors: dict[str, int] = field(default_factory=dict)

    @property
    def cpu_ms(self) -> float | None:
        """Server and database together."""
        parts = [v for v in (self.server_cpu_ms, self.database_cpu_ms) if v is not None]
        return sum(parts) if parts else None


def measure(system: System, case: Case, settings: Settings) -> Measurement:
    """Run the case once and account for it."""
    options = case.options
    warmup = min(settings.warmup, options.count) if case.warm else 0
    if warmup and options.concurrency == 1:
        warmup = max(1, warmup // 10)  # one at a time is slow, and needs no more than to have been there once
    if warmup:
        with Drivers(case.load, system.address, replace(options, count=warmup), settings.drivers) as drivers:
            drivers.run()
    counters = system.counters
    if counters:
        time.sleep(settings.settle)
        counters.reset_statements()
    with Drivers(case.load, system.address, options, settings.drivers) as drivers:
        counted = counters.read() if counters else None
        server, database = cpu_seconds(system.server_pids), cpu_seconds(system.database_pids)
        sample = drivers.run()
        server, database = cpu_seconds(system.server_pids) - server, cpu_seconds(system.database_pids) - database
        memory = memory_mb(system.server_pids)
        exact = counters.read() if counters else None
    result = summarize(system.name, case, sample, settings.drivers)
    per_unit = 1e3 / max(1, sample.finished)
    if system.server_pids:
        result.server_cpu_ms, result.server_memory_mb = server * per_unit, memory
    if system.database_pids:
        result.database_cpu_ms = database * per_unit
    if counters and counted and exact:
        result.totals = exact.since(counted)
        if settings.settle:
            time.sleep(settings.settle)
            late = counters.read().since(counted)
            # Only what lags is taken late: the rest would pick up what an idle server does meanwhile.
            result.totals |= {k: late[k] for k in ("commits", "rollbacks", "wal_bytes", "wal_syncs") if k in late}
        result.counts = {k: v / max(1, sample.finished) for k, v in result.totals.items()}
    return result


def summarize(system: str, case: Case, sample: Sample, drivers: int) -> Measurement:
    """The figures that the drivers' own observations give."""
    return Measurement(
        system=system,
        case=case.name,
        unit=case.unit,
        wanted=sample.wanted,
        finished=sample.finished,
        seconds=sample.seconds,
        per_second=sample.finished / sample.seconds,
        p50_ms=_ms(sample.latencies, 0.5),
        p95_ms=_ms(sample.latencies, 0.95),
        p99_ms=_ms(sample.latencies, 0.99),
        driver_cpu_ms=sample.cpu * 1e3 / max(1, sample.finished),
        driver_bound=sample.cpu > BUSY_DRIVER * sample.seconds * drivers,
        methods={
            method: {"count": len(d), "p50_ms": _ms(d, 0.5), "p95_ms": _ms(d, 0.95)}
            for method, d in sorted(sample.methods.items())
        },
        events=dict(sample.events),
        errors=dict(sample.errors),
    )


def _ms(durations: list[float], fraction: float) -> float | None:
    value = percentile(durations, fraction)
    return None if value is None else value * 1e3
