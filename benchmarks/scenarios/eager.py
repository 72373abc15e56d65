"""Eager: starts and activities handed over in the reply to the call that made them, as SDK workers ask for."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.load import LoadOptions
from benchmarks.scenarios import Case, Overrides, Scenario
from benchmarks.workflow_load import WorkflowLoad


def cases(said: Overrides) -> list[Case]:
    """Under load and one at a time."""
    options = replace(said.apply(LoadOptions()), eager=True)
    alone = replace(said.apply(LoadOptions(count=150)), eager=True, concurrency=1)
    return [
        Case(f"eager-{options.concurrency}", WorkflowLoad, options),
        Case("eager-latency", WorkflowLoad, alone),
    ]


SCENARIO = Scenario("eager", "eager starts and activities, 64 in flight and one in flight", cases)
