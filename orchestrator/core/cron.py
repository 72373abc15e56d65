"""Cron schedules of workflows: five fields, `@daily` and its like, `@every 90m`, each with an optional time zone.

What a schedule means is what github.com/robfig/cron v3 makes of it, since that is what clients know: a day must match
day of month and day of week when one of them is `*`, and either of them otherwise; times a clock change skips are not
run; a schedule without a match in five years never fires.
"""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from zoneinfo import ZoneInfo

from orchestrator.core.wire import SECOND

SEARCHED_YEARS = 5
_HOUR, _MINUTE = timedelta(hours=1), timedelta(minutes=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LATEST_YEAR = 9999

_MONTHS = {
    name: number
    for number, name in enumerate(
        ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"), 1
    )
}
_DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}
_NICKNAMES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}
_EVERY = "@every "
_SMALL_UNITS = {"ns": 1, "us": 10**3, "µs": 10**3, "μs": 10**3, "ms": 10**6}
_UNITS = {**_SMALL_UNITS, "s": SECOND, "m": 60 * SECOND, "h": 3600 * SECOND}
_LENGTH = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(ns|us|µs|μs|ms|s|m|h)")
_NUMBER = re.compile(r"\+?[0-9]+")


class CronError(ValueError):
    """The text is no cron schedule."""


@dataclass(frozen=True, slots=True)
class _Field:
    """The numbers a field matches, and whether it was given as `*`, which changes how days are matched."""

    numbers: frozenset[int]
    star: bool


@dataclass(frozen=True, slots=True)
class Every:
    """A fixed pace of whole seconds."""

    interval: int

    def next(self, after: int) -> int:
        """The next time after a time, both in nanoseconds since the epoch."""
        return after - after % SECOND + self.interval


