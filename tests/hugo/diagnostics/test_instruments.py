"""The instruments of Hugo by name, kind and unit; nothing is measured until somebody listens."""

from collections import Counter

from hugo import diagnostics
from hugo.diagnostics import INSTRUMENTS, Kind
from hugo.diagnostics.instruments import RESULT_SUCCESSES
from hugo.diagnostics.memory import Recorded, recording
from hugo.diagnostics.spans import UNTRACED
from hugo.result import ok

HUGO = [
    "waitgroup.additions",
    "waitgroup.completions",
    "waitgroup.outstanding",
    "result.successes",
    "result.failures",
    "channel.select.attempts",
    "channel.select.completions",
    "channel.select.timeouts",
    "channel.select.cancellations",
    "channel.select.latency",
    "channel.depth",
    "taskqueue.enqueued",
    "taskqueue.leased",
    "taskqueue.completed",
    "taskqueue.heartbeats",
    "taskqueue.failed",
    "taskqueue.expired",
    "taskqueue.requeued",
    "taskqueue.deadlettered",
    "taskqueue.pending",
    "taskqueue.active",
    "taskqueue.pending.depth",
    "taskqueue.active.depth",
    "taskqueue.lease.duration",
    "taskqueue.heartbeat.extension",
    "hugo.taskqueue.backpressure.active",
    "hugo.taskqueue.backpressure.pending",
    "hugo.taskqueue.backpressure.transitions",
    "hugo.taskqueue.backpressure.duration",
    "taskqueue.replication.events",
    "taskqueue.replication.sequence_lag",
    "taskqueue.replication.wall_clock_lag",
    "workflow.started",
    "workflow.completed",
    "workflow.failed",
    "workflow.canceled",
    "workflow.terminated",
    "workflow.active",
    "workflow.replay.count",
    "workflow.logical.clock",
    "workflow.duration",
]
ADDED = {"taskqueue.schedule_to_start.latency", "taskqueue.poll.latency", "workflow.replays"}


def test_the_41_instruments_of_hugo_and_three_more() -> None:
    assert len(HUGO) == 41
    assert set(INSTRUMENTS) == {*HUGO, *ADDED}


def test_kinds_and_units() -> None:
    kinds = Counter(INSTRUMENTS[name].kind for name in HUGO)
    assert kinds == {Kind.COUNTER: 23, Kind.HISTOGRAM: 13, Kind.UP_DOWN_COUNTER: 5}
    latencies = ("latency", "duration", "extension", "wall_clock_lag")
    for name, instrument in INSTRUMENTS.items():
        assert (instrument.unit == "ms") == name.endswith(latencies), name
        assert instrument.unit == "ms" or instrument.unit.startswith("{"), name


def test_the_latest_recorder_alone_gets_measurements() -> None:
    first, second = Recorded(), Recorded()
    with recording():
        diagnostics.configure(first)
        ok()
        diagnostics.configure(second)
        ok()
        diagnostics.reset()
        ok()
    assert (first.total(RESULT_SUCCESSES), second.total(RESULT_SUCCESSES)) == (1, 1)


def test_attributes_come_with_the_measurement() -> None:
    with recording() as (recorded, _):
        RESULT_SUCCESSES.record(3, {"step": "pay"})
    assert recorded.attributes(RESULT_SUCCESSES) == [{"step": "pay"}]
    assert recorded.values(RESULT_SUCCESSES) == [3]


def test_a_span_is_kept_by_the_tracer_and_costs_nothing_without_one() -> None:
    with recording() as (_, traced):
        span = diagnostics.start_span("Go.Select", {"hugo.select.case_count": 2})
        span.add_event("select.attempt")
        span.end(error="late")
    (kept,) = traced.spans
    assert (kept.name, kept.attributes, kept.error) == ("Go.Select", {"hugo.select.case_count": 2}, "late")
    assert kept.events == [("select.attempt", {})]
    untraced = diagnostics.start_span("Go.Select")
    untraced.set_attributes({"a": 1})
    untraced.add_event("nothing")
    untraced.end()
    assert untraced is UNTRACED
