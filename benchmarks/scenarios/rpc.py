"""Cost of single calls: the same call over and over, nobody polling, so CPU per call is that of the call alone."""

from __future__ import annotations

from benchmarks.call_load import METHODS, CallLoad, CallLoadOptions
from benchmarks.scenarios import Case, Overrides, Scenario


def cases(said: Overrides) -> list[Case]:
    """A case a method."""
    return [
        Case(f"rpc {method}", CallLoad, said.apply(CallLoadOptions(count=2000, concurrency=32, method=method)), "call")
        for method in METHODS
    ]


SCENARIO = Scenario("rpc", "CPU and latency of single calls, by method", cases, default=False)
