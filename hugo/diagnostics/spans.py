"""Spans of the library, as far as it needs them: a name, attributes, events, an outcome."""

from collections.abc import Mapping
from datetime import datetime
from enum import Enum
from typing import Protocol

from hugo.diagnostics import binding

Attribute = str | bool | int | float


class SpanKind(Enum):
    """Which side of a call a span is."""

    INTERNAL = "internal"
    SERVER = "server"
    CLIENT = "client"
    PRODUCER = "producer"
    CONSUMER = "consumer"


class Span(Protocol):
    """A piece of work that is being traced."""

    def set_attributes(self, attributes: Mapping[str, Attribute]) -> None:
        """Adds attributes, or replaces those of the same name."""

    def add_event(self, name: str, attributes: Mapping[str, Attribute] | None = None) -> None:
        """Notes that something happened now."""

    def end(self, *, error: str | None = None, at: datetime | None = None) -> None:
        """Ends the span, successfully unless `error` says what went wrong; `at` is when, by default now."""


class Tracer(Protocol):
    """Starts spans. It is called from any thread and must not raise."""

    def start_span(
        self,
        name: str,
        kind: SpanKind,
        attributes: Mapping[str, Attribute],
        *,
        start: datetime | None,
        links: tuple[Span, ...],
    ) -> Span:
        """Starts a span under the current one; `start` is when, by default now."""


class _Untraced:
    """The span of a process that traces nothing."""

    def set_attributes(self, attributes: Mapping[str, Attribute]) -> None:
        pass

    def add_event(self, name: str, attributes: Mapping[str, Attribute] | None = None) -> None:
        pass

    def end(self, *, error: str | None = None, at: datetime | None = None) -> None:
        pass


UNTRACED: Span = _Untraced()


def start_span(
    name: str,
    attributes: Mapping[str, Attribute] | None = None,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    start: datetime | None = None,
    links: tuple[Span, ...] = (),
) -> Span:
    """Starts a span, which the caller ends.

    `start` is when the work began, by default now; `links` are spans that caused this one without being its parent. In
    a process without a tracer the span does nothing.
    """
    if binding.active.tracer is None:
        return UNTRACED
    return binding.active.tracer.start_span(name, kind, attributes or {}, start=start, links=links)
