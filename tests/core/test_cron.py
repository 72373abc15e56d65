"""Cron schedules: which texts are schedules, and when they fire."""

from datetime import UTC, datetime

import pytest

from orchestrator.core.cron import CronError, parse
from orchestrator.core.wire import SECOND


def at(text: str) -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp()) * SECOND


def shown(time: int) -> str:
    assert time % SECOND == 0
    return datetime.fromtimestamp(time // SECOND, UTC).strftime("%Y-%m-%d %H:%M:%S")


@pytest.mark.parametrize(
    ("schedule", "after", "expected"),
    [
        ("* * * * *", "2026-03-01T10:00:00", "2026-03-01 10:01:00"),
        ("* * * * *", "2026-12-31T23:59:30", "2027-01-01 00:00:00"),
        ("*/15 * * * *", "2026-03-01T10:15:00", "2026-03-01 10:30:00"),
        ("5/20 * * * *", "2026-03-01T10:26:00", "2026-03-01 10:45:00"),
        ("10-30/10,59 * * * *", "2026-03-01T10:30:00", "2026-03-01 10:59:00"),
        ("30 8 * * MON-FRI", "2026-03-06T09:00:00", "2026-03-09 08:30:00"),
        ("0 0 1 feb ?", "2026-02-01T00:00:00", "2027-02-01 00:00:00"),
        ("0 0 29 2 *", "2026-03-01T00:00:00", "2028-02-29 00:00:00"),
        # With a star, both day fields must match; without one, either.
        ("0 0 13 * 5", "2026-03-01T00:00:00", "2026-03-06 00:00:00"),
        ("0 0 */2 * 5", "2026-03-01T00:00:00", "2026-03-03 00:00:00"),
        ("0 0 * * 5", "2026-03-01T00:00:00", "2026-03-06 00:00:00"),
        ("0 0 */1 * 5", "2026-03-01T00:00:00", "2026-03-06 00:00:00"),
        ("+5 0 * * *", "2026-03-01T00:00:00", "2026-03-01 00:05:00"),
        ("@yearly", "2026-03-01T00:00:00", "2027-01-01 00:00:00"),
        ("@annually", "2026-03-01T00:00:00", "2027-01-01 00:00:00"),
        ("@monthly", "2026-12-02T00:00:00", "2027-01-01 00:00:00"),
        ("@weekly", "2026-03-02T00:00:00", "2026-03-08 00:00:00"),
        ("@daily", "2026-02-28T00:00:01", "2026-03-01 00:00:00"),
        ("@midnight", "2026-02-28T00:00:00", "2026-03-01 00:00:00"),
        ("@hourly", "2026-02-28T23:00:00", "2026-03-01 00:00:00"),
        ("@every 90m", "2026-03-01T10:00:00", "2026-03-01 11:30:00"),
        ("@every 1h0.5h1m", "2026-03-01T10:00:00", "2026-03-01 11:31:00"),
        ("@every 2.9s", "2026-03-01T10:00:00", "2026-03-01 10:00:02"),
        ("@every -1s", "2026-03-01T10:00:00", "2026-03-01 10:00:01"),
        ("@every 0", "2026-03-01T10:00:00", "2026-03-01 10:00:01"),
        ("CRON_TZ=Europe/Berlin 0 9 * * *", "2026-07-01T00:00:00", "2026-07-01 07:00:00"),
        ("TZ=Asia/Kolkata 0 9 * * *", "2026-07-01T00:00:00", "2026-07-01 03:30:00"),
        ("TZ=UTC @daily", "2026-07-01T00:00:00", "2026-07-02 00:00:00"),
        # 02:30 does not exist on 29 March 2026 in Berlin, and exists twice on 25 October.
        ("TZ=Europe/Berlin 30 2 * * *", "2026-03-28T12:00:00", "2026-03-30 00:30:00"),
        ("TZ=Europe/Berlin 30 2 * * *", "2026-10-24T12:00:00", "2026-10-25 00:30:00"),
        ("TZ=Europe/Berlin 30 2 * * *", "2026-10-25T00:30:00", "2026-10-25 01:30:00"),
        # Midnight does not exist on 4 November 2018 in Sao Paulo.
        ("TZ=America/Sao_Paulo 0 1 * * *", "2018-11-03T12:00:00", "2018-11-04 03:00:00"),
    ],
)
def test_fires_next(schedule: str, after: str, expected: str) -> None:
    assert shown(parse(schedule).next(at(after))) == expected


def test_a_fraction_of_a_second_is_cut() -> None:
    assert parse("@every 10s").next(at("2026-03-01T10:00:00") + 5) == at("2026-03-01T10:00:10")
    assert parse("* * * * *").next(at("2026-03-01T10:00:00") - 5) == at("2026-03-01T10:00:00")


@pytest.mark.parametrize("schedule", ["0 0 31 2 *", "0 0 30 feb *", ", * * * *"])
def test_never_fires(schedule: str) -> None:
    assert parse(schedule).next(at("2026-03-01T00:00:00")) == 0


def test_leap_days_around_a_century_are_too_far_apart() -> None:
    assert parse("0 0 29 2 *").next(at("2096-03-01T00:00:00")) == 0


@pytest.mark.parametrize(
    "schedule",
    [
        "",
        "not a cron",
        "* * *",
        "* * * * * *",
        "61 * * * *",
        "-1 * * * *",
        "* 24 * * *",
        "* * 0 * *",
        "* * * 13 *",
        "* * * * 7",
        "30-10 * * * *",
        "1-2-3 * * * *",
        "1/2/3 * * * *",
        "*/0 * * * *",
        "*/x * * * *",
        "1- * * * *",
        "mon * * * *",
        "1_0 * * * *",
        "٣ * * * *",
        "@fortnightly",
        "@every",
        "@every soon",
        "@every 5",
        "@every 99999999999999h",
        "TZ=UTC",
        "CRON_TZ=Nowhere/None 0 0 * * *",
        "TZ=../../etc/passwd 0 0 * * *",
        "TZ=/etc/passwd 0 0 * * *",
    ],
)
def test_is_no_schedule(schedule: str) -> None:
    with pytest.raises(CronError):
        parse(schedule)
