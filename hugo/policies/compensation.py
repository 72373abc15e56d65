"""Taking back what was done when what comes after it fails."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from enum import Enum
from functools import partial
from typing import ParamSpec, TypeAlias

from hugo.cancellation import CancelToken
from hugo.clock import Clock
from hugo.errors import Error
from hugo.result.awaiting import settled
from hugo.result.compensated import Undo
from hugo.result.core import Result, ok
from hugo.result.failure import Err
from hugo.result.timeout import with_timeout
from hugo.shield import to_the_end

log = logging.getLogger(__name__)

P = ParamSpec("P")


class Compensation(Enum):
    """In which order compensations run."""

    NONE = "none"
    SEQUENTIAL_REVERSE = "sequential reverse"
    PARALLEL = "parallel"


Executor: TypeAlias = Callable[[Sequence[Undo]], Awaitable[Sequence[Error]]]
"""Runs compensations, given oldest first and each with its deadline, in an order of its own; returns what failed."""


class CompensationScope:
    """What is to be taken back, oldest first."""

    def __init__(self) -> None:
        self._undos: list[Undo] = []

    @property
    def undos(self) -> tuple[Undo, ...]:
        """What is registered, oldest first."""
        return tuple(self._undos)

    def register(self, undo: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Adds `undo(*args, **kwargs)`, which may return an awaitable. To raise or to return an `Err` is to fail."""
        self._undos.append(partial(undo, *args, **kwargs))

    def absorb(self, undos: Iterable[Undo]) -> None:
        """Adds compensations that are ordered already: they stay in that order, after those that are here."""
        self._undos.extend(undos)


async def compensate(
    undos: Sequence[Undo],
    how: Compensation | Executor = Compensation.SEQUENTIAL_REVERSE,
    *,
    timeout: float | None = None,
    clock: Clock | None = None,
) -> tuple[Error, ...]:
    """Runs all compensations, whatever fails and whoever is cancelled meanwhile, and returns their errors.

    `timeout` is the seconds each may take, then it is cancelled and counts as failed. A cancellation of the calling
    task is raised when all have run. Errors are logged, too.
    """
    if how is Compensation.NONE or not undos:
        return ()
    errors = await to_the_end(_run(undos, how, timeout, clock))
    return tuple(errors)


async def _run(
    undos: Sequence[Undo], how: Compensation | Executor, timeout: float | None, clock: Clock | None
) -> Sequence[Error]:
    bounded = [partial(_undone, undo, timeout, clock) for undo in undos]
    if not isinstance(how, Compensation):
        return await how(bounded)
    if how is Compensation.PARALLEL:
        results = list(await asyncio.gather(*(undo() for undo in bounded)))
    else:
        results = [await undo() for undo in reversed(bounded)]
    errors = [result.error for result in results if isinstance(result, Err)]
    for error in errors:
        log.error("A compensation failed: %s", error, exc_info=error.cause)
    return errors


async def _undone(undo: Undo, timeout: float | None, clock: Clock | None) -> Result[None]:
    async def call(_: CancelToken) -> Result[None]:
        result = await settled(undo())
        return result if isinstance(result, Err) else ok()

    return await with_timeout(call, timeout, clock=clock)
