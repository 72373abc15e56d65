"""Turns of fairness keys within a level of a task queue: start-time fair queueing.

Each task gets a pass when it is born, and tasks are handed out by their passes. The pass of a key's next task is one
stride behind that of its last one, the shorter the greater its weight, but never before the pass that is being handed
out now: a key that was silent has no credit, and one with a thousand tasks does not keep another one waiting.

A queue without keys has no levels here: the passes of its tasks are the times of their birth, which is first in, first
out. So is the pass of a key's first task, which keeps passes of several processes comparable.
"""

from collections.abc import Iterable

from orchestrator.core.priority import WEIGHT_UNIT, Share

STRIDE = 1_000_000
"""The distance between two passes of a key of weight 1, in the unit of passes: nanoseconds since the epoch."""
FORGET_FROM = 1000
"""Keys of a level from which those without debts are forgotten."""


class Level:
    """The keys of one level that had tasks since the queue was last empty.

    Args:
        now: nanoseconds since the epoch.
        waiting: the passes of tasks without keys that wait already.
    """

    __slots__ = ("_forget_from", "_next", "clock")

    def __init__(self, now: int, waiting: Iterable[int] = ()) -> None:
        passes = sorted(waiting)
        self.clock = passes[0] if passes else now
        self._next: dict[str, int] = {"": passes[-1] + STRIDE} if passes else {}
        self._forget_from = FORGET_FROM

    def place(self, share: Share) -> int:
        """The pass of a new task."""
        start = max(self.clock, self._next.get(share.key, 0))
        self._next[share.key] = start + STRIDE * WEIGHT_UNIT // share.weight
        if len(self._next) >= self._forget_from:
            self._next = {key: at for key, at in self._next.items() if at > self.clock}
            self._forget_from = max(FORGET_FROM, 2 * len(self._next))
        return start

    def handed_out(self, fairness_pass: int) -> None:
        """A task was handed out; new keys begin here."""
        self.clock = max(self.clock, fairness_pass)
