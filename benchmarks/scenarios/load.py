"""Throughput: as many workflows as go with 64 and with 256 in flight."""

from __future__ import annotations

from benchmarks.load import LoadOptions
from benchmarks.scenarios import Case, Overrides, Scenario
from benchmarks.workflow_load import WorkflowLoad


def cases(said: Overrides) -> list[Case]:
    """Both widths, or the one asked for."""
    widths = [said.concurrency] if said.concurrency else [64, 256]
    return [
        Case(
            f"load-{width}",
            WorkflowLoad,
            said.apply(LoadOptions(count=1000 if width < 256 else 2000, concurrency=width)),
        )
        for width in widths
    ]


SCENARIO = Scenario("load", "one activity a workflow, 64 and 256 in flight", cases)
