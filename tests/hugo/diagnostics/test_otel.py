"""The binding to OpenTelemetry: its defaults, what it sends, and that it limits traces."""

from collections.abc import Iterator
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

import pytest
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import SpanKind as OtelKind
from opentelemetry.trace import StatusCode

from hugo.diagnostics import INSTRUMENTS, SCHEMA_URL, Kind, MetricGroup, SpanKind, TaskQueueMetrics, start_span
from hugo.diagnostics.binding import active
from hugo.diagnostics.otel import DiagnosticsHandle, HugoDiagnosticsOptions, add_hugo_diagnostics
from hugo.diagnostics.sampling import RateLimit


class Sent:
    """What would have been sent."""

    def __init__(self) -> None:
        self.reader = InMemoryMetricReader()
        self.spans = InMemorySpanExporter()
        self.options: dict[str, Any] = {
            "metric_readers": (self.reader,),
            "span_processors": (SimpleSpanProcessor(self.spans),),
            "otlp_exporter": False,
            "prometheus_exporter": False,
        }
        self.handles: list[DiagnosticsHandle] = []

    def start(self, **options: object) -> DiagnosticsHandle:
        handle = add_hugo_diagnostics(**{**self.options, **options})
        self.handles.append(handle)
        return handle

    def metrics(self) -> dict[str, Any]:
        data: Any = self.reader.get_metrics_data()
        (resource,) = data.resource_metrics
        return {metric.name: metric for scope in resource.scope_metrics for metric in scope.metrics}


@pytest.fixture
def sent() -> Iterator[Sent]:
    kept = Sent()
    yield kept
    for handle in kept.handles:
        handle.shutdown()


def test_the_defaults() -> None:
    options = HugoDiagnosticsOptions()
    defaults = {field.name: getattr(options, field.name) for field in fields(options)}
    assert defaults == {
        "schema_url": "https://opentelemetry.io/schemas/1.27.0",
        "service_name": None,
        "scope_name": "Hugo.Go",
        "scope_version": None,
        "attach_schema_attribute": True,
        "configure_metrics": True,
        "configure_traces": True,
        "rate_limited_sampling": True,
        "max_spans_per_interval": 100,
        "sampling_interval": 1.0,
        "otlp_exporter": True,
        "otlp_protocol": "grpc",
        "otlp_endpoint": None,
        "prometheus_exporter": True,
        "runtime_instrumentation": True,
        "task_queue_metrics": TaskQueueMetrics(),
        "metric_readers": (),
        "span_processors": (),
    }


def test_every_instrument_is_registered_and_records(sent: Sent) -> None:
    sent.start()
    for instrument in INSTRUMENTS.values():
        instrument.record(2, {"taskqueue.name": "orders"})
        instrument.record(1, {"taskqueue.name": "orders"})
    metrics = sent.metrics()
    assert set(INSTRUMENTS) <= set(metrics)
    for name, instrument in INSTRUMENTS.items():
        (point,) = metrics[name].data.data_points
        assert metrics[name].unit == instrument.unit
        assert point.attributes == {"taskqueue.name": "orders"}
        assert (point.sum if instrument.kind is Kind.HISTOGRAM else point.value) == 3


def test_groups_of_task_queue_metrics_can_be_left_out(sent: Sent) -> None:
    sent.start(task_queue_metrics=TaskQueueMetrics(groups=MetricGroup.THROUGHPUT, service_name="shop"))
    for instrument in (INSTRUMENTS["taskqueue.enqueued"], INSTRUMENTS["taskqueue.pending"]):
        instrument.record(1, {"taskqueue.name": "orders"})
    metrics = sent.metrics()
    (point,) = metrics["taskqueue.enqueued"].data.data_points
    assert point.attributes == {"service.name": "shop", "taskqueue.name": "orders"}
    assert "taskqueue.pending" not in metrics


def test_metrics_of_the_process_come_with_it(sent: Sent) -> None:
    sent.start()
    assert {"process.cpu.time", "process.thread.count", "cpython.gc.collections"} <= set(sent.metrics())


