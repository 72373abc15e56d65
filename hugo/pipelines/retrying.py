"""Trying again, with growing delays, and telling the log about it."""

import logging
from collections.abc import Callable
from typing import TypeVar

from hugo.cancellation import CancelToken
from hugo.clock import Clock
from hugo.policies import ExecutionPolicy, RetryPolicy, StepContext, execute
from hugo.result.awaiting import MaybeAwaitable, settled
from hugo.result.core import Result

LOG = logging.getLogger(__name__)

T = TypeVar("T")

SUCCEEDED_AFTER_RETRY, ATTEMPT_FAILED, ATTEMPT_RAISED, EXHAUSTED = 1001, 1002, 1003, 1004
"""The `event_id` of each log record."""


async def retry(
    op: Callable[[int, CancelToken], MaybeAwaitable[Result[T]]],
    *,
    max_attempts: int = 3,
    initial_delay: float = 0.1,
    clock: Clock | None = None,
    logger: logging.Logger | None = None,
    token: CancelToken | None = None,
) -> Result[T]:
    """The first success of `op`, which gets the number of the attempt and the token that stops it.

    There are `max_attempts` in total, the first two `initial_delay` seconds apart and each later delay twice as long.
    What an attempt raises fails it like a returned error. Only `error.canceled` ends the attempts early.
    """
    log = logger or LOG

    async def attempted(step: StepContext) -> Result[T]:
        try:
            result: Result[T] = await settled(op(step.attempt, step.token))
        except Exception:
            log.warning("Attempt %d raised.", step.attempt, exc_info=True, extra={"event_id": ATTEMPT_RAISED})
            raise
        if result.error is not None:
            log.warning("Attempt %d failed: %s", step.attempt, result.error, extra={"event_id": ATTEMPT_FAILED})
        elif step.attempt > 1:
            log.info("Attempt %d succeeded.", step.attempt, extra={"event_id": SUCCEEDED_AFTER_RETRY})
        return result

    policy = ExecutionPolicy(RetryPolicy(max_attempts, initial_delay, 2.0))
    result = await execute(attempted, policy=policy, name="retry", clock=clock, token=token)
    if result.error is not None and (token is None or not token.cancelled):
        log.error("Every attempt failed, the last with: %s", result.error, extra={"event_id": EXHAUSTED})
    return result
