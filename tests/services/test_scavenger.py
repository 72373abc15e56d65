"""Damage done to a database by hand is found and mended, and the workflows go on; what is sound is left alone."""

import uuid
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connections
from django.db.models import F

from orchestrator.conf import HugoSettings
from orchestrator.core.liveness import Damage
from orchestrator.models import (
    CurrentExecution,
    DispatchTask,
    Execution,
    Shard,
    TimerTask,
    TransferTask,
    VisibilityRecord,
)
from orchestrator.services import scavenger, untold_ends
from orchestrator.services.scavenger import Report, scavenge
from orchestrator.store.fencing import fenced
from orchestrator.store.ports import Fence, LeaseLost
from tests.core import builders as build
from tests.services.paying import Paying, child, story, wait_for, wait_until_nothing_is_owed
from tests.store.consistency import check_database, current_run
from tests.store.process import until

pytestmark = pytest.mark.usefixtures("default_database")

NOBODY = {"shard_id": 1, "run_id": uuid.UUID(int=1), "namespace_id": uuid.UUID(int=2), "workflow_id": "nobody"}


def look(process: Paying, *, repair: bool = True) -> Report:
    """A pass over all shards."""
    return scavenge(process.engine, Shard.objects.values_list("id", flat=True), repair=repair)


def mend(process: Paying, *damages: Damage) -> None:
    """A pass that finds just this, and mends it; after it, there is nothing to be found."""
    report = look(process, repair=False)
    assert (set(report.found), report.mended) == (set(damages), {})
    assert set(look(process).mended) == set(damages)
    assert look(process).found == {}


def finish(process: Paying, workflow_id: str) -> None:
    """A worker takes the waiting workflow task, and completes the workflow."""
    process.complete(process.poll(workflow_id).task_token)
    wait_until_nothing_is_owed()
    check_database()


@pytest.fixture
def begun() -> str:
    """A workflow that has just been started, by a process that is gone."""
    with Paying(pays=False) as earlier:
        earlier.begin_workflow("order")
    return "order"


def test_a_task_that_was_lost_reaches_a_worker(begun: str) -> None:
    DispatchTask.objects.all().delete()
    with Paying() as process:
        poll = process.begin_poll(begun)
        mend(process, Damage.LOST_TASK)
        process.complete(poll.result(30).task_token)
    check_database()


def test_a_task_of_an_earlier_dispatch_is_removed(begun: str) -> None:
    DispatchTask.objects.update(stamp=F("stamp") + 1)
    with Paying() as process:
        mend(process, Damage.LOST_TASK, Damage.STALE_TASK)
        finish(process, begun)


@pytest.mark.parametrize("moved", [False, True])
def test_a_timer_whose_row_was_lost_or_is_late_fires(moved: bool) -> None:
    with Paying() as earlier:
        earlier.begin_workflow("order")
        earlier.turn("order", build.start_timer("timer", 1))
    if moved:
        TimerTask.objects.update(fire_time=2**62)
    else:
        TimerTask.objects.all().delete()
    with Paying() as process:
        mend(process, Damage.LOST_WAKE)
        wait_for("order", "TimerFired")
        finish(process, "order")


def test_a_wake_up_nobody_needs_is_removed(begun: str) -> None:
    with Paying() as process:
        finish(process, begun)
        run = Execution.objects.get()
        TimerTask.objects.create(
            shard_id=run.shard_id, run_id=run.run_id, namespace_id=run.namespace_id, workflow_id=begun, fire_time=2**62
        )
        mend(process, Damage.STALE_WAKE)
    assert not TimerTask.objects.exists()


def test_a_debt_that_was_lost_is_paid() -> None:
    with Paying(pays=False) as earlier:
        for workflow_id in ("target", "sender"):
            earlier.begin_workflow(workflow_id)
        earlier.turn("sender", child(), build.signal_external("target"))
    TransferTask.objects.all().delete()
    with Paying() as process:
        assert look(process).mended == {Damage.LOST_TRANSFER: 1}
        wait_for("sender", "ExternalWorkflowExecutionSignaled")
        wait_for("sender", "ChildWorkflowExecutionStarted")
        wait_until_nothing_is_owed()
        for workflow_id in ("target", "child", "sender"):
            finish(process, workflow_id)
    assert story("target").count("WorkflowExecutionSignaled") == 1


