"""What a select tells the diagnostics."""

from types import TracebackType

from hugo.cancellation import CancelToken
from hugo.clock import Clock
from hugo.diagnostics import instruments, start_span
from hugo.errors import ErrorCode
from hugo.result import Result


class Observed:
    """One select under observation: its span, its outcome, how long it took."""

    __slots__ = ("_clock", "_name", "_span", "_started")

    def __init__(self, case_count: int, timeout: float | None, clock: Clock) -> None:
        self._clock = clock
        self._started = clock.monotonic()
        self._name = "canceled"
        self._span = start_span(
            "Go.Select",
            {
                "hugo.select.case_count": case_count,
                "hugo.select.has_timeout": timeout is not None,
                **({} if timeout is None else {"hugo.select.timeout_ms": timeout * 1000}),
            },
        )
        self._span.add_event("select.attempt")
        instruments.CHANNEL_SELECT_ATTEMPTS.record()

    def outcome(self, result: Result[object], token: CancelToken | None) -> None:
        """Names the outcome, from the result that select is about to return."""
        error = result.error
        if error is None:
            self._name = "completed"
            return
        self._span.set_attributes({"hugo.error.code": error.code or "", "hugo.error.message": error.message})
        match error.code:
            case ErrorCode.TIMEOUT:
                self._name = "timeout"
            case ErrorCode.CANCELED:
                self._name = "canceled"
                self._span.set_attributes({"hugo.select.canceled.byCaller": token is not None and token.cancelled})
            case _:
                self._name = "error"

    def __enter__(self) -> "Observed":
        return self

    def __exit__(self, kind: type[BaseException] | None, raised: BaseException | None, _: TracebackType | None) -> None:
        milliseconds = (self._clock.monotonic() - self._started) * 1000
        if self._name == "timeout":
            instruments.CHANNEL_SELECT_TIMEOUTS.record()
        elif self._name == "canceled":
            instruments.CHANNEL_SELECT_CANCELLATIONS.record()
        else:
            instruments.CHANNEL_SELECT_COMPLETIONS.record()
        instruments.CHANNEL_SELECT_LATENCY.record(milliseconds)
        self._span.set_attributes({"hugo.select.outcome": self._name, "hugo.select.duration_ms": milliseconds})
        self._span.end(error=None if self._name == "completed" else self._name)
