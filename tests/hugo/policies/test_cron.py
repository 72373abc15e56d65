"""Cron expressions mean what cron means by them."""

from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as some

from hugo.policies import Cron


def following(expression: str, moment: datetime, zone: str = "UTC") -> datetime | None:
    return Cron.parse(expression).next_after(moment.replace(tzinfo=UTC), zone)


def utc(*parts: int) -> datetime:
    return datetime(*parts, tzinfo=UTC)  # type: ignore[arg-type,misc]


@pytest.mark.parametrize(
    ("expression", "moment", "expected"),
    [
        ("30 2 * * *", datetime(2024, 1, 1, 2, 30), utc(2024, 1, 2, 2, 30)),
        ("30 2 * * *", datetime(2024, 1, 1, 2, 29, 59), utc(2024, 1, 1, 2, 30)),
        ("*/15 * * * *", datetime(2024, 1, 1, 0, 50), utc(2024, 1, 1, 1, 0)),
        ("5/20 * * * *", datetime(2024, 1, 1, 0, 6), utc(2024, 1, 1, 0, 25)),
        ("0 9-17/4 * * mon-fri", datetime(2024, 1, 5, 17, 0), utc(2024, 1, 8, 9, 0)),
        ("0 0 * * 7", datetime(2024, 1, 1), utc(2024, 1, 7)),
        ("0 0 1,15 * *", datetime(2024, 1, 1), utc(2024, 1, 15)),
        ("0 0 13 * fri", datetime(2024, 1, 1), utc(2024, 1, 5)),
        ("0 0 29 feb *", datetime(2024, 3, 1), utc(2028, 2, 29)),
        ("59 23 31 12 *", datetime(2024, 12, 31, 23, 59), utc(2025, 12, 31, 23, 59)),
    ],
)
def test_the_next_time(expression: str, moment: datetime, expected: datetime) -> None:
    assert following(expression, moment) == expected


def test_a_time_the_clocks_skip_does_not_occur() -> None:
    assert following("30 2 * * *", datetime(2024, 3, 30, 12), "Europe/Berlin") == utc(2024, 4, 1, 0, 30)


def test_of_a_time_the_clocks_show_twice_the_first_counts() -> None:
    assert following("30 2 * * *", datetime(2024, 10, 26, 12), "Europe/Berlin") == utc(2024, 10, 27, 0, 30)
    assert following("30 2 * * *", datetime(2024, 10, 27, 0, 30), "Europe/Berlin") == utc(2024, 10, 28, 1, 30)


def test_a_date_that_never_comes() -> None:
    assert following("0 0 30 2 *", datetime(2024, 1, 1)) is None


@pytest.mark.parametrize(
    "expression", ["", "* * * *", "60 * * * *", "* * 0 * *", "5-3 * * * *", "*/0 * * * *", "x * * * *", "* * * * 8"]
)
def test_nonsense_is_refused(expression: str) -> None:
    with pytest.raises(ValueError):
        Cron.parse(expression)


@given(some.datetimes(datetime(1990, 1, 1), datetime(2090, 1, 1)), some.integers(1, 30))
def test_every_nth_minute_is_near(moment: datetime, step: int) -> None:
    moment = moment.replace(tzinfo=UTC)
    found = Cron.parse(f"*/{step} * * * *").next_after(moment)
    assert found is not None
    assert found.minute % step == 0
    assert 0 < (found - moment).total_seconds() <= step * 60
