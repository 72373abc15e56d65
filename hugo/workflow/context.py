"""A workflow run while it is executed: its identity, its Lamport clock, and how it ended."""

from collections.abc import Mapping
from datetime import UTC, datetime
from types import MappingProxyType

from hugo.clock import SYSTEM_CLOCK, Clock
from hugo.diagnostics import instruments
from hugo.diagnostics.instruments import Instrument
from hugo.diagnostics.spans import UNTRACED, Span, start_span
from hugo.errors import Error
from hugo.workflow.identity import WorkflowIdentity
from hugo.workflow.visibility import CompletionStatus, VisibilityStatus, WorkflowVisibilityRecord

_COUNTERS: Mapping[CompletionStatus, Instrument] = {
    CompletionStatus.COMPLETED: instruments.WORKFLOW_COMPLETED,
    CompletionStatus.FAILED: instruments.WORKFLOW_FAILED,
    CompletionStatus.CANCELED: instruments.WORKFLOW_CANCELED,
    CompletionStatus.TERMINATED: instruments.WORKFLOW_TERMINATED,
}


class WorkflowExecutionContext:
    """A run that is being executed. It belongs to one thread at a time."""

    def __init__(
        self,
        namespace: str,
        workflow_id: str,
        run_id: str,
        task_queue: str,
        *,
        workflow_type: str | None = None,
        schedule_id: str | None = None,
        schedule_group: str | None = None,
        metadata: Mapping[str, str] | None = None,
        clock: Clock | None = None,
        started_at: datetime | None = None,
        logical_clock: int = 0,
        replay_count: int = 0,
    ) -> None:
        """`metadata` is copied; `started_at` is now unless given, with a time zone.

        Raises ValueError for blank names or keys and for negative numbers.
        """
        if any(not key.strip() for key in metadata or {}):
            raise ValueError("Metadata has no blank keys.")
        self.identity = WorkflowIdentity(
            namespace, workflow_id, run_id, task_queue, workflow_type, schedule_id, schedule_group
        )
        self.metadata: Mapping[str, str] = MappingProxyType(dict(metadata or {}))
        self._clock = clock or SYSTEM_CLOCK
        self.started_at = (started_at or self._clock.utcnow()).astimezone(UTC)
        self._logical_clock = _natural(logical_clock)
        self._replay_count = _natural(replay_count)
        self._span: Span = UNTRACED
        self._started = False
        self.status: CompletionStatus | None = None
        self.error: Error | None = None
        self.completed_at: datetime | None = None

    @property
    def logical_clock(self) -> int:
        """Where the Lamport clock stands."""
        return self._logical_clock

    @property
    def replay_count(self) -> int:
        """How often the run was replayed."""
        return self._replay_count

    def tick(self) -> int:
        """Moves the clock on by one, for something that happened here, and returns it."""
        self._logical_clock += 1
        return self._logical_clock

    def observe(self, remote: int) -> int:
        """Moves the clock beyond a time that was seen elsewhere, and returns it."""
        self._logical_clock = max(self._logical_clock, _natural(remote)) + 1
        return self._logical_clock

    def reset_logical_clock(self, value: int) -> None:
        """Sets the clock."""
        self._logical_clock = _natural(value)

    def increment_replay_count(self) -> int:
        """Counts a replay, and returns how many there were."""
        self._replay_count += 1
        instruments.WORKFLOW_REPLAYS.record(1, self.identity.metric_attributes())
        return self._replay_count

    def start(self) -> None:
        """Ticks, and begins to measure and to trace the run. Only the first call does anything."""
        if self._started:
            return
        self._started = True
        self.tick()
        attributes = self.identity.metric_attributes()
        instruments.WORKFLOW_STARTED.record(1, attributes)
        instruments.WORKFLOW_ACTIVE.record(1, attributes)
        instruments.WORKFLOW_LOGICAL_CLOCK.record(self._logical_clock, attributes)
        self._span = start_span("Hugo.Workflow", self._attributes(), start=self.started_at)

    def snapshot_visibility(self, attributes: Mapping[str, str | None] | None = None) -> WorkflowVisibilityRecord:
        """The run as it stands.

        Its attributes are the metadata, then the code and message of its error, then `attributes`; later ones win.
        Blank keys are left out, None is an empty text.
        """
        merged: dict[str, str | None] = dict(self.metadata)
        if self.error is not None:
            merged |= {"error.code": self.error.code, "error.message": self.error.message}
        merged |= attributes or {}
        identity = self.identity
        return WorkflowVisibilityRecord(
            namespace=identity.namespace,
            workflow_id=identity.workflow_id,
            run_id=identity.run_id,
            task_queue=identity.task_queue,
            schedule_id=identity.schedule_id,
            schedule_group=identity.schedule_group,
            status=VisibilityStatus.ACTIVE if self.status is None else VisibilityStatus[self.status.name],
            started_at=self.started_at,
            completed_at=self.completed_at,
            logical_clock=self._logical_clock,
            replay_count=self._replay_count,
            attributes={key: value or "" for key, value in merged.items() if key.strip()},
        )

    def complete(
        self,
        status: CompletionStatus,
        error: Error | None = None,
        attributes: Mapping[str, str | None] | None = None,
    ) -> WorkflowVisibilityRecord:
        """Ends the run and returns it as it will stay; raises RuntimeError if it has ended before."""
        record = self.try_complete(status, error, attributes)
        if record is None:
            raise RuntimeError(f"Run {self.identity.run_id} has ended already.")
        return record

    def try_complete(
        self,
        status: CompletionStatus,
        error: Error | None = None,
        attributes: Mapping[str, str | None] | None = None,
    ) -> WorkflowVisibilityRecord | None:
        """The same, but None, and nothing changes, if it has ended before."""
        if self.status is not None:
            return None
        self.tick()
        self.status, self.completed_at = status, self._clock.utcnow()
        self.error = None if error is None else self.attach_error(error)
        self._measure_end(status, self.completed_at)
        return self.snapshot_visibility(attributes)

    def attach_error(self, error: Error) -> Error:
        """The error with this run in its metadata."""
        return error.with_metadata(self._attributes())

    def _attributes(self) -> dict[str, str | int]:
        """The run as attributes of a span or metadata of an error."""
        return {
            **self.identity.attributes(),
            "workflow.logical_clock": self._logical_clock,
            "workflow.replay_count": self._replay_count,
            **{f"workflow.metadata.{key}": value for key, value in self.metadata.items()},
        }

    def _measure_end(self, status: CompletionStatus, ended: datetime) -> None:
        attributes = self.identity.metric_attributes()
        with_status = {**attributes, "workflow.status": status.name.lower()}
        _COUNTERS[status].record(1, with_status)
        if self._started:
            instruments.WORKFLOW_ACTIVE.record(-1, attributes)
        instruments.WORKFLOW_REPLAY_COUNT.record(self._replay_count, with_status)
        instruments.WORKFLOW_LOGICAL_CLOCK.record(self._logical_clock, with_status)
        instruments.WORKFLOW_DURATION.record((ended - self.started_at).total_seconds() * 1000, with_status)
        self._span.set_attributes({**self._attributes(), "workflow.status": status.name.lower()})
        if self.error is not None:
            failure = {"workflow.error.code": self.error.code or "", "workflow.error.message": self.error.message}
            self._span.set_attributes(failure)
        failed = None if status is CompletionStatus.COMPLETED else str(self.error or status.name.lower())
        self._span.end(error=failed, at=ended)


def _natural(number: int) -> int:
    if number < 0:
        raise ValueError("Clocks and counts are not negative.")
    return number
