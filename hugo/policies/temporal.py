"""Retry policies as Temporal writes them: the JSON form of `temporal.api.common.v1.RetryPolicy`."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from hugo.errors import ErrorCode
from hugo.policies.retry_policy import RetryPolicy

# What Temporal takes for a field that is absent or zero.
INITIAL_INTERVAL = 1.0
BACKOFF_COEFFICIENT = 2.0
MAXIMUM_INTERVAL_FACTOR = 100


def to_temporal(policy: RetryPolicy) -> dict[str, Any]:
    """The policy in Temporal's words; raises ValueError for what it has none for: no delay, jitter and cron."""
    if policy.initial_delay <= 0 or policy.jitter or policy.cron is not None:
        raise ValueError("Temporal's retry policies have a delay, and neither jitter nor cron.")
    maximum = policy.max_delay
    if maximum is None:
        # Zero would mean a hundred times the first interval; this is the longest duration there is.
        maximum = policy.initial_delay if policy.multiplier == 1 else 315_576_000_000
    final = policy.non_retryable | (set() if policy.retry_exceptions else {ErrorCode.EXCEPTION.value})
    return {
        "initialInterval": _duration(policy.initial_delay),
        "backoffCoefficient": policy.multiplier,
        "maximumInterval": _duration(maximum),
        "maximumAttempts": policy.max_attempts or 0,
        "nonRetryableErrorTypes": sorted(final),
    }


def from_temporal(data: Mapping[str, Any]) -> RetryPolicy:
    """The policy that is written so; what is absent is what Temporal takes then. Raises ValueError for nonsense."""
    initial = _seconds(data.get("initialInterval", "0s")) or INITIAL_INTERVAL
    return RetryPolicy(
        int(data.get("maximumAttempts", 0)) or None,
        initial,
        float(data.get("backoffCoefficient", 0.0)) or BACKOFF_COEFFICIENT,
        _seconds(data.get("maximumInterval", "0s")) or initial * MAXIMUM_INTERVAL_FACTOR,
        non_retryable=frozenset(data.get("nonRetryableErrorTypes", ())),
    )


def _duration(seconds: float) -> str:
    return f"{Decimal(str(seconds)).quantize(Decimal('1.000000000')):f}s"


def _seconds(text: str) -> float:
    if not text.endswith("s"):
        raise ValueError(f"{text!r} is no duration.")
    return float(text[:-1])
