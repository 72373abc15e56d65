"""What the library measures and traces, and where that goes."""

from hugo.diagnostics.binding import SCHEMA_URL, SCOPE_NAME, Recorder, configure, reset
from hugo.diagnostics.instruments import INSTRUMENTS, Instrument, Kind
from hugo.diagnostics.spans import Attribute, Span, SpanKind, Tracer, start_span
from hugo.diagnostics.task_queues import MetricGroup, TaskQueueMetrics

__all__ = [
    "INSTRUMENTS",
    "SCHEMA_URL",
    "SCOPE_NAME",
    "Attribute",
    "Instrument",
    "Kind",
    "MetricGroup",
    "Recorder",
    "Span",
    "SpanKind",
    "TaskQueueMetrics",
    "Tracer",
    "configure",
    "reset",
    "start_span",
]
