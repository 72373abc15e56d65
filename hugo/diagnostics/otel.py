"""One call that sends the library's metrics and traces to OpenTelemetry.

It needs the packages of the extra `otel`, and imports them only when called. Call it where a process begins to serve:
in Django's `AppConfig.ready`, in a server's or worker's main function, in Celery's `worker_process_init`, and always
after a fork, because exporters have threads.
"""

import importlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from importlib import metadata
from typing import TYPE_CHECKING, Any, Literal

from hugo.diagnostics import binding
from hugo.diagnostics.binding import SCHEMA_URL, SCOPE_NAME
from hugo.diagnostics.otel_bridge import BridgedTracer, MeterRecorder
from hugo.diagnostics.runtime import observe_runtime
from hugo.diagnostics.sampling import RateLimit, RateLimitedSampler
from hugo.diagnostics.task_queues import TaskQueueMetrics

if TYPE_CHECKING:
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import MetricReader
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import SpanProcessor, TracerProvider

log = logging.getLogger(__name__)

DISTRIBUTION = "hugo-durable-orchestrator"


def _version() -> str:
    try:
        return metadata.version(DISTRIBUTION)
    except metadata.PackageNotFoundError:
        return "unknown"


@dataclass(frozen=True, kw_only=True)
class HugoDiagnosticsOptions:
    """What is sent, and where to.

    `schema_url`                    the schema of names, on the scope and, with `attach_schema_attribute`, the resource
    `service_name`                  None leaves it to OTEL_SERVICE_NAME
    `scope_name`, `scope_version`   of meter and tracer; the version is the library's unless given
    `configure_metrics`, `configure_traces`
                                    whether there are any
    `rate_limited_sampling`         at most `max_spans_per_interval` (at least 1) traces begin in `sampling_interval`
                                    seconds (1 if not positive)
    `otlp_exporter`                 over `otlp_protocol` to `otlp_endpoint`, by default OTEL_EXPORTER_OTLP_ENDPOINT
    `prometheus_exporter`           metrics in the default registry of the Prometheus client
    `runtime_instrumentation`       metrics of the process and its garbage collector
    `task_queue_metrics`            which measurements of task queues are sent, and with which attributes
    `metric_readers`, `span_processors`
                                    more of your own
    """

    schema_url: str = SCHEMA_URL
    service_name: str | None = None
    scope_name: str = SCOPE_NAME
    scope_version: str | None = None
    attach_schema_attribute: bool = True
    configure_metrics: bool = True
    configure_traces: bool = True
    rate_limited_sampling: bool = True
    max_spans_per_interval: int = 100
    sampling_interval: float = 1.0
    otlp_exporter: bool = True
    otlp_protocol: Literal["grpc", "http/protobuf"] = "grpc"
    otlp_endpoint: str | None = None
    prometheus_exporter: bool = True
    runtime_instrumentation: bool = True
    task_queue_metrics: TaskQueueMetrics = field(default_factory=TaskQueueMetrics)
    metric_readers: "tuple[MetricReader, ...]" = ()
    span_processors: "tuple[SpanProcessor, ...]" = ()


class DiagnosticsHandle:
    """What `add_hugo_diagnostics` has set up."""

    def __init__(self, meters: "MeterProvider | None", tracers: "TracerProvider | None") -> None:
        self.meters = meters
        self.tracers = tracers

    def shutdown(self) -> None:
        """Sends what is left and ends it all; a later `add_hugo_diagnostics` begins anew."""
        global _handle
        if _handle is not self:
            return
        _handle = None
        binding.reset()
        for provider in (self.meters, self.tracers):
            if provider is not None:
                provider.shutdown()


_handle: DiagnosticsHandle | None = None


def add_hugo_diagnostics(options: HugoDiagnosticsOptions | None = None, **overrides: Any) -> DiagnosticsHandle:
    """Sends the library's measurements and spans to OpenTelemetry; `overrides` are fields of the options.

    A second call changes nothing and returns the first one's handle. An exporter whose package is not installed is left
    out, and the log says so. Raises ImportError without OpenTelemetry's SDK.
    """
    global _handle
    if _handle is not None:
        return _handle
    chosen = replace(options or HugoDiagnosticsOptions(), **overrides)
    from opentelemetry.sdk.resources import Resource

    attributes: dict[str, str] = {}
    if chosen.service_name is not None:
        attributes["service.name"] = chosen.service_name
    if chosen.attach_schema_attribute:
        attributes["telemetry.schema.url"] = chosen.schema_url
    resource = Resource.create(attributes, chosen.schema_url)
    scope = (chosen.scope_name, chosen.scope_version or _version())
    meters = _meters(chosen, resource) if chosen.configure_metrics else None
    tracers = _tracers(chosen, resource) if chosen.configure_traces else None
    scope_attributes = {"otel.scope.schema_url": chosen.schema_url}
    recorder = tracer = None
    if meters is not None:
        meter = meters.get_meter(*scope, schema_url=chosen.schema_url, attributes=scope_attributes)
        recorder = chosen.task_queue_metrics.over(MeterRecorder(meter))
        if chosen.runtime_instrumentation:
            observe_runtime(meter)
    if tracers is not None:
        tracer = BridgedTracer(tracers.get_tracer(*scope, schema_url=chosen.schema_url, attributes=scope_attributes))
    binding.configure(recorder, tracer)
    _handle = DiagnosticsHandle(meters, tracers)
    return _handle


def _meters(options: HugoDiagnosticsOptions, resource: "Resource") -> "MeterProvider":
    from opentelemetry.sdk.metrics import MeterProvider
    from opentelemetry.sdk.metrics.export import PeriodicExportingMetricReader

    readers = list(options.metric_readers)
    if (exporter := _otlp(options, "metric", "OTLPMetricExporter")) is not None:
        readers.append(PeriodicExportingMetricReader(exporter))
    if options.prometheus_exporter:
        reader = _optional("opentelemetry.exporter.prometheus", "PrometheusMetricReader")
        readers += [] if reader is None else [reader()]
    return MeterProvider(readers, resource, shutdown_on_exit=False)


def _tracers(options: HugoDiagnosticsOptions, resource: "Resource") -> "TracerProvider":
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    sampler: Any = None
    if options.rate_limited_sampling:
        interval = options.sampling_interval if options.sampling_interval > 0 else 1.0
        sampler = RateLimitedSampler(RateLimit(max(1, options.max_spans_per_interval), interval))
    provider = TracerProvider(sampler, resource, shutdown_on_exit=False)
    for processor in options.span_processors:
        provider.add_span_processor(processor)
    if (exporter := _otlp(options, "trace", "OTLPSpanExporter")) is not None:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    return provider


def _otlp(options: HugoDiagnosticsOptions, what: str, name: str) -> Any:
    """The exporter of metrics or traces, if it is wanted and installed."""
    if not options.otlp_exporter:
        return None
    over = "grpc" if options.otlp_protocol == "grpc" else "http"
    exporter = _optional(f"opentelemetry.exporter.otlp.proto.{over}.{what}_exporter", name)
    if exporter is None:
        return None
    endpoint = options.otlp_endpoint
    if endpoint is not None and over == "http":
        endpoint = f"{endpoint.rstrip('/')}/v1/{what}s"
    arguments: Mapping[str, str] = {} if endpoint is None else {"endpoint": endpoint}
    return exporter(**arguments)


def _optional(module: str, name: str) -> Any:
    try:
        return getattr(importlib.import_module(module), name)
    except ImportError:
        log.warning("%s is not installed: nothing is sent that way.", module)
        return None
