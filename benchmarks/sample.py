"""What one driver process observed, and how the samples of several are merged."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field


@dataclass
class Sample:
    """Observations of one run. All times in seconds; instants on the monotonic clock, which processes share.

    `methods` holds the client-observed duration of each successful call. A poll is in it only when it brought a task;
    its duration is then mostly waiting. Empty polls are in `events`.
    """

    wanted: int = 0
    finished: int = 0
    began: float = 0.0
    ended: float = 0.0
    latencies: list[float] = field(default_factory=list)
    methods: dict[str, list[float]] = field(default_factory=lambda: defaultdict(list))
    errors: Counter[str] = field(default_factory=Counter)
    events: Counter[str] = field(default_factory=Counter)
    cpu: float = 0.0

    @property
    def seconds(self) -> float:
        """Wall time from the first call to the last completion."""
        return max(self.ended - self.began, 1e-9)


def merge(samples: Iterable[Sample]) -> Sample:
    """One sample for driver processes that ran at the same time."""
    parts = list(samples)
    whole = Sample(began=min(s.began for s in parts), ended=max(s.ended for s in parts))
    for part in parts:
        whole.wanted += part.wanted
        whole.finished += part.finished
        whole.cpu += part.cpu
        whole.latencies += part.latencies
        whole.errors += part.errors
        whole.events += part.events
        for method, durations in part.methods.items():
            whole.methods[method] += durations
    return whole
