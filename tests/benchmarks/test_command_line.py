"""Scenarios are found and bent by the flags; what servers print is understood."""

from __future__ import annotations

import pytest

from benchmarks.arguments import chosen, overrides, parser
from benchmarks.call_load import METHODS
from benchmarks.load import LoadOptions
from benchmarks.scenarios import Case, scenarios
from benchmarks.systems import ready_address


def cases(*argv: str) -> list[Case]:
    p = parser()
    args = p.parse_args(list(argv))
    return [c for name in chosen(args.scenarios, p) for c in scenarios()[name].cases(overrides(args))]


def test_default_scenarios() -> None:
    assert [c.name for c in cases()] == ["eager-64", "eager-latency", "latency", "load-64", "load-256"]


def test_flags_reach_the_load() -> None:
    (case,) = cases("load", "-n", "7", "-c", "3", "--pollers", "2", "--activities", "0", "--channels", "1", "--eager")
    assert case.name == "load-3"
    assert case.options == LoadOptions(count=7, concurrency=3, pollers=2, activities=0, channels=1, eager=True)


def test_latency_stays_one_at_a_time() -> None:
    (case,) = cases("latency", "-c", "64")
    assert case.options.concurrency == 1


def test_every_method_is_a_case_of_rpc() -> None:
    assert [c.name for c in cases("rpc")] == [f"rpc {method}" for method in METHODS]


def test_scenarios_of_few_runs_are_not_run_unless_asked_for() -> None:
    assert [c.name for c in cases("children", "timers", "updates")] == [
        "children",
        "timers-10000",
        "timers-paced",
        "updates-10",
        "updates-1",
    ]
    assert {c.options.concurrency for c in cases("signals")} == {1}
    assert [c.options.pollers for c in cases("idle", "--pollers", "30")] == [1, 30, 30]


def test_unknown_scenario_is_refused_by_name(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cases("laod")
    assert "no scenario 'laod'" in capsys.readouterr().err


@pytest.mark.parametrize("total", [1, 2, 7, 1000])
@pytest.mark.parametrize("processes", [1, 2, 3])
def test_shares_of_the_drivers_add_up(total: int, processes: int) -> None:
    parts = [LoadOptions(count=total, concurrency=64).share(i, processes) for i in range(processes)]
    assert sum(p.count for p in parts) == total
    assert sum(p.concurrency for p in parts) == 64
    assert sum(p.pollers for p in parts) == 16


def test_ready_line_is_found_among_other_output() -> None:
    line = "READY grpc=127.0.0.1:4001 http=127.0.0.1:4002\n"
    assert ready_address("starting\n" + line + "more\n") == "127.0.0.1:4001"
    assert ready_address("starting\nREADY grpc=127.0") is None
    assert ready_address("not READY grpc=127.0.0.1:1 http=x:2\n") is None
