"""Which measurements of task queues are kept, and what is known of a queue besides its name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import Flag, auto

from hugo.diagnostics.binding import Recorder
from hugo.diagnostics.instruments import Instrument

QUEUE_NAME = "taskqueue.name"


class MetricGroup(Flag):
    """The instruments of task queues, as they can be switched off."""

    QUEUE_DEPTH = auto()
    """How many items are pending, how many leased."""
    THROUGHPUT = auto()
    """What happens to items, and how long it takes."""
    BACKPRESSURE = auto()
    REPLICATION = auto()
    ALL = QUEUE_DEPTH | THROUGHPUT | BACKPRESSURE | REPLICATION


_DEPTHS = ("taskqueue.pending", "taskqueue.active")


def group_of(instrument: Instrument) -> MetricGroup | None:
    """The group of an instrument; None if it is not about task queues."""
    if instrument.name.startswith("hugo.taskqueue.backpressure."):
        return MetricGroup.BACKPRESSURE
    if instrument.name.startswith("taskqueue.replication."):
        return MetricGroup.REPLICATION
    if instrument.name.startswith(_DEPTHS):
        return MetricGroup.QUEUE_DEPTH
    return MetricGroup.THROUGHPUT if instrument.name.startswith("taskqueue.") else None


@dataclass(frozen=True, kw_only=True)
class TaskQueueMetrics:
    """What becomes of the measurements of task queues.

    `groups`        the instruments that are recorded
    `service_name`  is added as `service.name`
    `shard`         is added as `taskqueue.shard`: the same for all queues, or a function of a queue's name
    `tags`          are added as they are
    `enrichers`     functions of a queue's name whose results are added; later ones win
    """

    groups: MetricGroup = MetricGroup.ALL
    service_name: str | None = None
    shard: str | Callable[[str], str | None] | None = None
    tags: Mapping[str, str] = field(default_factory=dict)
    enrichers: tuple[Callable[[str], Mapping[str, str]], ...] = ()

    def over(self, recorder: Recorder) -> Recorder:
        """A recorder that passes on to `recorder` what these say; measurements of anything else unchanged."""
        return _Sifted(self, recorder)

    def enriched(self, attributes: Mapping[str, str]) -> dict[str, str]:
        """The attributes of a measurement with all that is added."""
        queue = attributes.get(QUEUE_NAME, "")
        shard = self.shard(queue) if callable(self.shard) else self.shard
        known = {"service.name": self.service_name, "taskqueue.shard": shard}
        added = {key: value for key, value in known.items() if value is not None}
        for enrich in self.enrichers:
            added |= enrich(queue)
        return {**self.tags, **added, **attributes}


class _Sifted:
    """Passes measurements on as `TaskQueueMetrics` says."""

    def __init__(self, metrics: TaskQueueMetrics, recorder: Recorder) -> None:
        self._metrics = metrics
        self._recorder = recorder

    def record(self, instrument: Instrument, amount: float, attributes: Mapping[str, str]) -> None:
        group = group_of(instrument)
        if group is None:
            self._recorder.record(instrument, amount, attributes)
        elif group in self._metrics.groups:
            self._recorder.record(instrument, amount, self._metrics.enriched(attributes))
