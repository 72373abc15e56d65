"""Retry policies: defaults, checks, the next interval, and which failures are worth another try."""

from temporalio.api.common.v1 import RetryPolicy as RetryPolicyMessage
from temporalio.api.enums.v1 import RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure

from orchestrator.core.state import RetryPolicy
from orchestrator.core.wire import LONGEST, SECOND, duration, length_ns
from orchestrator.errors import InvalidArgument

DEFAULT_INITIAL_INTERVAL = SECOND
DEFAULT_COEFFICIENT = 2.0
MAXIMUM_INTERVAL_FACTOR = 100
TIMEOUT_PREFIX = "TemporalTimeout:"
_TIMEOUT_NAMES = {"StartToClose": 1, "ScheduleToStart": 2, "ScheduleToClose": 3, "Heartbeat": 4}
DEFAULT = RetryPolicy(DEFAULT_INITIAL_INTERVAL, DEFAULT_COEFFICIENT, MAXIMUM_INTERVAL_FACTOR * SECOND, 0)


def validate(policy: RetryPolicyMessage) -> None:
    """Raises InvalidArgument for a policy that makes no sense; one with a single attempt is not looked at."""
    if policy.maximum_attempts == 1:
        return
    initial, maximum = length_ns(policy.initial_interval), length_ns(policy.maximum_interval)
    if initial < 0:
        raise InvalidArgument("invalid InitialInterval set on retry policy: negative duration")
    if policy.backoff_coefficient and not policy.backoff_coefficient >= 1:  # NaN is no number to wait by.
        raise InvalidArgument("BackoffCoefficient cannot be less than 1 on retry policy.")
    if maximum < 0:
        raise InvalidArgument("invalid MaximumInterval set on retry policy: negative duration")
    if maximum and maximum < (initial or DEFAULT_INITIAL_INTERVAL):
        raise InvalidArgument("MaximumInterval cannot be less than InitialInterval on retry policy.")
    if policy.maximum_attempts < 0:
        raise InvalidArgument("MaximumAttempts cannot be negative on retry policy.")
    for name in policy.non_retryable_error_types:
        if name.startswith(TIMEOUT_PREFIX) and name.removeprefix(TIMEOUT_PREFIX) not in _TIMEOUT_NAMES:
            raise InvalidArgument(f"Invalid timeout type value: {name.removeprefix(TIMEOUT_PREFIX)}.")


def with_defaults(policy: RetryPolicyMessage | None) -> RetryPolicy:
    """The policy with every unset field filled in."""
    if policy is None:
        return DEFAULT
    initial = length_ns(policy.initial_interval) or DEFAULT_INITIAL_INTERVAL
    return RetryPolicy(
        initial,
        policy.backoff_coefficient or DEFAULT_COEFFICIENT,
        length_ns(policy.maximum_interval) or min(LONGEST, MAXIMUM_INTERVAL_FACTOR * initial),
        policy.maximum_attempts,
        tuple(policy.non_retryable_error_types),
    )


def message(policy: RetryPolicy) -> RetryPolicyMessage:
    """The policy as events and polls show it."""
    return RetryPolicyMessage(
        initial_interval=duration(policy.initial_interval),
        backoff_coefficient=policy.backoff_coefficient,
        maximum_interval=duration(policy.maximum_interval),
        maximum_attempts=policy.maximum_attempts,
        non_retryable_error_types=policy.non_retryable_types,
    )


def interval(policy: RetryPolicy, attempt: int) -> int:
    """Nanoseconds to wait after the failure of an attempt: initial x coefficient^(attempt - 1), capped."""
    try:
        wanted = policy.initial_interval * policy.backoff_coefficient ** max(0, attempt - 1)
    except OverflowError:
        return policy.maximum_interval
    return int(min(wanted, policy.maximum_interval))


def retryable(failure: Failure, policy: RetryPolicy) -> bool:
    """Whether a failure may be tried again under a policy."""
    match failure.WhichOneof("failure_info"):
        case "terminated_failure_info" | "canceled_failure_info":
            return False
        case "timeout_failure_info":
            kind = failure.timeout_failure_info.timeout_type
            if kind == TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE:
                return f"{TIMEOUT_PREFIX}StartToClose" not in policy.non_retryable_types
            if kind == TimeoutType.TIMEOUT_TYPE_HEARTBEAT:
                return f"{TIMEOUT_PREFIX}Heartbeat" not in policy.non_retryable_types
            return False
        case "server_failure_info":
            return not failure.server_failure_info.non_retryable
        case "application_failure_info":
            info = failure.application_failure_info
            return not info.non_retryable and info.type not in policy.non_retryable_types
    return True


def next_delay(
    policy: RetryPolicy, attempt: int, failure: Failure, now: int, expiration: int
) -> tuple[int, RetryState.ValueType]:
    """What follows the failure of an attempt.

    Args:
        policy: with defaults filled in.
        attempt: the one that failed, from 1.
        failure: what it failed with.
        now: nanoseconds since the epoch.
        expiration: no attempt may begin after this time; 0 without a limit.

    Returns:
        (nanoseconds to wait, RETRY_STATE_IN_PROGRESS), or (0, why there is no further attempt).
    """
    if not retryable(failure, policy):
        return 0, RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE
    if policy.maximum_attempts and attempt >= policy.maximum_attempts:
        return 0, RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED
    delay = interval(policy, attempt)
    if failure.HasField("application_failure_info") and failure.application_failure_info.HasField("next_retry_delay"):
        delay = max(0, length_ns(failure.application_failure_info.next_retry_delay))
    if expiration and now + delay > expiration:
        return 0, RetryState.RETRY_STATE_TIMEOUT
    return delay, RetryState.RETRY_STATE_IN_PROGRESS
