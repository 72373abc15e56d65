"""Buckets of tokens, and the rates of a queue and its keys."""

import math

import pytest

from orchestrator.core.wire import SECOND
from orchestrator.services.rate_limits import FORGET_FROM, NEVER, Bucket, RateLimits

NOW = 1_700_000_000 * SECOND


def taken(bucket: Bucket, until: int, step: int = SECOND // 100) -> int:
    """How many tokens somebody gets who always asks."""
    count = 0
    for now in range(NOW, until, step):
        while bucket.ready_at() <= now:
            bucket.take(now)
            count += 1
    return count


@pytest.mark.parametrize(("rate", "seconds", "least", "most"), [(5, 10, 54, 56), (0.5, 10, 5, 6), (100, 3, 399, 401)])
def test_a_bucket_keeps_its_rate_behind_the_first_second(rate: float, seconds: int, least: int, most: int) -> None:
    assert least <= taken(Bucket(rate), NOW + seconds * SECOND) <= most + 1


def test_a_bucket_of_rate_zero_has_no_tokens() -> None:
    assert Bucket(0).ready_at() == NEVER


@pytest.mark.parametrize("rate", [1e300, math.inf])
def test_a_bucket_of_endless_rate_always_has_a_token(rate: float) -> None:
    bucket = Bucket(rate)
    for _ in range(1000):
        assert bucket.ready_at() <= NOW
        bucket.take(NOW)


def test_a_rate_that_comes_to_nothing_gives_one_token() -> None:
    bucket = Bucket(5e-324)
    assert bucket.ready_at() <= NOW
    bucket.take(NOW)
    assert bucket.ready_at() > NOW + 100 * 365 * 86_400 * SECOND


def test_what_is_no_rate_gives_no_token() -> None:
    assert Bucket(math.nan).ready_at() == NEVER


def test_a_silent_bucket_holds_a_second_of_tokens() -> None:
    bucket = Bucket(3)
    taken(bucket, NOW + SECOND)
    later = NOW + 100 * SECOND
    for _ in range(3):
        assert bucket.ready_at() <= later
        bucket.take(later)
    assert bucket.ready_at() > later


def test_keys_have_rates_of_their_own_by_weight() -> None:
    limits = RateLimits(None, 1)
    limits.take("a", 1000, NOW)
    assert limits.ready_at() == 0
    assert limits.key_ready_at("a", 1000) == NOW + SECOND
    assert limits.key_ready_at("b", 1000) <= NOW
    limits.take("b", 4000, NOW)
    assert limits.key_ready_at("b", 4000) <= NOW


def test_another_rate_keeps_what_was_taken() -> None:
    limits = RateLimits(1, None)
    limits.take("", 1000, NOW)
    limits.change(2, None)
    assert NOW < limits.ready_at() <= NOW + SECOND
    limits.change(None, None)
    assert limits.ready_at() == 0


def test_full_buckets_of_keys_are_forgotten() -> None:
    limits = RateLimits(None, 1000)
    for number in range(3 * FORGET_FROM):
        limits.take(str(number), 1000, NOW + number * SECOND)
    assert len(limits._keys) <= FORGET_FROM + 1
