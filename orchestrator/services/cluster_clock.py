"""The clock that all processes of a cluster share: that of the database, carried on between two looks at it.

Between looks it goes by the monotonic clock of this process, so that setting the clock of a host changes nothing.
"""

import time
from collections.abc import Callable


class ClusterClock:
    """Nanoseconds since the epoch; called from any thread. It stands still where it would go backwards.

    Args:
        monotonic: nanoseconds since some moment, never going back; of this process.
    """

    def __init__(self, monotonic: Callable[[], int] = time.monotonic_ns) -> None:
        self.monotonic = monotonic
        self._anchor: tuple[int, int] | None = None

    def __call__(self) -> int:
        """The time; that of the host until the first look at the database."""
        if self._anchor is None:
            return time.time_ns()
        offset, floor = self._anchor
        return max(floor, self.monotonic() + offset)

    def follow(self, database_time: int, asked: int, answered: int) -> None:
        """Follows the clock of the database, as far as a look at it proves this one wrong.

        Args:
            database_time: what it said, nanoseconds since the epoch.
            asked, answered: when it was asked and when the answer was here, by the monotonic clock.
        """
        latest, earliest = database_time - asked, database_time - answered
        if self._anchor is None:
            self._anchor = ((latest + earliest) // 2, 0)
            return
        offset, _ = self._anchor
        self._anchor = (min(max(offset, earliest), latest), self())
