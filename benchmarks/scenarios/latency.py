"""Latency: one workflow at a time on an idle machine."""

from __future__ import annotations

from dataclasses import replace

from benchmarks.load import LoadOptions
from benchmarks.scenarios import Case, Overrides, Scenario
from benchmarks.workflow_load import WorkflowLoad


def cases(said: Overrides) -> list[Case]:
    """Always one in flight, whatever the command line says for the other scenarios."""
    return [Case("latency", WorkflowLoad, replace(said.apply(LoadOptions(count=150)), concurrency=1))]


SCENARIO = Scenario("latency", "one activity a workflow, one in flight", cases)