@pytest.mark.parametrize("goes_on", [False, True])
def test_a_parent_hears_of_an_end_that_was_lost(goes_on: bool) -> None:
    with Paying() as earlier:
        earlier.begin_workflow("parent")
        earlier.turn("parent", child())
        wait_for("parent", "ChildWorkflowExecutionStarted")
        earlier.turn("parent")
        if goes_on:
            earlier.turn("child", build.continue_as_new())
        wait_until_nothing_is_owed()
    with Paying(pays=False) as lost:
        assert look(lost).found == {}
        lost.do(lost.terminate("child"))
        assert look(lost).found == {}
        TransferTask.objects.all().delete()
    with Paying() as process:
        assert look(process, repair=False).found == {Damage.UNTOLD_END: 1}
        assert look(process).mended == {Damage.UNTOLD_END: 1}
        wait_for("parent", "ChildWorkflowExecutionTerminated")
        finish(process, "parent")
        assert look(process).found == {}


@pytest.mark.parametrize("how", ["status", "time", "gone"])
def test_lists_show_what_the_state_says(begun: str, how: str) -> None:
    if how == "status":
        VisibilityRecord.objects.update(status=2)
    elif how == "time":
        VisibilityRecord.objects.update(close_time=5)
    else:
        VisibilityRecord.objects.all().delete()
    with Paying() as process:
        mend(process, Damage.WRONG_RECORD)
        finish(process, begun)


@pytest.mark.parametrize("gone", [False, True])
def test_the_open_run_becomes_the_current_one(begun: str, gone: bool) -> None:
    run_id = current_run(begun)
    if gone:
        CurrentExecution.objects.all().delete()
    else:
        CurrentExecution.objects.update(run_id=uuid.UUID(int=3))
    with Paying() as process:
        mend(process, Damage.WRONG_CURRENT)
        assert current_run(begun) == run_id
        process.do(process.signal(begun))
        finish(process, begun)


def test_the_latest_of_closed_runs_becomes_the_current_one() -> None:
    runs = []
    with Paying() as process:
        for _ in range(3):
            runs.append(process.begin_workflow("order"))
            finish(process, "order")
        CurrentExecution.objects.update(run_id=runs[0])
        look(process)
        assert current_run("order") == runs[2]
        CurrentExecution.objects.all().delete()
        look(process)
        assert current_run("order") == runs[2]
        assert look(process).found == {}
    check_database()


def test_rows_of_runs_that_do_not_exist_are_removed(begun: str) -> None:
    DispatchTask.objects.create(
        **NOBODY, task_queue="queue", kind=1, created_time=0, scheduled_event_id=2, stamp=1, fairness_weight=1
    )
    TimerTask.objects.create(**NOBODY, fire_time=2**62)
    TransferTask.objects.create(**NOBODY, kind=5, event_id=0, created_time=2**62)
    with Paying(pays=False) as process:
        mend(process, Damage.ORPHAN_TASK, Damage.ORPHAN_WAKE, Damage.ORPHAN_TRANSFER)
        finish(process, begun)


def test_all_damage_of_a_run_is_mended_at_once(begun: str) -> None:
    CurrentExecution.objects.all().delete()
    VisibilityRecord.objects.all().delete()
    DispatchTask.objects.all().delete()
    with Paying() as process:
        mend(process, Damage.LOST_TASK, Damage.WRONG_RECORD, Damage.WRONG_CURRENT)
        finish(process, begun)


