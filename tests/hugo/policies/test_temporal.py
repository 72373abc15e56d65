"""Retry policies mean the same to Temporal."""

from datetime import UTC, datetime

import pytest
from google.protobuf.json_format import MessageToDict, ParseDict
from hypothesis import given
from hypothesis import strategies as some
from temporalio.api.common.v1 import RetryPolicy as Proto

from hugo.errors import Error, ErrorCode
from hugo.policies import RetryAfter, RetryPolicy, RetryState, Stop
from hugo.policies.temporal import from_temporal, to_temporal

NOW = datetime(2024, 1, 1, tzinfo=UTC)
MILLISECONDS = some.integers(1, 10**9).map(lambda number: number / 1000)


def through_temporal(policy: RetryPolicy) -> RetryPolicy:
    return from_temporal(MessageToDict(ParseDict(to_temporal(policy), Proto())))


@given(
    some.builds(
        RetryPolicy,
        max_attempts=some.none() | some.integers(1, 1000),
        initial_delay=MILLISECONDS,
        multiplier=some.floats(1, 10),
        max_delay=MILLISECONDS,
        non_retryable=some.frozensets(some.text()),
    )
)
def test_a_policy_comes_back_as_it_was(policy: RetryPolicy) -> None:
    assert through_temporal(policy) == policy


def test_the_fields_are_those_of_temporal() -> None:
    policy = RetryPolicy(5, 1.5, 2.0, 60.0, non_retryable=frozenset({"b", "a"}))
    message = ParseDict(to_temporal(policy), Proto())
    assert message.initial_interval.ToMilliseconds() == 1500
    assert message.maximum_interval.ToMilliseconds() == 60_000
    assert (message.backoff_coefficient, message.maximum_attempts) == (2.0, 5)
    assert list(message.non_retryable_error_types) == ["a", "b"]


def test_what_is_absent_is_what_temporal_takes() -> None:
    assert from_temporal(MessageToDict(Proto())) == RetryPolicy(None, 1.0, 2.0, 100.0)


def test_delays_without_bound_stay_so_long_that_nobody_sees_the_difference() -> None:
    policy = through_temporal(RetryPolicy(None, 1.0, 2.0))
    assert policy.next(RetryState(30, NOW), Error("no")) == RetryAfter(2.0**29)
    assert through_temporal(RetryPolicy.fixed(3, 2.5)).next(RetryState(2, NOW), Error("no")) == RetryAfter(2.5)


def test_exceptions_that_are_final_are_a_type_that_is() -> None:
    policy = through_temporal(RetryPolicy(None, 1.0, retry_exceptions=False))
    assert policy.next(RetryState(1, NOW), Error("no", ErrorCode.EXCEPTION)) == Stop()


@pytest.mark.parametrize(
    "policy", [RetryPolicy.fixed(2, 0), RetryPolicy(2, 1.0, jitter=0.5), RetryPolicy.by_cron("* * * * *")]
)
def test_what_temporal_cannot_say_is_refused(policy: RetryPolicy) -> None:
    with pytest.raises(ValueError):
        to_temporal(policy)


def test_nonsense_is_refused() -> None:
    for nonsense in ({"initialInterval": "1"}, {"backoffCoefficient": 0.5}):
        with pytest.raises(ValueError):
            from_temporal(nonsense)
