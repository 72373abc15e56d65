"""Longer workflows: five activities one after the other."""

from __future__ import annotations

from benchmarks.load import LoadOptions
from benchmarks.scenarios import Case, Overrides, Scenario
from benchmarks.workflow_load import WorkflowLoad


def cases(said: Overrides) -> list[Case]:
    """One case; `--activities` makes it longer or shorter."""
    options = said.apply(LoadOptions(count=300, activities=5))
    return [Case(f"activities-{options.activities}", WorkflowLoad, options)]


SCENARIO = Scenario("activities", "five activities a workflow, 64 in flight", cases, default=False)