@dataclass(frozen=True, slots=True)
class Calendar:
    """Minutes of the calendar of a time zone."""

    minutes: _Field
    hours: _Field
    days: _Field
    months: _Field
    weekdays: _Field
    zone: tzinfo

    def next(self, after: int) -> int:
        """The first time after a time, both in nanoseconds since the epoch; 0 when there is none in five years."""
        start = _EPOCH + timedelta(seconds=after // SECOND + 1)
        found = self._next(start.astimezone(self.zone))
        return 0 if found is None else int((found - _EPOCH).total_seconds()) * SECOND

    def _next(self, time: datetime) -> datetime | None:
        """The first match at or after a whole second; the units are walked from the largest to the smallest."""
        last_year = min(time.year + SEARCHED_YEARS, _LATEST_YEAR - 1)
        if time.second:
            time = _later(time.replace(second=0), _MINUTE)
        while time.year <= last_year:
            if time.month not in self.months.numbers:
                time = _at(time.year + time.month // 12, time.month % 12 + 1, 1, self.zone)
            elif not self._day_matches(time):
                tomorrow = time.replace(tzinfo=None) + timedelta(days=1)
                time = _at(tomorrow.year, tomorrow.month, tomorrow.day, self.zone)
            elif time.hour not in self.hours.numbers:
                time = _later(time.replace(minute=0), _HOUR)
            elif time.minute not in self.minutes.numbers:
                time = _later(time, _MINUTE)
            else:
                return time
        return None

    def _day_matches(self, time: datetime) -> bool:
        day = time.day in self.days.numbers
        weekday = time.isoweekday() % 7 in self.weekdays.numbers
        if self.days.star or self.weekdays.star:
            return day and weekday
        return day or weekday


Schedule = Every | Calendar


def backoff(schedule: Schedule, start: int, closed: int) -> int:
    """Nanoseconds from the close of a run to the next one: whole seconds, rounded up; 0 when there is no next one.

    Ticks are counted from the time the run was due, and those that passed while it ran are left out, as a Temporal
    server does.

    Args:
        schedule: of the workflow.
        start: when the run was due, nanoseconds since the epoch.
        closed: when it closed.
    """
    if isinstance(schedule, Every):
        first = schedule.next(start)
        missed = max(0, -((first - closed) // (schedule.interval))) if first < closed else 0
        tick = first + missed * schedule.interval
    else:
        tick = schedule.next(max(start, closed - 1))
    return -((closed - tick) // SECOND) * SECOND if tick else 0


def parse(text: str) -> Schedule:
    """The schedule of a text; raises CronError."""
    zone: tzinfo = UTC
    if text.startswith(("TZ=", "CRON_TZ=")):
        prefix, space, text = text.partition(" ")
        if not space:
            raise CronError("a time zone alone is no schedule")
        zone, text = _zone(prefix.partition("=")[2]), text.strip()
    if text.startswith(_EVERY):
        interval = _length(text.removeprefix(_EVERY))
        return Every(max(SECOND, interval - interval % SECOND))  # Shorter and negative ones become a second.
    if text.startswith("@"):
        if text not in _NICKNAMES:
            raise CronError(f"unknown nickname {text}")
        text = _NICKNAMES[text]
    fields = text.split()
    if len(fields) != 5:
        raise CronError(f"a schedule has 5 fields, not {len(fields)}")
    minutes, hours, days, months, weekdays = fields
    return Calendar(
        _field(minutes, 0, 59),
        _field(hours, 0, 23),
        _field(days, 1, 31),
        _field(months, 1, 12, _MONTHS),
        _field(weekdays, 0, 6, _DAYS),
        zone,
    )


def _field(text: str, lowest: int, highest: int, names: dict[str, int] | None = None) -> _Field:
    """Parts between commas; one that says `*` without a step makes the whole field a star."""
    numbers: set[int] = set()
    star = False
    for part in filter(None, text.split(",")):
        first, last, step, every = _range(part, lowest, highest, names or {})
        numbers.update(range(first, last + 1, step))
        star = star or every
    return _Field(frozenset(numbers), star)


def _range(text: str, lowest: int, highest: int, names: dict[str, int]) -> tuple[int, int, int, bool]:
    """(first, last, step, whether it is a star) of `*`, `5`, `1-5`, `*/10`, `5/10` or `1-30/10`."""
    span, *steps = text.split("/")
    first_text, *last_text = span.split("-")
    star = first_text in ("*", "?")
    if len(steps) > 1 or (len(last_text) > 1 and not star):
        raise CronError(f"too many slashes or hyphens in {text}")
    step = _number(steps[0], {}) if steps else 1
    if star:
        first, last = lowest, highest
    else:
        first = _number(first_text, names)
        last = _number(last_text[0], names) if last_text else first
        if steps and not last_text:
            last = highest
    if first < lowest or last > highest or first > last or step == 0:
        raise CronError(f"{text} is not within {lowest} to {highest}, backwards, or without a step")
    return first, last, step, star and step == 1


def _number(text: str, names: dict[str, int]) -> int:
    found = names.get(text.lower())
    if found is not None:
        return found
    if not _NUMBER.fullmatch(text) or len(text) > 18:
        raise CronError(f"{text} is no number")
    return int(text)


def _length(text: str) -> int:
    """Nanoseconds of a length as Go writes it: `1h30m`, `1.5h`, `-10s`."""
    sign = -1 if text.startswith("-") else 1
    rest = text[1:] if text[:1] in ("-", "+") else text
    if rest == "0":
        return 0
    total, position = 0, 0
    while position < len(rest):
        found = _LENGTH.match(rest, position)
        if found is None:
            raise CronError(f"{text} is no length of time")
        whole, _, fraction = found[1].partition(".")
        unit = _UNITS[found[2]]
        total += int(whole or "0") * unit + (int(fraction) * unit // 10 ** len(fraction) if fraction else 0)
        position = found.end()
    if not rest or total >= 1 << 63:
        raise CronError(f"{text} is no length of time")
    return sign * total


def _zone(name: str) -> tzinfo:
    if name in ("", "UTC", "Local"):
        return UTC
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):  # An unknown zone is a KeyError.
        raise CronError(f"unknown time zone {name}") from None


def _later(time: datetime, length: timedelta) -> datetime:
    """The time on the clock when a length has passed, also over a change of the clock."""
    return (time.astimezone(UTC) + length).astimezone(time.tzinfo)


def _at(year: int, month: int, day: int, zone: tzinfo) -> datetime:
    """The beginning of a day; where a clock change skips midnight, its first hour."""
    return datetime(year, month, day, tzinfo=zone).astimezone(UTC).astimezone(zone)
