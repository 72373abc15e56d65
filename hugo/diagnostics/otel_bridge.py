"""The library's recorder and tracer over OpenTelemetry's meter and tracer."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import TYPE_CHECKING

from hugo.diagnostics.instruments import INSTRUMENTS, Instrument, Kind
from hugo.diagnostics.spans import Attribute, Span, SpanKind

if TYPE_CHECKING:
    from opentelemetry import metrics, trace


class MeterRecorder:
    """Records with the instruments of a meter, which all exist from the beginning."""

    def __init__(self, meter: "metrics.Meter") -> None:
        self._record = {name: _recording(meter, instrument) for name, instrument in INSTRUMENTS.items()}

    def record(self, instrument: Instrument, amount: float, attributes: Mapping[str, str]) -> None:
        """Takes one measurement."""
        self._record[instrument.name](amount, attributes)


def _recording(meter: "metrics.Meter", instrument: Instrument) -> Callable[[float, Mapping[str, str]], None]:
    match instrument.kind:
        case Kind.COUNTER:
            return meter.create_counter(instrument.name, instrument.unit).add
        case Kind.UP_DOWN_COUNTER:
            return meter.create_up_down_counter(instrument.name, instrument.unit).add
        case Kind.HISTOGRAM:
            return meter.create_histogram(instrument.name, instrument.unit).record


class BridgedSpan:
    """A span of OpenTelemetry."""

    def __init__(self, span: "trace.Span") -> None:
        self.span = span

    def set_attributes(self, attributes: Mapping[str, Attribute]) -> None:
        """Adds attributes."""
        self.span.set_attributes(attributes)

    def add_event(self, name: str, attributes: Mapping[str, Attribute] | None = None) -> None:
        """Notes that something happened now."""
        self.span.add_event(name, attributes)

    def end(self, *, error: str | None = None, at: datetime | None = None) -> None:
        """Ends the span."""
        from opentelemetry.trace import Status, StatusCode

        self.span.set_status(Status(StatusCode.OK) if error is None else Status(StatusCode.ERROR, error))
        self.span.end(_nanoseconds(at))


class BridgedTracer:
    """Starts spans under the current one of OpenTelemetry."""

    def __init__(self, tracer: "trace.Tracer") -> None:
        self._tracer = tracer

    def start_span(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, Attribute],
        *,
        start: datetime | None,
        links: tuple[Span, ...],
    ) -> BridgedSpan:
        """Starts a span; only links to spans of OpenTelemetry are kept."""
        from opentelemetry.trace import Link
        from opentelemetry.trace import SpanKind as OtelKind

        others = [Link(link.span.get_span_context()) for link in links if isinstance(link, BridgedSpan)]
        span = self._tracer.start_span(
            name, kind=OtelKind[kind.name], attributes=attributes, links=others, start_time=_nanoseconds(start)
        )
        return BridgedSpan(span)


def _nanoseconds(moment: datetime | None) -> int | None:
    return None if moment is None else int(moment.timestamp() * 1_000_000) * 1000
