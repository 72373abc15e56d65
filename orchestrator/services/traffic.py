"""How many tasks a queue gets and hands out a second, and what that says about the number of its polls."""

from orchestrator.core.wire import SECOND
from orchestrator.services.rate_limits import Bucket

WINDOW = 30
"""Seconds the rates are averaged over."""
LONG_WAIT = SECOND
"""A poll that waited this long for its task could have been spared."""
OLD = SECOND // 5
"""A backlog this old wants more polls."""
GROWTH = 1.2
"""So does a queue that gets so many times the tasks it hands out."""
SUGGESTIONS = 10.0
"""How often a second a queue asks for more polls."""


class Rate:
    """How often something happened in the last seconds."""

    __slots__ = ("_counts", "_second")

    def __init__(self) -> None:
        self._counts = [0] * WINDOW
        self._second = 0

    def add(self, now: int) -> None:
        """It happened."""
        second = now // SECOND
        if second != self._second:
            self._advance(second)
        self._counts[second % WINDOW] += 1

    def per_second(self, now: int) -> float:
        """How often it happened a second."""
        self._advance(now // SECOND)
        return sum(self._counts) / WINDOW

    def _advance(self, second: int) -> None:
        for each in range(max(self._second + 1, second - WINDOW + 1), second + 1):
            self._counts[each % WINDOW] = 0
        self._second = max(second, self._second)


class Traffic:
    """The tasks of a queue that came and went by level, in this process."""

    __slots__ = ("_came", "_suggestions", "_went")

    def __init__(self) -> None:
        self._came: dict[int, Rate] = {}
        self._went: dict[int, Rate] = {}
        self._suggestions = Bucket(SUGGESTIONS)

    def came(self, level: int, now: int) -> None:
        """A task was born."""
        rate = self._came.get(level)
        if rate is None:
            rate = self._came[level] = Rate()
        rate.add(now)

    def went(self, level: int, now: int) -> None:
        """A task was handed out."""
        rate = self._went.get(level)
        if rate is None:
            rate = self._went[level] = Rate()
        rate.add(now)

    def rates(self, now: int) -> dict[int, tuple[float, float]]:
        """Tasks that came and went a second, by level."""
        levels = self._came.keys() | self._went.keys()
        return {level: (_at(self._came, level, now), _at(self._went, level, now)) for level in levels}

    def suggestion(self, now: int, waited: int, oldest: int) -> int:
        """How many polls more, or fewer, a worker should hold; told with a task it gets.

        Args:
            now: nanoseconds since the epoch.
            waited: how long the poll waited for the task, in nanoseconds.
            oldest: when the next task that waits was born; 0 for none.
        """
        if not oldest:
            return -1 if waited >= LONG_WAIT else 0
        if now - oldest <= OLD and not self._growing(now):
            return 0
        if self._suggestions.ready_at() > now:
            return 0
        self._suggestions.take(now)
        return 1

    def _growing(self, now: int) -> bool:
        rates = self.rates(now).values()
        return sum(came for came, _ in rates) > GROWTH * sum(went for _, went in rates)


def _at(rates: dict[int, Rate], level: int, now: int) -> float:
    rate = rates.get(level)
    return rate.per_second(now) if rate is not None else 0.0
