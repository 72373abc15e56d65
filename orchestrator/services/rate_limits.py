"""Rates at which a task queue hands out tasks: of the whole queue, and of each fairness key.

A bucket holds one second's tokens, at least one. It needs no refilling: it knows when the next token is there.
"""

from orchestrator.core.priority import WEIGHT_UNIT
from orchestrator.core.wire import SECOND

NEVER = 2**63 - 1
"""When a bucket of rate 0 has its next token."""
FORGET_FROM = 10_000
"""Buckets of keys from which full ones are forgotten."""


class Bucket:
    """Tokens that come at a rate, in tokens a second; times are nanoseconds since the epoch."""

    __slots__ = ("_interval", "_slack", "_theoretical", "rate")

    def __init__(self, rate: float) -> None:
        self._theoretical = 0
        self.change(rate)

    def change(self, rate: float) -> None:
        """Another rate from now on."""
        self.rate = rate
        # Whatever a double can hold: no token is sooner than a nanosecond after the last one, nor later than never.
        kept = min(max(rate, SECOND / NEVER), SECOND) if rate > 0 else 0
        self._interval = round(SECOND / kept) if kept else NEVER
        self._slack = (max(1, int(kept)) - 1) * self._interval

    def ready_at(self) -> int:
        """When there is a token; in the past when there is one."""
        return self._theoretical - self._slack if self.rate > 0 else NEVER

    def take(self, now: int) -> None:
        """Takes a token."""
        self._theoretical = max(self._theoretical, now) + self._interval

    def full(self, now: int) -> bool:
        """Whether it is as good as new."""
        return self._theoretical <= now


class RateLimits:
    """The rates of one queue; None for no limit.

    Attributes:
        queue: of all tasks together.
        key_rate: of the tasks of a fairness key of weight 1.
    """

    __slots__ = ("_keys", "key_rate", "queue")

    def __init__(self, queue_rate: float | None, key_rate: float | None) -> None:
        self.queue: Bucket | None = None
        self.key_rate = key_rate
        self._keys: dict[str, Bucket] = {}
        self.change(queue_rate, key_rate)

    def change(self, queue_rate: float | None, key_rate: float | None) -> None:
        """Other rates from now on; tokens that were taken stay taken."""
        if queue_rate is None:
            self.queue = None
        elif self.queue is None:
            self.queue = Bucket(queue_rate)
        elif self.queue.rate != queue_rate:
            self.queue.change(queue_rate)
        if key_rate != self.key_rate:
            self.key_rate = key_rate
            self._keys.clear()

    def ready_at(self) -> int:
        """When the queue may hand out a task, as far as the limit of the whole queue goes."""
        return self.queue.ready_at() if self.queue is not None else 0

    def key_ready_at(self, key: str, weight: int) -> int:
        """When it may hand out a task of a key, as far as the limit of the key goes."""
        return self._bucket(key, weight).ready_at() if self.key_rate is not None else 0

    def take(self, key: str, weight: int, now: int) -> None:
        """A task of a key is handed out."""
        if self.queue is not None:
            self.queue.take(now)
        if self.key_rate is not None:
            self._bucket(key, weight).take(now)
            if len(self._keys) > FORGET_FROM:
                self._keys = {name: bucket for name, bucket in self._keys.items() if not bucket.full(now)}

    def _bucket(self, key: str, weight: int) -> Bucket:
        assert self.key_rate is not None
        rate = self.key_rate * weight / WEIGHT_UNIT
        bucket = self._keys.get(key)
        if bucket is None:
            bucket = self._keys[key] = Bucket(rate)
        elif bucket.rate != rate:
            bucket.change(rate)
        return bucket
