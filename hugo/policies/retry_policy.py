"""Whether, and when, to try again."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Self, TypeAlias

from hugo.errors import Error, ErrorCode
from hugo.policies.cron import Cron


@dataclass(frozen=True, slots=True)
class Stop:
    """Not again."""


@dataclass(frozen=True, slots=True)
class RetryAfter:
    """Again after some seconds."""

    seconds: float


@dataclass(frozen=True, slots=True)
class RetryAt:
    """Again at a moment, in UTC."""

    moment: datetime


RetryDecision: TypeAlias = Stop | RetryAfter | RetryAt


@dataclass(frozen=True, slots=True)
class RetryState:
    """Where the attempts stand: how many there were, the time now, and what each of them failed with.

    `chance` is a random number from 0 up to 1, for the jitter.
    """

    attempt: int
    now: datetime
    errors: tuple[Error, ...] = ()
    chance: float = 0.0


@dataclass(frozen=True, slots=True)
class RetryPolicy:
    """When to try again what failed. Cancellation is never tried again.

    `max_attempts`       how often in total, None being without limit
    `initial_delay`      seconds before the second attempt
    `multiplier`         by which the delay grows from one attempt to the next
    `max_delay`          seconds it does not exceed
    `jitter`             the share of the delay, 0 to 1, that is left to chance: the delay is at most that much shorter
    `cron`               instead of a delay, the next time of this expression, by the clocks of the zone `tz`
    `non_retryable`      codes that are not tried again
    `retry_exceptions`   whether what was raised is tried again as what was returned
    """

    max_attempts: int | None = 1
    initial_delay: float = 0.0
    multiplier: float = 1.0
    max_delay: float | None = None
    jitter: float = 0.0
    cron: str | None = None
    tz: str = "UTC"
    non_retryable: frozenset[str] = field(default_factory=frozenset)
    retry_exceptions: bool = True

    def __post_init__(self) -> None:
        """Raises ValueError for numbers out of range and for what is no cron expression."""
        if self.max_attempts is not None and self.max_attempts < 1:
            raise ValueError("A retry policy allows at least one attempt.")
        if self.initial_delay < 0 or (self.max_delay is not None and self.max_delay < 0):
            raise ValueError("A delay is not negative.")
        if self.multiplier < 1:
            raise ValueError("The multiplier of a delay is at least 1.")
        if not 0 <= self.jitter <= 1:
            raise ValueError("Jitter is between 0 and 1.")
        if self.cron is not None:
            Cron.parse(self.cron)

    @classmethod
    def fixed(cls, attempts: int, delay: float) -> Self:
        """`attempts` in total, `delay` seconds apart."""
        return cls(attempts, delay)

    @classmethod
    def exponential(
        cls, attempts: int, initial: float, multiplier: float = 2.0, max_delay: float | None = None
    ) -> Self:
        """`attempts` in total, first `initial` seconds apart, then each time `multiplier` times as long."""
        if multiplier <= 1:
            raise ValueError("An exponential delay grows: its multiplier is more than 1.")
        return cls(attempts, initial, multiplier, max_delay)

    @classmethod
    def by_cron(cls, expression: str, tz: str = "UTC") -> Self:
        """Without limit, at the next time of a cron expression."""
        return cls(None, cron=expression, tz=tz)

    def next(self, state: RetryState, error: Error) -> RetryDecision:
        """What to do after `state.attempt` attempts, the last of which failed with `error`."""
        if self.max_attempts is not None and state.attempt >= self.max_attempts:
            return Stop()
        if error.code == ErrorCode.CANCELED or error.code in self.non_retryable:
            return Stop()
        if error.code == ErrorCode.EXCEPTION and not self.retry_exceptions:
            return Stop()
        if self.cron is not None:
            moment = Cron.parse(self.cron).next_after(state.now, self.tz)
            return Stop() if moment is None else RetryAt(moment)
        return RetryAfter(self._delay(state.attempt) * (1 - self.jitter * state.chance))

    def _delay(self, attempt: int) -> float:
        try:
            delay = self.initial_delay * self.multiplier ** (attempt - 1)
        except OverflowError:
            delay = float("inf") if self.initial_delay else 0.0
        return delay if self.max_delay is None else min(delay, self.max_delay)


NO_RETRY = RetryPolicy()