def test_the_schema_is_on_scope_and_resource(sent: Sent) -> None:
    sent.start(service_name="orders", scope_version="1.2.3")
    start_span("Go.Select").end()
    (span,) = sent.spans.get_finished_spans()
    assert span.resource.attributes["service.name"] == "orders"
    assert span.resource.attributes["telemetry.schema.url"] == SCHEMA_URL
    scope = span.instrumentation_scope
    assert scope is not None
    assert (scope.name, scope.version, scope.schema_url) == ("Hugo.Go", "1.2.3", SCHEMA_URL)
    assert scope.attributes == {"otel.scope.schema_url": SCHEMA_URL}


def test_a_span_keeps_its_times_kind_links_and_outcome(sent: Sent) -> None:
    sent.start()
    began, ended = datetime(2024, 1, 1, tzinfo=UTC), datetime(2024, 1, 2, tzinfo=UTC)
    enqueued = start_span("TaskQueue.enqueue", kind=SpanKind.PRODUCER)
    enqueued.end()
    leased = start_span("TaskQueue.lease", {"attempt": 1}, kind=SpanKind.CONSUMER, start=began, links=(enqueued,))
    leased.add_event("waiting", {"seconds": 2})
    leased.end(error="expired", at=ended)
    first, second = sent.spans.get_finished_spans()
    assert (first.kind, first.status.status_code) == (OtelKind.PRODUCER, StatusCode.OK)
    assert (second.kind, second.status.status_code) == (OtelKind.CONSUMER, StatusCode.ERROR)
    assert (second.status.description, second.attributes) == ("expired", {"attempt": 1})
    assert (second.start_time, second.end_time) == (began.timestamp() * 1e9, ended.timestamp() * 1e9)
    assert [link.context for link in second.links] == [first.context]
    assert [event.name for event in second.events] == ["waiting"]


def test_only_so_many_traces_begin_in_an_interval(sent: Sent) -> None:
    sent.start(max_spans_per_interval=100, sampling_interval=3600)
    for _ in range(1000):
        start_span("Go.Select").end()
    assert len(sent.spans.get_finished_spans()) == 100


def test_children_follow_their_parent_without_counting(sent: Sent) -> None:
    handle = sent.start(max_spans_per_interval=1, sampling_interval=3600)
    assert handle.tracers is not None
    tracer = handle.tracers.get_tracer("test")
    for _ in range(2):
        with tracer.start_as_current_span("parent"):
            for _ in range(3):
                start_span("child").end()
    assert [span.name for span in sent.spans.get_finished_spans()] == ["child", "child", "child", "parent"]


def test_a_rate_limit_begins_anew_with_each_interval() -> None:
    now = 0.0
    limit = RateLimit(2, 1.0, lambda: now)
    taken = []
    for now in (0.0, 0.1, 0.9, 1.0, 1.5, 1.9, 2.0):  # noqa: B007
        taken.append(limit.take())
    assert taken == [True, True, False, True, True, False, True]
    for wrong in ((0, 1.0), (1, 0.0)):
        with pytest.raises(ValueError):
            RateLimit(*wrong)


def test_a_second_call_changes_nothing_and_after_the_end_it_begins_anew(sent: Sent) -> None:
    first = sent.start()
    assert sent.start(scope_name="other") is first
    first.shutdown()
    assert (active.recorder, active.tracer) == (None, None)
    second = Sent().start()
    assert second is not first
    first.shutdown()
    assert active.recorder is not None
    second.shutdown()


def test_metrics_and_traces_can_be_left_out(sent: Sent) -> None:
    handle = sent.start(configure_metrics=False, configure_traces=False)
    assert (handle.meters, handle.tracers, active.recorder, active.tracer) == (None, None, None, None)


def test_an_exporter_that_is_not_installed_is_named(sent: Sent, caplog: pytest.LogCaptureFixture) -> None:
    sent.start(prometheus_exporter=True)
    assert "opentelemetry.exporter.prometheus is not installed" in caplog.text
