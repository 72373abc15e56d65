"""Timers: 10,000 due at the same moment, or 2,000 a second."""

from __future__ import annotations

from benchmarks.load import LoadOptions
from benchmarks.scenarios import Case, Overrides, Scenario
from benchmarks.timer_load import PacedTimerLoad, TimerLoad


def cases(said: Overrides) -> list[Case]:
    """Two cases; the latency is how late a timer fired, the rate is that of the whole run with its pause."""
    options = said.apply(LoadOptions(count=10_000))
    return [
        Case(f"timers-{options.count}", TimerLoad, options, "timer", warm=False),
        Case("timers-paced", PacedTimerLoad, options, "timer", warm=False),
    ]


SCENARIO = Scenario(
    "timers", "10,000 timers due at once, and 2,000 a second: how late each fires", cases, default=False
)
