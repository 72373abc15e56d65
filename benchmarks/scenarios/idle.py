"""Idle: 10,000 long polls that wait for a minute, over one task queue and over 1,000."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.idle_load import IdleLoad, IdleOptions
from benchmarks.scenarios import Case, Overrides, Scenario


def cases(said: Overrides) -> list[Case]:
    """`-n` is the number of seconds, `--pollers` that of all polls."""
    one = said.apply(IdleOptions(count=60, pollers=10_000, timeout=900))
    many = replace(one, queues=1000)
    return [
        Case("1 poll", IdleLoad, replace(one, pollers=1), "second", warm=False),
        Case(f"{one.pollers:,} polls, 1 queue", IdleLoad, one, "second", warm=False),
        Case(f"{many.pollers:,} polls, 1,000 queues", IdleLoad, many, "second", warm=False),
    ]


SCENARIO = Scenario("idle", "10,000 long polls without work: CPU, statements and memory a second", cases, default=False)
