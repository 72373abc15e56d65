"""Every instrument of the library: its name, kind and unit.

The names are a public contract. Units are UCUM annotations, so that exporters do not put them into the name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum
from types import MappingProxyType

from hugo.diagnostics import binding

NO_ATTRIBUTES: Mapping[str, str] = MappingProxyType({})


class Kind(Enum):
    """What the recorded amounts mean."""

    COUNTER = "counter"
    UP_DOWN_COUNTER = "updowncounter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Instrument:
    """Something the library measures.

    Nothing is recorded until `hugo.diagnostics.configure` names a recorder.
    """

    name: str
    kind: Kind
    unit: str

    def record(self, amount: float = 1, attributes: Mapping[str, str] = NO_ATTRIBUTES) -> None:
        """Adds `amount` to a counter, or to the distribution of a histogram, in the instrument's unit."""
        if (recorder := binding.active.recorder) is not None:
            recorder.record(self, amount, attributes)


def _counter(name: str, unit: str) -> Instrument:
    return Instrument(name, Kind.COUNTER, f"{{{unit}}}")


def _up_down(name: str, unit: str) -> Instrument:
    return Instrument(name, Kind.UP_DOWN_COUNTER, f"{{{unit}}}")


def _histogram(name: str, unit: str) -> Instrument:
    return Instrument(name, Kind.HISTOGRAM, unit if unit == "ms" else f"{{{unit}}}")


WAITGROUP_ADDITIONS = _counter("waitgroup.additions", "operation")
WAITGROUP_COMPLETIONS = _counter("waitgroup.completions", "operation")
WAITGROUP_OUTSTANDING = _up_down("waitgroup.outstanding", "task")

RESULT_SUCCESSES = _counter("result.successes", "event")
RESULT_FAILURES = _counter("result.failures", "event")

CHANNEL_SELECT_ATTEMPTS = _counter("channel.select.attempts", "operation")
CHANNEL_SELECT_COMPLETIONS = _counter("channel.select.completions", "operation")
CHANNEL_SELECT_TIMEOUTS = _counter("channel.select.timeouts", "operation")
CHANNEL_SELECT_CANCELLATIONS = _counter("channel.select.cancellations", "operation")
CHANNEL_SELECT_LATENCY = _histogram("channel.select.latency", "ms")
CHANNEL_DEPTH = _histogram("channel.depth", "item")

TASKQUEUE_ENQUEUED = _counter("taskqueue.enqueued", "item")
TASKQUEUE_LEASED = _counter("taskqueue.leased", "lease")
TASKQUEUE_COMPLETED = _counter("taskqueue.completed", "lease")
TASKQUEUE_HEARTBEATS = _counter("taskqueue.heartbeats", "lease")
TASKQUEUE_FAILED = _counter("taskqueue.failed", "lease")
TASKQUEUE_EXPIRED = _counter("taskqueue.expired", "lease")
TASKQUEUE_REQUEUED = _counter("taskqueue.requeued", "item")
TASKQUEUE_DEADLETTERED = _counter("taskqueue.deadlettered", "item")
TASKQUEUE_PENDING = _up_down("taskqueue.pending", "item")
TASKQUEUE_ACTIVE = _up_down("taskqueue.active", "lease")
TASKQUEUE_PENDING_DEPTH = _histogram("taskqueue.pending.depth", "item")
TASKQUEUE_ACTIVE_DEPTH = _histogram("taskqueue.active.depth", "lease")
TASKQUEUE_LEASE_DURATION = _histogram("taskqueue.lease.duration", "ms")
TASKQUEUE_HEARTBEAT_EXTENSION = _histogram("taskqueue.heartbeat.extension", "ms")

BACKPRESSURE_ACTIVE = _up_down("hugo.taskqueue.backpressure.active", "queue")
BACKPRESSURE_PENDING = _histogram("hugo.taskqueue.backpressure.pending", "item")
BACKPRESSURE_TRANSITIONS = _counter("hugo.taskqueue.backpressure.transitions", "event")
BACKPRESSURE_DURATION = _histogram("hugo.taskqueue.backpressure.duration", "ms")

REPLICATION_EVENTS = _counter("taskqueue.replication.events", "event")
REPLICATION_SEQUENCE_LAG = _histogram("taskqueue.replication.sequence_lag", "event")
REPLICATION_WALL_CLOCK_LAG = _histogram("taskqueue.replication.wall_clock_lag", "ms")

WORKFLOW_STARTED = _counter("workflow.started", "workflow")
WORKFLOW_COMPLETED = _counter("workflow.completed", "workflow")
WORKFLOW_FAILED = _counter("workflow.failed", "workflow")
WORKFLOW_CANCELED = _counter("workflow.canceled", "workflow")
WORKFLOW_TERMINATED = _counter("workflow.terminated", "workflow")
WORKFLOW_ACTIVE = _up_down("workflow.active", "workflow")
WORKFLOW_REPLAY_COUNT = _histogram("workflow.replay.count", "replay")
WORKFLOW_LOGICAL_CLOCK = _histogram("workflow.logical.clock", "tick")
WORKFLOW_DURATION = _histogram("workflow.duration", "ms")

# Not in Hugo: how long work waited for a worker, how long a worker waited for work, and replays as they happen.
TASKQUEUE_SCHEDULE_TO_START_LATENCY = _histogram("taskqueue.schedule_to_start.latency", "ms")
TASKQUEUE_POLL_LATENCY = _histogram("taskqueue.poll.latency", "ms")
WORKFLOW_REPLAYS = _counter("workflow.replays", "replay")

INSTRUMENTS: Mapping[str, Instrument] = MappingProxyType(
    {value.name: value for value in tuple(globals().values()) if isinstance(value, Instrument)}
)
