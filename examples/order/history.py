"""Prints the events of a history so that a person can follow them."""

import logging
import shutil
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from temporalio.api.common.v1 import Payloads
from temporalio.api.enums.v1 import EventType, TimeoutType
from temporalio.api.history.v1 import HistoryEvent

COLUMNS = 51
"""What the columns before the details take."""


class Printer:
    """One line an event: its number, the seconds since the start, its type, and what is worth knowing about it."""

    def __init__(self) -> None:
        self._colour = sys.stdout.isatty()
        # A terminal wraps what is too long for it; a file does not.
        self._details = max(shutil.get_terminal_size().columns - COLUMNS, 20) if self._colour else sys.maxsize
        self._start: datetime | None = None

    def title(self, text: str) -> None:
        """What the lines below are about."""
        print(f"\n{self._paint('1', text)}\n", flush=True)

    def event(self, event: HistoryEvent) -> None:
        """One event."""
        time = event.event_time.ToDatetime(UTC)
        self._start = self._start or time
        seconds = (time - self._start).total_seconds()
        name = self._paint(_colour(event), f"{type_name(event):<31}")
        print(f"{event.event_id:>4} {seconds:>8.3f} s  {name} {self._cut(about(event))}".rstrip(), flush=True)

    def remark(self, kind: str, text: str) -> None:
        """Something that happens outside the history: what an activity does, a query, the result."""
        print(f"{'':17} {self._paint('36', f'{kind:<9}{text}')}", flush=True)

    def _cut(self, text: str) -> str:
        return text if len(text) <= self._details else text[: self._details - 3] + "..."

    def _paint(self, code: str, text: str) -> str:
        return f"\033[{code}m{text}\033[0m" if self._colour and code else text


def type_name(event: HistoryEvent) -> str:
    """The type as the documentation spells it, such as ActivityTaskScheduled."""
    words = EventType.Name(event.event_type).removeprefix("EVENT_TYPE_").split("_")
    return "".join(word.capitalize() for word in words)


def about(event: HistoryEvent) -> str:
    """The details of an event, in a few words."""
    kind = event.WhichOneof("attributes") or ""
    describe = _DETAILS.get(kind)
    return describe(getattr(event, kind)) if describe else ""


def _values(payloads: Payloads) -> str:
    return ", ".join(payload.data.decode("utf-8", "replace") for payload in payloads.payloads)


def _started_activity(attributes: Any) -> str:
    if attributes.attempt <= 1:
        return ""
    return f"attempt {attributes.attempt}, after: {attributes.last_failure.message}"


_DETAILS: dict[str, Callable[[Any], str]] = {
    "workflow_execution_started_event_attributes": lambda a: f"{a.workflow_type.name}({_values(a.input)})",
    "workflow_execution_completed_event_attributes": lambda a: _values(a.result),
    "workflow_execution_failed_event_attributes": lambda a: a.failure.message,
    "workflow_execution_signaled_event_attributes": lambda a: f"{a.signal_name}({_values(a.input)})",
    "workflow_task_failed_event_attributes": lambda a: a.failure.message,
    "activity_task_scheduled_event_attributes": lambda a: a.activity_type.name,
    "activity_task_started_event_attributes": _started_activity,
    "activity_task_completed_event_attributes": lambda a: _values(a.result),
    "activity_task_failed_event_attributes": lambda a: a.failure.message,
    "activity_task_timed_out_event_attributes": lambda a: TimeoutType.Name(a.failure.timeout_failure_info.timeout_type),
    "timer_started_event_attributes": lambda a: f"{a.start_to_fire_timeout.ToMilliseconds() / 1000:g} s",
    "timer_fired_event_attributes": lambda a: f"timer of event {a.started_event_id}",
}


def _colour(event: HistoryEvent) -> str:
    name = EventType.Name(event.event_type)
    if name.startswith("EVENT_TYPE_WORKFLOW_TASK"):
        return "2"
    if name.endswith(("FAILED", "TIMED_OUT", "TERMINATED", "CANCELED")):
        return "31"
    return "32" if "WORKFLOW_EXECUTION" in name else ""


class ActivityLog(logging.Handler):
    """Shows what activities log, and why an attempt failed, as remarks."""

    def __init__(self, printer: Printer) -> None:
        super().__init__()
        self._printer = printer

    def emit(self, record: logging.LogRecord) -> None:
        """Prints one record of an activity; others are left out."""
        name = getattr(record, "temporal_activity", {}).get("activity_type")
        if name is not None:
            failure = record.exc_info[1] if record.exc_info else None
            self._printer.remark("activity", f"{name}: {f'failed, {failure}' if failure else record.getMessage()}")
