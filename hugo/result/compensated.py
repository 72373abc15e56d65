"""How to take back what a result stands for."""

import copy
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import ParamSpec, Self

P = ParamSpec("P")

Undo = Callable[[], object]
"""Takes back what was done. It may return an awaitable; to raise or to return an `Err` is to fail."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Compensated:
    """What both cases of a result share: its compensations, oldest first."""

    compensations: tuple[Undo, ...] = field(default=(), compare=False, repr=False)

    def with_compensation(self, undo: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> Self:
        """The same result with `undo(*args, **kwargs)` attached: what runs it under a policy calls that on failure.

        Compensations survive further steps and are called latest first. `undo` may return an awaitable.
        """
        return self.with_compensations((*self.compensations, partial(undo, *args, **kwargs)))

    def with_compensations(self, compensations: tuple[Undo, ...]) -> Self:
        """The same result, not counted again, with these compensations, oldest first, in place of its own."""
        if compensations == self.compensations:
            return self
        result = copy.copy(self)
        object.__setattr__(result, "compensations", compensations)
        return result

    def after(self, earlier: "Compensated") -> Self:
        """The same result with the compensations of the step before."""
        return self.with_compensations(earlier.compensations + self.compensations)
