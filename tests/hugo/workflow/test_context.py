"""A run counts what happens, ends once, and tells the same to rows, metrics and traces."""

from dataclasses import fields
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hugo import diagnostics
from hugo.clock import FakeClock
from hugo.diagnostics import instruments
from hugo.diagnostics.memory import recording
from hugo.errors import Error
from hugo.workflow import (
    CompletionStatus,
    VisibilityStatus,
    WorkflowExecutionContext,
    WorkflowVisibilityRecord,
    enter_workflow,
)


def run(**options: object) -> WorkflowExecutionContext:
    return WorkflowExecutionContext("default", "order-1", "run-1", "orders", **options)  # type: ignore[arg-type]


@given(some.integers(0, 1000), some.lists(some.integers(0, 1000)))
def test_the_clock_is_always_beyond_what_was_seen(start: int, seen: list[int]) -> None:
    context = run(logical_clock=start)
    for remote in seen:
        before = context.logical_clock
        assert context.observe(remote) == context.logical_clock == max(before, remote) + 1
    assert context.tick() == context.logical_clock
    context.reset_logical_clock(start)
    assert context.logical_clock == start


def test_negative_clocks_and_blank_names_are_refused() -> None:
    for options in ({"logical_clock": -1}, {"replay_count": -1}, {"metadata": {" ": "x"}}):
        with pytest.raises(ValueError):
            run(**options)
    for names in (("", "w", "r", "q"), ("n", " ", "r", "q"), ("n", "w", "", "q"), ("n", "w", "r", "")):
        with pytest.raises(ValueError):
            WorkflowExecutionContext(*names)
    for call in (run().observe, run().reset_logical_clock):
        with pytest.raises(ValueError):
            call(-1)


def test_a_blank_schedule_is_none_and_times_are_in_utc() -> None:
    there = datetime(2024, 1, 1, 12, tzinfo=timezone(timedelta(hours=2)))
    record = run(schedule_id=" ", schedule_group="", started_at=there).snapshot_visibility()
    assert (record.schedule_id, record.schedule_group) == (None, None)
    assert record.started_at == there
    assert record.started_at.tzinfo is UTC


def test_a_record_has_the_twelve_columns() -> None:
    assert [column.name for column in fields(WorkflowVisibilityRecord)] == [
        "namespace",
        "workflow_id",
        "run_id",
        "task_queue",
        "schedule_id",
        "schedule_group",
        "status",
        "started_at",
        "completed_at",
        "logical_clock",
        "replay_count",
        "attributes",
    ]


def test_a_run_is_active_until_it_ends_once() -> None:
    clock = FakeClock()
    context = run(clock=clock, metadata={"workflow.customer_id": "7", "step": "pay"}, replay_count=2)
    before = context.snapshot_visibility({"step": "ship", "note": None, " ": "blank"})
    assert (before.status, before.completed_at, before.logical_clock) == (VisibilityStatus.ACTIVE, None, 0)
    assert before.attributes == {"workflow.customer_id": "7", "step": "ship", "note": ""}

    clock.advance(5)
    after = context.complete(CompletionStatus.FAILED, Error("no money", "payment.refused"), {"error.message": "own"})
    assert (after.status, after.completed_at) == (VisibilityStatus.FAILED, clock.utcnow())
    assert (after.logical_clock, after.replay_count) == (1, 2)
    assert after.attributes["error.code"] == "payment.refused"
    assert after.attributes["error.message"] == "own"

    with pytest.raises(RuntimeError):
        context.complete(CompletionStatus.COMPLETED)
    assert context.try_complete(CompletionStatus.COMPLETED) is None
    assert context.logical_clock == 1
    assert context.snapshot_visibility().status == VisibilityStatus.FAILED


@pytest.mark.parametrize("status", CompletionStatus)
def test_statuses_are_written_as_words(status: CompletionStatus) -> None:
    assert run().complete(status).status.value == status.name.capitalize()


def test_an_error_tells_which_run_it_comes_from() -> None:
    context = run(schedule_id="nightly", metadata={"step": "pay"}, logical_clock=3)
    error = context.attach_error(Error("no"))
    assert dict(error.metadata) == {
        "workflow.namespace": "default",
        "workflow.id": "order-1",
        "workflow.run_id": "run-1",
        "workflow.task_queue": "orders",
        "workflow.schedule_id": "nightly",
        "workflow.logical_clock": 3,
        "workflow.replay_count": 0,
        "workflow.metadata.step": "pay",
    }


def test_measurements_of_a_run() -> None:
    clock = FakeClock()
    with recording() as (recorded, _):
        context = run(clock=clock, workflow_type="Order")
        for _ in range(2):
            with enter_workflow(context):
                pass
        context.increment_replay_count()
        clock.advance(2.5)
        context.complete(CompletionStatus.COMPLETED)
    run_attributes = {
        "workflow.namespace": "default",
        "workflow.task_queue": "orders",
        "workflow.type": "Order",
    }
    ended = {**run_attributes, "workflow.status": "completed"}
    assert recorded.measurements == [
        (instruments.WORKFLOW_STARTED, 1, run_attributes),
        (instruments.WORKFLOW_ACTIVE, 1, run_attributes),
        (instruments.WORKFLOW_LOGICAL_CLOCK, 1, run_attributes),
        (instruments.WORKFLOW_REPLAYS, 1, run_attributes),
        (instruments.WORKFLOW_COMPLETED, 1, ended),
        (instruments.WORKFLOW_ACTIVE, -1, run_attributes),
        (instruments.WORKFLOW_REPLAY_COUNT, 1, ended),
        (instruments.WORKFLOW_LOGICAL_CLOCK, 2, ended),
        (instruments.WORKFLOW_DURATION, 2500, ended),
    ]


@pytest.mark.parametrize(
    ("status", "instrument"),
    [
        (CompletionStatus.FAILED, instruments.WORKFLOW_FAILED),
        (CompletionStatus.CANCELED, instruments.WORKFLOW_CANCELED),
        (CompletionStatus.TERMINATED, instruments.WORKFLOW_TERMINATED),
    ],
)
def test_each_end_has_its_counter(status: CompletionStatus, instrument: instruments.Instrument) -> None:
    with recording() as (recorded, _):
        run().complete(status)
    assert recorded.total(instrument) == 1
    assert recorded.total(instruments.WORKFLOW_COMPLETED) == 0


def test_ids_are_on_measurements_only_when_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUGO_METRICS_WORKFLOW_IDS", "1")
    with recording() as (recorded, _):
        diagnostics.configure(recorded)
        run().start()
    (attributes,) = recorded.attributes(instruments.WORKFLOW_STARTED)
    assert (attributes["workflow.id"], attributes["workflow.run_id"]) == ("order-1", "run-1")


def test_the_span_of_a_run_lasts_as_long_as_the_run() -> None:
    clock = FakeClock()
    with recording() as (_, traced):
        context = run(clock=clock)
        with enter_workflow(context):
            clock.advance(1)
        assert not traced.spans[0].ended
        context.complete(CompletionStatus.FAILED, Error("no money", "payment.refused"))
    (span,) = traced.spans
    assert (span.name, span.start, span.end_time) == ("Hugo.Workflow", context.started_at, context.completed_at)
    assert span.error == "payment.refused: no money"
    assert span.attributes["workflow.id"] == "order-1"
    assert span.attributes["workflow.status"] == "failed"
    assert span.attributes["workflow.error.code"] == "payment.refused"
    assert span.attributes["workflow.logical_clock"] == 2
