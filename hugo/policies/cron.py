"""Cron expressions: minute, hour, day of month, month, day of week."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Self
from zoneinfo import ZoneInfo

_MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_DAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

# The longest gap is from one 29th of February to the next, across a year like 2100, on one day of the week.
_HORIZON_DAYS = 366 * 41


@dataclass(frozen=True, slots=True)
class Cron:
    """A parsed expression.

    A field is `*`, a number, a range `a-b`, any of them with a step `/n`, or a list of these with commas; months and
    days of the week have names, and Sunday is 0 or 7. If both kinds of day are restricted, either suffices.
    """

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int]
    months: frozenset[int]
    weekdays: frozenset[int]
    either_day: bool

    @classmethod
    def parse(cls, expression: str) -> Self:
        """Reads an expression; raises ValueError for what is none."""
        fields = expression.lower().split()
        if len(fields) != 5:
            raise ValueError(f"A cron expression has 5 fields, not {len(fields)}: {expression!r}.")
        minutes, hours, days, months, weekdays = fields
        return cls(
            _field(minutes, 0, 59),
            _field(hours, 0, 23),
            _field(days, 1, 31),
            _field(months, 1, 12, _MONTHS),
            frozenset(day % 7 for day in _field(weekdays, 0, 7, _DAYS)),
            not days.startswith("*") and not weekdays.startswith("*"),
        )

    def next_after(self, moment: datetime, zone: str = "UTC") -> datetime | None:
        """The first time after `moment`, in UTC, that the clocks of the zone show; None if there never is one.

        A time the clocks skip does not occur; of one they show twice, the first counts.
        """
        local = ZoneInfo(zone)
        today = moment.astimezone(local).date()
        for day in (today + timedelta(days=ahead) for ahead in range(_HORIZON_DAYS)):
            for candidate in self._times(day, local):
                if candidate > moment:
                    return candidate
        return None

    def _times(self, day: date, zone: ZoneInfo) -> Iterator[datetime]:
        if not self._includes(day):
            return
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                shown = datetime.combine(day, time(hour, minute), zone)
                moment = shown.astimezone(UTC)
                if moment.astimezone(zone).replace(tzinfo=None) == shown.replace(tzinfo=None):
                    yield moment

    def _includes(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        by_date, by_weekday = day.day in self.days, day.isoweekday() % 7 in self.weekdays
        return by_date or by_weekday if self.either_day else by_date and by_weekday


def _field(text: str, low: int, high: int, names: tuple[str, ...] = ()) -> frozenset[int]:
    """The numbers one field stands for."""

    def number(word: str) -> int:
        value = names.index(word) + low if word in names else int(word)
        if not low <= value <= high:
            raise ValueError(f"{value} is not between {low} and {high}.")
        return value

    found: set[int] = set()
    for part in text.split(","):
        span, slash, step = part.partition("/")
        first, dash, last = span.partition("-")
        start = low if span == "*" else number(first)
        end = number(last) if dash else high if span == "*" or slash else start
        if end < start or (slash and int(step) < 1):
            raise ValueError(f"{part!r} stands for no number.")
        found.update(range(start, end + 1, int(step) if slash else 1))
    return frozenset(found)
