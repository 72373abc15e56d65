"""A soak looks at a server and its database while workflows run, and says how the end compares."""

from __future__ import annotations

import csv
import os
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from benchmarks import workflow_load
from benchmarks.counters import PostgresCounters
from benchmarks.soak import soak, verdict, write
from benchmarks.soak_samples import Look
from benchmarks.systems import System
from tests.support.server import Server


async def test_each_look_tells_of_the_time_since_the_last(
    postgres_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(workflow_load, "SETTLE", 0.0)
    counters = PostgresCounters(postgres_url, urlsplit(postgres_url).path.lstrip("/"))
    try:
        with Server(tmp_path, postgres_url) as server:
            system = System("postgres", server.grpc, (os.getpid(),), (), counters)
            looks, errors = await soak(system, seconds=1.5, every=0.5, concurrency=4)
    finally:
        counters.close()
    write(tmp_path / "soak.csv", looks)

    assert not errors
    assert [look.seconds for look in looks] == sorted(look.seconds for look in looks)
    assert sum(look.per_second > 0 for look in looks) >= 2
    busy = next(look for look in looks if look.per_second)
    assert busy.p50_ms is not None
    assert busy.p99_ms is not None
    assert busy.p50_ms <= busy.p99_ms
    assert busy.memory_mb
    with (tmp_path / "soak.csv").open() as file:
        assert len(list(csv.DictReader(file))) == len(looks)


def test_the_verdict_compares_the_last_quarter_with_the_second() -> None:
    looks = [Look(float(i), 100.0, 10.0, 20.0 + i, 2.0, 100.0 * (1 if i < 8 else 2), i, 1.0, 4.0) for i in range(1, 13)]
    rows = {line.split("  ")[0]: line.split()[-3:] for line in verdict(looks).splitlines()}
    assert rows["memory mb"] == ["100.00", "200.00", "2.00"]
    assert rows["p50 ms"] == ["10.00", "10.00", "1.00"]
    assert rows["dead rows"] == ["5.00", "11.00", "2.20"]
