"""A sampler that lets only so many traces begin in an interval."""

import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.sdk.trace.sampling import SamplingResult
    from opentelemetry.trace import Link, SpanKind, TraceState
    from opentelemetry.util.types import Attributes


class RateLimit:
    """At most `limit` in each interval of `seconds`; the intervals are fixed. It may be asked from any thread."""

    def __init__(self, limit: int, seconds: float = 1.0, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Raises ValueError unless both are positive."""
        if limit < 1 or seconds <= 0:
            raise ValueError("A rate limit and its interval are positive.")
        self._limit = limit
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._began = monotonic()
        self._taken = 0

    def take(self) -> bool:
        """Whether there is one left in this interval; if so, it is taken."""
        with self._lock:
            now = self._monotonic()
            if now - self._began >= self._seconds:
                self._began = now
                self._taken = 0
            if self._taken >= self._limit:
                return False
            self._taken += 1
            return True


class RateLimitedSampler:
    """A sampler of OpenTelemetry that records at most so many spans in an interval and drops the rest.

    With `parent_based` a span follows its parent, so that traces stay whole, and the limit is one of traces.
    """

    def __init__(self, limit: RateLimit, *, parent_based: bool = True) -> None:
        self._limit = limit
        self._parent_based = parent_based

    def should_sample(
        self,
        parent_context: "Context | None",
        trace_id: int,
        name: str,
        kind: "SpanKind | None" = None,
        attributes: "Attributes" = None,
        links: "Sequence[Link] | None" = None,
        trace_state: "TraceState | None" = None,
    ) -> "SamplingResult":
        """Whether the span is recorded; called by OpenTelemetry."""
        from opentelemetry.sdk.trace.sampling import Decision, SamplingResult
        from opentelemetry.trace import get_current_span

        parent = get_current_span(parent_context).get_span_context()
        if self._parent_based and parent.is_valid:
            sampled = parent.trace_flags.sampled
        else:
            sampled = self._limit.take()
        decision = Decision.RECORD_AND_SAMPLE if sampled else Decision.DROP
        return SamplingResult(decision, attributes if sampled else None, parent.trace_state)

    def get_description(self) -> str:
        """What the sampler is called in telemetry."""
        return "RateLimitedSampler"
