"""Fan-out: a parent that starts 1,000 children at once and hears of the end of each."""

from __future__ import annotations

from benchmarks.child_load import ChildLoad, ChildOptions
from benchmarks.scenarios import Case, Overrides, Scenario


def cases(said: Overrides) -> list[Case]:
    """One case; `-n` is the number of children, in parents of 1,000."""
    options = said.apply(ChildOptions(count=1000))
    return [Case("children", ChildLoad, options, "child")]


SCENARIO = Scenario("children", "a parent with 1,000 children, each with one workflow task", cases, default=False)
