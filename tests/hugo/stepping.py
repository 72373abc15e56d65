"""Cancelling a coroutine at each of its awaits, before and after what it awaits has happened."""

import asyncio
import types
from collections.abc import Awaitable, Callable, Coroutine, Generator
from itertools import count
from typing import Any


@types.coroutine
def interrupted(work: Coroutine[Any, Any, Any], step: int, *, late: bool) -> Generator[Any, Any, bool]:
    """Runs `work` in the calling task and cancels it where it waits for the `step`-th time, counted from 0.

    A task is cancelled early, while what it waits for is pending, or late: after that has happened, but before the task
    runs again. Returns False if the work ended before. It must not swallow the cancellation.
    """
    raised: BaseException | None = None
    cancelled = False
    for number in count():
        try:
            awaited = work.send(None) if raised is None else work.throw(raised)
        except StopIteration:
            assert not cancelled, "The work swallowed its cancellation."
            return False
        except asyncio.CancelledError:
            assert cancelled, "The work was not cancelled by this."
            return True
        raised = None
        if number == step and not late:
            if awaited is not None:
                awaited.cancel()
        else:
            try:
                yield awaited
            except BaseException as exception:
                raised = exception
        if number == step:
            raised, cancelled = asyncio.CancelledError(), True


Run = Callable[[Coroutine[Any, Any, Any]], Awaitable[bool]]


async def at_each_step(scenario: Callable[[Run], Awaitable[None]]) -> int:
    """Runs `scenario` for each await of the work it hands over, early and late; returns how often it was cancelled.

    The scenario makes everything anew, hands the work to its argument, and checks what is true afterwards.
    """
    cancelled = 0
    for late in (False, True):
        for step in count():
            hit = False

            async def run(work: Coroutine[Any, Any, Any], step: int = step, late: bool = late) -> bool:
                nonlocal hit
                hit = await interrupted(work, step, late=late)
                return hit

            await scenario(run)
            if not hit:
                break
            cancelled += 1
    return cancelled
