"""When a policy tries again."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hugo.errors import Error, ErrorCode
from hugo.policies import NO_RETRY, RetryAfter, RetryAt, RetryPolicy, RetryState, Stop

NOW = datetime(2024, 3, 1, 12, 0, tzinfo=UTC)
ERROR = Error("no")


def delays(policy: RetryPolicy, attempts: int) -> list[float | None]:
    decisions = [policy.next(RetryState(attempt, NOW), ERROR) for attempt in range(1, attempts + 1)]
    return [decision.seconds if isinstance(decision, RetryAfter) else None for decision in decisions]


def test_attempts_are_counted_in_total() -> None:
    assert delays(RetryPolicy.fixed(3, 2.5), 4) == [2.5, 2.5, None, None]
    assert delays(NO_RETRY, 1) == [None]


def test_an_exponential_delay_grows_up_to_its_bound() -> None:
    assert delays(RetryPolicy.exponential(6, 1.0, max_delay=5.0), 6) == [1, 2, 4, 5, 5, None]
    assert delays(RetryPolicy(None, 1.0, 3.0), 4) == [1, 3, 9, 27]


def test_a_delay_too_large_for_a_number_is_the_bound() -> None:
    policy = RetryPolicy(None, 1.0, 2.0, max_delay=60.0)
    assert policy.next(RetryState(10_000, NOW), ERROR) == RetryAfter(60.0)


def test_cancellation_and_named_codes_are_not_tried_again() -> None:
    policy = RetryPolicy(None, non_retryable=frozenset({"mine"}), retry_exceptions=False)
    for final in (Error.canceled(), Error("no", "mine"), Error.from_exception(KeyError())):
        assert policy.next(RetryState(1, NOW), final) == Stop()
    assert policy.next(RetryState(1, NOW), ERROR) == RetryAfter(0.0)


def test_cron_names_the_next_moment_without_limit() -> None:
    policy = RetryPolicy.by_cron("30 2 * * *", "Europe/Berlin")
    assert policy.next(RetryState(1000, NOW), ERROR) == RetryAt(datetime(2024, 3, 2, 1, 30, tzinfo=UTC))


@given(some.floats(0, 1), some.floats(0, 1, exclude_max=True), some.floats(0.001, 1000))
def test_jitter_only_shortens_by_at_most_its_share(jitter: float, chance: float, initial: float) -> None:
    decision = RetryPolicy(None, initial, jitter=jitter).next(RetryState(1, NOW, (), chance), ERROR)
    assert isinstance(decision, RetryAfter)
    assert initial * (1 - jitter) <= decision.seconds <= initial


@pytest.mark.parametrize(
    "make",
    [
        lambda: RetryPolicy.fixed(0, 1),
        lambda: RetryPolicy.fixed(1, -1),
        lambda: RetryPolicy.exponential(1, -1),
        lambda: RetryPolicy.exponential(1, 1, 1.0),
        lambda: RetryPolicy(max_delay=-1.0),
        lambda: RetryPolicy(multiplier=0.5),
        lambda: RetryPolicy(jitter=1.5),
        lambda: RetryPolicy.by_cron("61 * * * *"),
    ],
)
def test_numbers_out_of_range_are_refused(make: object) -> None:
    with pytest.raises(ValueError):
        make()  # type: ignore[operator]


def test_codes_are_compared_as_text() -> None:
    policy = RetryPolicy(None, non_retryable=frozenset({ErrorCode.VALIDATION}))
    assert policy.next(RetryState(1, NOW), Error("bad", ErrorCode.VALIDATION)) == Stop()
