"""Percentiles, ratios, merged samples, reports."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.load import LoadOptions
from benchmarks.measure import Measurement, summarize
from benchmarks.report import case_report, method_table, ratio_table, table
from benchmarks.sample import Sample, merge
from benchmarks.scenarios import Case
from benchmarks.statistics import median_or_none, percentile, ratios
from benchmarks.workflow_load import WorkflowLoad


@pytest.mark.parametrize(
    ("values", "fraction", "expected"),
    [
        ([], 0.5, None),
        ([7.0], 0.99, 7.0),
        ([4.0, 1.0, 3.0, 2.0], 0.5, 2.0),
        ([float(i) for i in range(1, 101)], 0.95, 95.0),
        ([float(i) for i in range(1, 101)], 0.99, 99.0),
        ([1.0, 2.0], 0.0, 1.0),
        ([1.0, 2.0], 1.0, 2.0),
    ],
)
def test_percentile_is_the_nearest_rank(values: list[float], fraction: float, expected: float | None) -> None:
    assert percentile(values, fraction) == expected


def test_ratios_above_one_are_in_our_favour() -> None:
    assert ratios([200.0], [50.0], higher_is_better=True) == [4.0]
    assert ratios([5.0, None, 2.0], [30.0, 1.0, 0.0], higher_is_better=False) == [6.0, None, 0.0]
    assert ratios([0.0], [3.0], higher_is_better=False) == [None]


def test_median_leaves_out_what_is_missing() -> None:
    assert median_or_none([3.0, None, 1.0]) == 2.0
    assert median_or_none([None]) is None


def test_samples_of_drivers_that_ran_together_become_one() -> None:
    a = Sample(wanted=2, finished=2, began=10.0, ended=12.0, latencies=[1.0], cpu=0.5, errors=Counter(x=1))
    b = Sample(wanted=3, finished=1, began=10.5, ended=13.0, latencies=[2.0], cpu=0.25, errors=Counter(x=2))
    a.methods["M"].append(0.1)
    b.methods["M"].append(0.2)
    whole = merge([a, b])
    assert (whole.wanted, whole.finished, whole.seconds, whole.cpu) == (5, 3, 3.0, 0.75)
    assert whole.latencies == [1.0, 2.0]
    assert whole.methods["M"] == [0.1, 0.2]
    assert whole.errors == {"x": 3}


def test_summary_of_a_sample_is_per_finished_unit_and_flags_a_busy_driver() -> None:
    sample = Sample(wanted=4, finished=2, began=0.0, ended=1.0, latencies=[0.01, 0.03], cpu=0.9)
    result = summarize("s", Case("c", WorkflowLoad, LoadOptions()), sample, drivers=1)
    assert (result.per_second, result.p50_ms, result.p99_ms, result.driver_cpu_ms) == (2.0, 10.0, 30.0, 450.0)
    assert result.driver_bound
    assert not summarize("s", Case("c", WorkflowLoad, LoadOptions()), sample, drivers=2).driver_bound


def measurement(system: str, per_second: float, cpu: float) -> Measurement:
    return Measurement(
        system=system,
        case="load-64",
        unit="workflow",
        wanted=10,
        finished=10,
        seconds=1.0,
        per_second=per_second,
        p50_ms=5.0,
        p95_ms=None,
        p99_ms=None,
        server_cpu_ms=cpu,
        database_cpu_ms=1.0,
        counts={"commits": 0.5},
        methods={"PollActivityTaskQueue": {"count": 3, "p50_ms": 1.0, "p95_ms": 2.0}},
    )


def test_report_shows_medians_ratios_and_methods() -> None:
    rounds = [[measurement("sqlite", v, 4.0), measurement("peer", 10.0, 39.0)] for v in (50.0, 40.0, 60.0)]
    report = case_report(rounds)
    assert "sqlite, median of 3" in report
    ratios = [line.split() for line in ratio_table(rounds, 1).splitlines()]
    assert ratios[2] == ["per", "s", "5.00", "4.00", "6.00", "5.00"]
    assert ["cpu", "ms", "8.00", "8.00", "8.00", "8.00"] in ratios
    assert "PollActivityTaskQueue (waits)" in method_table(rounds[0])
    assert "p95" not in report.splitlines()[0], "a column without figures is left out"


def test_report_tells_of_unfinished_work_and_errors() -> None:
    lame = measurement("sqlite", 1.0, 1.0)
    lame.finished, lame.errors = 7, {"StartWorkflowExecution UNAVAILABLE": 3}
    report = case_report([[lame]])
    assert "7 of 10" in report
    assert "! sqlite: errors" in report


def test_table_aligns_its_columns() -> None:
    assert table([["a", "bb"], ["ccc", "d"]]).splitlines() == ["a    bb", "---  --", "ccc   d"]
