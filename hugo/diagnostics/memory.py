"""A recorder and a tracer that keep everything in memory, for tests."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime

from hugo.diagnostics import binding
from hugo.diagnostics.instruments import Instrument
from hugo.diagnostics.spans import Attribute, Span, SpanKind


@dataclass
class Recorded:
    """Measurements in the order they were made."""

    measurements: list[tuple[Instrument, float, dict[str, str]]] = field(default_factory=list)

    def record(self, instrument: Instrument, amount: float, attributes: Mapping[str, str]) -> None:
        """Keeps one measurement."""
        self.measurements.append((instrument, amount, dict(attributes)))

    def values(self, instrument: Instrument) -> list[float]:
        """The amounts recorded for an instrument."""
        return [amount for recorded, amount, _ in self.measurements if recorded == instrument]

    def total(self, instrument: Instrument) -> float:
        """Their sum: where a counter stands."""
        return sum(self.values(instrument))

    def attributes(self, instrument: Instrument) -> list[dict[str, str]]:
        """The attributes of each measurement of an instrument."""
        return [attributes for recorded, _, attributes in self.measurements if recorded == instrument]


@dataclass
class TracedSpan:
    """A span with all it was told."""

    name: str
    kind: SpanKind
    attributes: dict[str, Attribute]
    start: datetime | None
    links: tuple[Span, ...]
    events: list[tuple[str, dict[str, Attribute]]] = field(default_factory=list)
    ended: bool = False
    error: str | None = None
    end_time: datetime | None = None

    def set_attributes(self, attributes: Mapping[str, Attribute]) -> None:
        """Adds attributes."""
        self.attributes.update(attributes)

    def add_event(self, name: str, attributes: Mapping[str, Attribute] | None = None) -> None:
        """Keeps an event."""
        self.events.append((name, dict(attributes or {})))

    def end(self, *, error: str | None = None, at: datetime | None = None) -> None:
        """Keeps how and when the span ended."""
        self.ended, self.error, self.end_time = True, error, at


@dataclass
class Traced:
    """Spans in the order they were started."""

    spans: list[TracedSpan] = field(default_factory=list)

    def start_span(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, Attribute],
        *,
        start: datetime | None,
        links: tuple[Span, ...],
    ) -> TracedSpan:
        """Starts and keeps a span."""
        span = TracedSpan(name, kind, dict(attributes), start, links)
        self.spans.append(span)
        return span


@contextmanager
def recording() -> Iterator[tuple[Recorded, Traced]]:
    """Keeps what the block measures and traces; what was configured before comes back afterwards."""
    before, workflow_ids = (binding.active.recorder, binding.active.tracer), binding.active.workflow_ids
    recorded, traced = Recorded(), Traced()
    binding.configure(recorded, traced)
    try:
        yield recorded, traced
    finally:
        binding.configure(*before, workflow_ids=workflow_ids)
