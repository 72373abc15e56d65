"""The loads about few runs with much in them do what they promise, on a server of ours."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from benchmarks import idle_load, timer_load
from benchmarks.child_load import ChildLoad, ChildOptions
from benchmarks.idle_load import IdleLoad, IdleOptions
from benchmarks.load import Load, LoadOptions
from benchmarks.sample import Sample
from benchmarks.signal_load import SignalLoad, SignalOptions
from benchmarks.timer_load import PacedTimerLoad, TimerLoad
from benchmarks.update_load import UpdateLoad
from tests.support.server import Server


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """A server over a SQLite file."""
    with Server(tmp_path_factory.mktemp("loads")) as running:
        yield running.grpc


async def drive(load: Load) -> Sample:
    try:
        await load.open()
        await load.run()
    finally:
        await load.close()
    assert not load.sample.errors
    return load.sample


@pytest.mark.parametrize("worker", [False, True])
async def test_signals_go_to_runs_with_a_history(address: str, worker: bool) -> None:
    options = SignalOptions(count=6, concurrency=1, pollers=1, channels=1, history=3, runs=2, worker=worker)
    sample = await drive(SignalLoad(address, options))
    assert sample.finished == len(sample.latencies) == len(sample.methods["SignalWorkflowExecution"]) == 6
    assert len(sample.methods["RespondWorkflowTaskCompleted"]) == (6 if worker else 0)


async def test_parents_hear_of_all_their_children(address: str) -> None:
    sample = await drive(ChildLoad(address, ChildOptions(count=5, pollers=2, channels=1, children=3)))
    assert sample.finished == 5
    assert len(sample.latencies) == 2
    assert len(sample.methods["StartWorkflowExecution"]) == 2


async def test_updates_complete(address: str) -> None:
    sample = await drive(UpdateLoad(address, LoadOptions(count=7, concurrency=3, pollers=1, channels=1)))
    assert sample.finished == len(sample.latencies) == len(sample.methods["UpdateWorkflowExecution"]) == 7


@pytest.mark.parametrize("kind", [TimerLoad, PacedTimerLoad])
async def test_timers_fire_late_and_never_early(
    address: str, monkeypatch: pytest.MonkeyPatch, kind: type[TimerLoad]
) -> None:
    monkeypatch.setattr(timer_load, "QUIET", 0.0)
    sample = await drive(kind(address, LoadOptions(count=4, concurrency=2, pollers=2, channels=1)))
    assert sample.finished == len(sample.latencies) == 4
    assert min(sample.latencies) >= 0


async def test_idle_polls_are_watched_for_some_seconds(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(idle_load, "SETTLE", 0.0)
    options = IdleOptions(count=1, pollers=6, channels=1, queues=2)
    sample = await drive(IdleLoad(address, options))
    assert (sample.finished, sum(sample.events.values())) == (1, 0)
    assert [options.share(i, 2).count for i in range(2)] == [1, 0]
    assert [options.share(i, 2).pollers for i in range(2)] == [3, 3]
