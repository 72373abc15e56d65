"""Runs the cases on the systems in turn: A B A B, so that what changes on the machine hits both alike."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.measure import Measurement, Settings, measure
from benchmarks.report import case_report, number
from benchmarks.scenarios import Case
from benchmarks.statistics import median_or_none
from benchmarks.systems import System


@dataclass
class Comparison:
    """The measurements of a case: by round, in each round by system."""

    case: Case
    rounds: list[list[Measurement]]

    def as_json(self) -> dict[str, Any]:
        """For the JSON file: every run, and the medians by system."""
        names = [m.system for m in self.rounds[0]]
        figures = ("per_second", "p50_ms", "p95_ms", "p99_ms", "cpu_ms", "server_cpu_ms", "database_cpu_ms")
        return {
            "case": self.case.name,
            "unit": self.case.unit,
            "options": vars(self.case.options),
            "medians": {
                name: {f: median_or_none([getattr(r[i], f) for r in self.rounds]) for f in figures}
                for i, name in enumerate(names)
            },
            "rounds": [[vars(m) | {"cpu_ms": m.cpu_ms} for m in r] for r in self.rounds],
        }


def compare(systems: Sequence[System], cases: Sequence[Case], settings: Settings, rounds: int) -> Iterator[Comparison]:
    """Measure case by case, printing each report as soon as it is complete."""
    for case in cases:
        measured: list[list[Measurement]] = []
        for i in range(rounds):
            measured.append([_measure(system, case, settings, i, rounds) for system in systems])
        print("\n" + case_report(measured) + "\n", flush=True)
        yield Comparison(case, measured)


def _measure(system: System, case: Case, settings: Settings, index: int, rounds: int) -> Measurement:
    result = measure(system, case, settings)
    # Progress goes to stderr: the report on stdout stays fit to be kept.
    print(
        f"  {case.name} {system.name} {index + 1}/{rounds}: {number(result.per_second)}/s,"
        f" p50 {number(result.p50_ms)} ms, cpu {number(result.cpu_ms, 2)} ms",
        file=sys.stderr,
        flush=True,
    )
    return result