def test_a_state_that_cannot_be_read_is_told_of_and_left_alone(begun: str) -> None:
    Execution.objects.update(state=b"\x01spoilt")
    DispatchTask.objects.all().delete()
    with Paying() as process:
        report = look(process)
    assert (report.found, report.mended) == ({Damage.UNREADABLE: 1}, {})
    assert [example[1] for example in report.examples] == [begun]
    assert bytes(Execution.objects.get().state) == b"\x01spoilt"


def test_pages_end_where_the_next_begins(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scavenger, "PAGE", 3)
    names = [f"order-{number}" for number in range(20)]
    with Paying() as process:
        for name in names:
            process.begin_workflow(name)
    DispatchTask.objects.filter(workflow_id__in=names[::2]).delete()
    TimerTask.objects.create(**NOBODY, fire_time=2**62)
    with Paying() as process:
        report = look(process)
        assert report.runs == 20
        assert report.mended == {Damage.LOST_TASK: 10, Damage.ORPHAN_WAKE: 1}
        for name in names:
            finish(process, name)


@pytest.mark.parametrize(("interval", "hinted"), [(0.05, False), (3600, True)])
def test_a_process_looks_by_itself_and_when_it_is_told_to(begun: str, interval: float, hinted: bool) -> None:
    DispatchTask.objects.all().delete()
    with Paying(settings=HugoSettings(sweep_interval=3600, scavenger_interval=interval)) as process:
        if hinted:
            process.engine.hinted("history", [])
        finish(process, begun)
        until(lambda: process.engine.scavenger.report.mended, "the report")
        assert process.engine.scavenger.report.mended == {Damage.LOST_TASK: 1}


def test_nothing_is_mended_under_a_lease_that_is_over(begun: str) -> None:
    DispatchTask.objects.all().delete()
    orphan = TimerTask.objects.create(**NOBODY, fire_time=2**62)
    with Paying(pays=False) as process:
        shard = process.engine.key(process.namespace, begun).shard_id
        for damaged in (shard, orphan.shard_id):
            with fenced(Fence(damaged, 5)), pytest.raises(LeaseLost):
                scavenge(process.engine, [damaged])
        assert set(look(process).mended) == {Damage.LOST_TASK, Damage.ORPHAN_WAKE}


def test_an_end_that_is_told_while_it_is_looked_for_is_none_that_is_untold(monkeypatch: pytest.MonkeyPatch) -> None:
    with Paying() as earlier:
        earlier.begin_workflow("order")
        earlier.turn("order", child())
        wait_for("order", "ChildWorkflowExecutionStarted")
    with Paying(pays=False) as process:
        process.complete(process.poll("child").task_token)
        assert TransferTask.objects.exists()
    last_run = untold_ends._last_run

    def paid_before_it_is_looked_for(*asked: Any) -> Any:
        with Paying():
            wait_for("order", "ChildWorkflowExecutionCompleted")
            wait_until_nothing_is_owed()
        return last_run(*asked)

    monkeypatch.setattr(untold_ends, "_last_run", paid_before_it_is_looked_for)
    with Paying(pays=False) as process:
        assert look(process).found == {}


def test_nothing_is_found_in_a_busy_database() -> None:
    def live(process: Paying, workflow_id: str) -> None:
        process.begin_workflow(workflow_id)
        process.turn(workflow_id, build.start_timer("soon", 0.01), child(f"{workflow_id}-child"))
        wait_for(workflow_id, "TimerFired")
        process.do(process.signal(workflow_id))
        process.complete(process.poll(f"{workflow_id}-child").task_token)
        wait_for(workflow_id, "ChildWorkflowExecutionCompleted")
        process.complete(process.poll(workflow_id).task_token)
        connections.close_all()

    seen = Report()
    with Paying() as process, ThreadPoolExecutor(4) as pool:
        lives = [pool.submit(live, process, f"order-{number}") for number in range(24)]
        while not all(each.done() for each in lives):
            seen.add(look(process))
        for each in lives:
            each.result()
        seen.add(look(process))
        wait_until_nothing_is_owed()
    assert seen.runs > 48
    assert seen.found == {}
    check_database()
