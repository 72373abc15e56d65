"""One more signal: to runs that have had a few, and to one with nearly 10,000 events; alone and with its task."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.scenarios import Case, Overrides, Scenario
from benchmarks.signal_load import SignalLoad, SignalOptions

LONG = 9_400
"""A run takes 10,000 signals at most."""


def cases(said: Overrides) -> list[Case]:
    """Always one in flight: a batch of signals would hide what one costs."""
    few = replace(said.apply(SignalOptions(count=400, pollers=4)), concurrency=1, runs=40)
    many = replace(few, runs=1, history=LONG)
    return [
        Case("signals to runs with 10 events", SignalLoad, few, "signal", warm=False),
        Case("signals to a run with 10,000 events", SignalLoad, many, "signal", warm=False),
        Case("signals and tasks, 10 events", SignalLoad, replace(few, worker=True), "signal", warm=False),
        Case("signals and tasks, 10,000 events", SignalLoad, replace(many, worker=True), "signal", warm=False),
    ]


SCENARIO = Scenario("signals", "one more signal to short runs and to a run with 10,000 events", cases, default=False)
