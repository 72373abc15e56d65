"""Updates: 1,000 to one run, as many at once as a run takes."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.load import LoadOptions
from benchmarks.scenarios import Case, Overrides, Scenario
from benchmarks.update_load import UpdateLoad


def cases(said: Overrides) -> list[Case]:
    """Ten in flight, and one."""
    options = said.apply(LoadOptions(count=1000, concurrency=10, pollers=4))
    return [
        Case(f"updates-{options.concurrency}", UpdateLoad, options, "update"),
        Case("updates-1", UpdateLoad, replace(options, concurrency=1), "update"),
    ]


SCENARIO = Scenario("updates", "1,000 updates to one workflow, ten and one in flight", cases, default=False)
