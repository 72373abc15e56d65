"""Retry policies: what is a valid one, how long to wait, and which failures are worth another try."""

import math
from typing import Any

import pytest
from google.protobuf.duration_pb2 import Duration
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import RetryPolicy as RetryPolicyMessage
from temporalio.api.enums.v1 import RetryState, TimeoutType
from temporalio.api.failure.v1 import (
    CanceledFailureInfo,
    ChildWorkflowExecutionFailureInfo,
    Failure,
    ServerFailureInfo,
    TerminatedFailureInfo,
)

from orchestrator.core import retry
from orchestrator.core.state import RetryPolicy
from orchestrator.core.wire import LONGEST, SECOND
from orchestrator.errors import InvalidArgument
from tests.core import builders as build

_T = TimeoutType


@pytest.mark.parametrize(
    ("fields", "text"),
    [
        ({"initial_interval": Duration(seconds=-1)}, "invalid InitialInterval set on retry policy: negative duration"),
        ({"backoff_coefficient": 0.9}, "BackoffCoefficient cannot be less than 1 on retry policy."),
        ({"backoff_coefficient": -1.0}, "BackoffCoefficient cannot be less than 1 on retry policy."),
        ({"backoff_coefficient": math.nan}, "BackoffCoefficient cannot be less than 1 on retry policy."),
        ({"maximum_interval": Duration(seconds=-1)}, "invalid MaximumInterval set on retry policy: negative duration"),
        (
            {"initial_interval": build.seconds(5), "maximum_interval": build.seconds(4)},
            "MaximumInterval cannot be less than InitialInterval on retry policy.",
        ),
        (
            {"maximum_interval": build.seconds(0.5)},
            "MaximumInterval cannot be less than InitialInterval on retry policy.",
        ),
        ({"maximum_attempts": -1}, "MaximumAttempts cannot be negative on retry policy."),
        (
            {"non_retryable_error_types": ["TemporalTimeout:Never"]},
            "Invalid timeout type value: Never.",
        ),
    ],
)
def test_a_policy_that_makes_no_sense(fields: dict[str, Any], text: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        retry.validate(RetryPolicyMessage(**fields))
    assert raised.value.message == text
    retry.validate(RetryPolicyMessage(**fields | {"maximum_attempts": 1}))


@pytest.mark.parametrize(
    "fields",
    [
        {},
        {"backoff_coefficient": 1.0},
        {"backoff_coefficient": math.inf},
        {"non_retryable_error_types": ["TemporalTimeout:Heartbeat", "Other"]},
        {"initial_interval": build.seconds(5), "maximum_interval": build.seconds(5)},
    ],
)
def test_a_policy_that_does(fields: dict[str, Any]) -> None:
    retry.validate(RetryPolicyMessage(**fields))


def test_defaults() -> None:
    assert retry.with_defaults(None) == RetryPolicy(SECOND, 2.0, 100 * SECOND, 0)
    assert retry.with_defaults(RetryPolicyMessage()) == retry.DEFAULT
    assert retry.with_defaults(build.retry_policy(3)) == RetryPolicy(3 * SECOND, 2.0, 300 * SECOND, 0)
    long = retry.with_defaults(RetryPolicyMessage(initial_interval=Duration(seconds=10**11)))
    assert long.initial_interval == long.maximum_interval == LONGEST


def test_a_policy_survives_the_wire() -> None:
    policy = RetryPolicy(1, 1.5, 7 * SECOND + 1, 4, ("A", "B"))
    assert retry.with_defaults(retry.message(policy)) == policy


@pytest.mark.parametrize(
    ("policy", "attempts", "expected"),
    [
        (RetryPolicy(SECOND, 2.0, 100 * SECOND, 0), range(1, 10), [1, 2, 4, 8, 16, 32, 64, 100, 100]),
        (RetryPolicy(2 * SECOND, 1.0, 100 * SECOND, 0), range(1, 4), [2, 2, 2]),
        (RetryPolicy(4 * SECOND, 1.5, 8 * SECOND, 0), range(1, 5), [4, 6, 8, 8]),
        (RetryPolicy(SECOND, 2.0, 100 * SECOND, 0), [10**6], [100]),
        (RetryPolicy(SECOND, math.inf, 100 * SECOND, 0), [1, 2, 3], [1, 100, 100]),
    ],
)
def test_intervals(policy: RetryPolicy, attempts: list[int], expected: list[float]) -> None:
    assert [retry.interval(policy, attempt) / SECOND for attempt in attempts] == expected


@given(st.integers(1, LONGEST), st.floats(1, allow_nan=False), st.integers(1, LONGEST), st.integers(1, 2**31))
def test_an_interval_is_never_past_the_maximum(initial: int, factor: float, maximum: int, attempt: int) -> None:
    assert 0 <= retry.interval(RetryPolicy(initial, factor, maximum, 0), attempt) <= maximum


def timeouts(*names: str) -> RetryPolicy:
    """A policy that does not retry some timeouts."""
    return RetryPolicy(SECOND, 2.0, 100 * SECOND, 0, tuple(f"TemporalTimeout:{name}" for name in names))


@pytest.mark.parametrize(
    ("failure", "policy", "expected"),
    [
        (build.application_failure(), retry.DEFAULT, True),
        (build.application_failure(type="Fatal"), RetryPolicy(1, 2.0, 1, 0, ("Fatal",)), False),
        (build.application_failure(type="Other"), RetryPolicy(1, 2.0, 1, 0, ("Fatal",)), True),
        (build.application_failure(non_retryable=True), retry.DEFAULT, False),
        (Failure(terminated_failure_info=TerminatedFailureInfo()), retry.DEFAULT, False),
        (Failure(canceled_failure_info=CanceledFailureInfo()), retry.DEFAULT, False),
        (Failure(server_failure_info=ServerFailureInfo()), retry.DEFAULT, True),
        (Failure(server_failure_info=ServerFailureInfo(non_retryable=True)), retry.DEFAULT, False),
        (build.timed_out(_T.TIMEOUT_TYPE_START_TO_CLOSE), retry.DEFAULT, True),
        (build.timed_out(_T.TIMEOUT_TYPE_HEARTBEAT), retry.DEFAULT, True),
        (build.timed_out(_T.TIMEOUT_TYPE_SCHEDULE_TO_START), retry.DEFAULT, False),
        (build.timed_out(_T.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE), retry.DEFAULT, False),
        (build.timed_out(_T.TIMEOUT_TYPE_START_TO_CLOSE), timeouts("StartToClose"), False),
        (build.timed_out(_T.TIMEOUT_TYPE_START_TO_CLOSE), timeouts("Heartbeat"), True),
        (build.timed_out(_T.TIMEOUT_TYPE_HEARTBEAT), timeouts("Heartbeat"), False),
        (Failure(child_workflow_execution_failure_info=ChildWorkflowExecutionFailureInfo()), retry.DEFAULT, True),
        (Failure(), retry.DEFAULT, True),
    ],
)
def test_which_failures_are_worth_another_try(failure: Failure, policy: RetryPolicy, expected: bool) -> None:
    assert retry.retryable(failure, policy) == expected


@pytest.mark.parametrize(
    ("attempt", "expiration", "expected"),
    [
        (1, 0, (SECOND, RetryState.RETRY_STATE_IN_PROGRESS)),
        (2, 0, (2 * SECOND, RetryState.RETRY_STATE_IN_PROGRESS)),
        (3, 0, (0, RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED)),
        (1, 11 * SECOND, (SECOND, RetryState.RETRY_STATE_IN_PROGRESS)),
        (1, 11 * SECOND - 1, (0, RetryState.RETRY_STATE_TIMEOUT)),
    ],
)
def test_what_follows_a_failure(attempt: int, expiration: int, expected: tuple[int, int]) -> None:
    policy = RetryPolicy(SECOND, 2.0, 100 * SECOND, 3)
    assert retry.next_delay(policy, attempt, build.application_failure(), 10 * SECOND, expiration) == expected
