"""The workflow load makes the promised calls, counts what failed, and always ends."""

from __future__ import annotations

import pytest

from benchmarks import workflow_load
from benchmarks.load import LoadOptions
from benchmarks.sample import Sample
from benchmarks.workflow_load import WorkflowLoad
from tests.benchmarks.fake_temporal import FakeTemporal


@pytest.fixture(autouse=True)
def no_settling(monkeypatch: pytest.MonkeyPatch) -> None:
    """The pause before the first start steadies figures; here nothing is measured."""
    monkeypatch.setattr(workflow_load, "SETTLE", 0.0)


async def drive(fake: FakeTemporal, options: LoadOptions) -> Sample:
    server, address = await fake.serve()
    load = WorkflowLoad(address, options)
    try:
        await load.open()
        await load.run()
        await load.close()
    finally:
        await server.stop(None)
    return load.sample


@pytest.mark.parametrize("activities", [0, 1, 3])
async def test_each_workflow_runs_its_activities_and_closes_once(activities: int) -> None:
    fake = FakeTemporal()
    sample = await drive(fake, LoadOptions(count=20, concurrency=5, pollers=2, activities=activities, channels=2))
    assert sample.finished == len(sample.latencies) == len(set(fake.closed)) == 20
    assert len(sample.methods["StartWorkflowExecution"]) == 20
    assert len(sample.methods["RespondActivityTaskCompleted"]) == 20 * activities
    assert len(sample.methods["RespondWorkflowTaskCompleted"]) == 20 * (activities + 1)
    assert not sample.errors


async def test_eager_tasks_are_worked_on_without_a_poll() -> None:
    sample = await drive(FakeTemporal(), LoadOptions(count=10, concurrency=3, pollers=1, eager=True, channels=1))
    assert sample.finished == 10
    assert sample.events["eager workflow tasks"] == 10
    assert sample.events["eager activities"] == 10
    assert "PollActivityTaskQueue" not in sample.methods


async def test_refused_starts_are_counted_and_do_not_hold_up_the_end() -> None:
    sample = await drive(FakeTemporal(refuse=4), LoadOptions(count=10, concurrency=2, pollers=1, channels=1))
    assert sample.finished == 6
    assert sample.errors == {"StartWorkflowExecution UNAVAILABLE": 4}


async def test_a_run_that_gets_no_answers_ends_at_its_timeout() -> None:
    fake = FakeTemporal()
    sample = await drive(fake, LoadOptions(count=3, concurrency=1, activities=10**6, pollers=1, timeout=0.2))
    assert sample.finished == 0
    assert sample.errors["run timed out"] == 1
