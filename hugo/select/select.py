"""`select`: whichever channel is ready first, by rule and not by chance."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from hugo.cancellation import CancelToken, stopped_by
from hugo.clock import SYSTEM_CLOCK, Clock
from hugo.errors import Error, ErrorCode
from hugo.result import Err, Ok, Result, attempt, err, ok
from hugo.result.awaiting import settled
from hugo.select.cases import Case, Deadline
from hugo.select.observed import Observed
from hugo.watchers import first_change

_NOTHING = object()


async def select(
    *cases: Case[Any],
    default: Callable[[], Any] | None = None,
    timeout: float | None = None,
    clock: Clock | None = None,
    token: CancelToken | None = None,
) -> Result[Any]:
    """Takes one item from the first of the channels that has one, and gives it to that case's handler.

    Of several cases that are ready the one with the lowest priority number is chosen, then the one named first. If none
    is ready, `default` is called; without it, select waits. The result is what the handler returned, as a Result.

    Errors: `error.timeout` when nothing came within `timeout` seconds, `error.canceled` when the token fires,
    `error.select.drained` when every channel was completed, `error.exception` when a handler raised or a channel was
    completed with an exception. Raises ValueError without a case or default, and for a negative timeout.
    """
    if not cases and default is None:
        raise ValueError("A select needs a case or a default.")
    return await choose(cases, default, timeout, clock, token)


async def choose(
    cases: Sequence[Case[Any] | Deadline],
    default: Callable[[], Any] | None,
    timeout: float | None,
    clock: Clock | None,
    token: CancelToken | None,
) -> Result[Any]:
    """Does what `select` says, for deadlines too."""
    if timeout is not None and timeout < 0:
        raise ValueError("A timeout is not negative.")
    clock = clock or SYSTEM_CLOCK
    with Observed(len(cases), timeout, clock) as observed:
        try:
            result = await _chosen(cases, default, timeout, clock, token)
        except asyncio.CancelledError:
            if not stopped_by(token):
                raise
            result = err(Error.canceled(token=token))
        observed.outcome(result, token)
        return result


async def _chosen(
    cases: Sequence[Case[Any] | Deadline],
    default: Callable[[], Any] | None,
    timeout: float | None,
    clock: Clock,
    token: CancelToken | None,
) -> Result[Any]:
    if token is not None:
        token.raise_if_cancelled()
    started = clock.monotonic()
    # Sorting is stable: among equals the one named first stays first.
    waiting = sorted(cases, key=lambda case: case.priority)
    while True:
        now = clock.monotonic()
        for case in waiting:
            if isinstance(case, Deadline):
                if case.moment <= now:
                    return await _handled(partial(case.handler, clock.utcnow()), token)
            elif (item := case.reader.try_read(_NOTHING)) is not _NOTHING:
                return await _handled_item(case, item, token)
            elif case.reader.drained and case.reader.error is not None:
                return err(_fault(case.reader.error))
        if default is not None:
            return await _handled(default, token)
        waiting = [case for case in waiting if isinstance(case, Deadline) or not case.reader.drained]
        if not waiting:
            return err(Error("All channel cases completed without yielding a value.", ErrorCode.SELECT_DRAINED))
        moments = [case.moment for case in waiting if isinstance(case, Deadline)]
        if timeout is not None:
            if now >= started + timeout:
                return err(Error.timeout(timeout))
            moments.append(started + timeout)
        await first_change(
            [case.reader.watchers for case in waiting if isinstance(case, Case)],
            token,
            seconds=min(moments) - now if moments else None,
            clock=clock,
        )


async def _handled(call: Callable[[], Any], token: CancelToken | None) -> Result[Any]:
    """What a handler makes of its item: its own Result, its value as one, or `error.exception`."""

    async def settle() -> Result[Any]:
        value = await settled(call())
        return value if isinstance(value, Ok | Err) else ok(value)

    return await attempt(settle, token)


async def _handled_item(case: Case[Any], item: object, token: CancelToken | None) -> Result[Any]:
    """The same for the handler of a channel's item."""
    if not case.linked:
        return await _handled(partial(case.handler, item), token)
    own = CancelToken.linked(token)
    try:
        return await _handled(partial(case.handler, item, own), own)
    finally:
        own.cancel("The handler has ended.")


def _fault(fault: BaseException) -> Error:
    """The error for a channel that was completed with an exception."""
    return Error.canceled(str(fault)) if isinstance(fault, asyncio.CancelledError) else Error.from_exception(fault)
