"""Running an operation under a policy: tried again as it says, and taken back when it fails in the end."""

import random
from asyncio import CancelledError
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import ParamSpec, TypeAlias, TypeVar

from hugo.cancellation import CancelToken, OperationCanceled
from hugo.clock import SYSTEM_CLOCK, Clock
from hugo.errors import Error
from hugo.policies.compensation import Compensation, CompensationScope, Executor, compensate
from hugo.policies.retry_policy import NO_RETRY, RetryAt, RetryPolicy, RetryState, Stop
from hugo.result.awaiting import MaybeAwaitable, settled
from hugo.result.capture import attempt
from hugo.result.compensated import Undo
from hugo.result.core import Result, err
from hugo.result.failure import Err
from hugo.timers import delay

T = TypeVar("T")
P = ParamSpec("P")


@dataclass(frozen=True, slots=True)
class ExecutionPolicy:
    """How an operation is tried again and taken back.

    `compensation_timeout` is the seconds each compensation may take; None is without limit. It has its own deadline,
    because neither the caller's token nor the cancellation of its task stops a compensation.
    """

    retry: RetryPolicy = NO_RETRY
    compensation: Compensation | Executor = Compensation.SEQUENTIAL_REVERSE
    compensation_timeout: float | None = 30.0

    def with_retry(self, retry: RetryPolicy) -> "ExecutionPolicy":
        """The same policy with another way to try again."""
        return replace(self, retry=retry)

    def with_compensation(self, compensation: Compensation | Executor) -> "ExecutionPolicy":
        """The same policy with another way to take back."""
        return replace(self, compensation=compensation)

    async def take_back(self, undos: Sequence[Undo], clock: Clock | None = None) -> tuple[Error, ...]:
        """Runs compensations, given oldest first, as `compensate` does; returns what failed."""
        return await compensate(undos, self.compensation, timeout=self.compensation_timeout, clock=clock)


DEFAULT_POLICY = ExecutionPolicy()


@dataclass(frozen=True, slots=True)
class StepContext:
    """What an operation gets to know: its name, the number of its attempt, its clock, the token that stops it."""

    name: str
    token: CancelToken
    clock: Clock = SYSTEM_CLOCK
    attempt: int = 1
    scope: CompensationScope = field(default_factory=CompensationScope)

    def register_compensation(self, undo: Callable[P, object], *args: P.args, **kwargs: P.kwargs) -> None:
        """Has `undo(*args, **kwargs)` called if this attempt fails, or what comes after it does."""
        self.scope.register(undo, *args, **kwargs)

    def absorb(self, result: Result[T]) -> Result[T]:
        """The same result; what takes it back belongs to this step from now on."""
        self.scope.absorb(result.compensations)
        return result.with_compensations(())

    async def part(self, name: str, op: "Operation[T]") -> Result[T]:
        """The result of an operation that is a part of this step: `group.go(step.part, "errgroup", op)`.

        It gets this step's token and clock, is named `{step}.{name}`, and what takes it back belongs to this step.
        """
        return self.absorb(await settled(op(replace(self, name=f"{self.name}.{name}"))))


Operation: TypeAlias = Callable[[StepContext], MaybeAwaitable[Result[T]]]
"""Something to be done under a policy."""


async def execute(
    op: Operation[T],
    *,
    policy: ExecutionPolicy | None = None,
    name: str = "step",
    clock: Clock | None = None,
    token: CancelToken | None = None,
    failing: Callable[[Error], object] | None = None,
) -> Result[T]:
    """The result of the operation under `policy`; a success carries the compensations of its attempt.

    What a failed attempt has registered is taken back before the next one, or before this function returns or raises;
    if that fails, the operation is not tried again and the error is an aggregate. What is raised is `error.exception`,
    and `token` stops the waiting for the next attempt, and attempts that heed it, with `error.canceled`. `failing` is
    called with the error of the last attempt before that is taken back.
    """
    policy, clock = policy or DEFAULT_POLICY, clock or SYSTEM_CLOCK
    errors: tuple[Error, ...] = ()
    with CancelToken.linked(token) as own:
        while True:
            step = StepContext(name, own, clock, len(errors) + 1)
            result, undos = await _attempted(op, step, policy)
            if not isinstance(result, Err):
                return result.with_compensations(undos)
            errors = (*errors, result.error)
            state = RetryState(len(errors), clock.utcnow(), errors, random.random())
            decision = policy.retry.next(state, result.error)
            if isinstance(decision, Stop) and failing is not None:
                failing(result.error)
            if failures := await policy.take_back(undos, clock):
                return err(Error.aggregate(f"{name} failed with compensation error.", result.error, *failures))
            if isinstance(decision, Stop):
                return result.with_compensations(())
            now = clock.utcnow()
            seconds = (decision.moment - now).total_seconds() if isinstance(decision, RetryAt) else decision.seconds
            try:
                await delay(max(0.0, seconds), clock=clock, token=own)
            except OperationCanceled:
                return err(Error.canceled(token=own))


async def _attempted(
    op: Operation[T], step: StepContext, policy: ExecutionPolicy
) -> tuple[Result[T], tuple[Undo, ...]]:
    """The result of one attempt, and what takes it back."""
    try:
        result = await attempt(partial(op, step), step.token)
    except CancelledError:
        await policy.take_back(step.scope.undos, step.clock)
        raise
    return result, step.scope.undos + result.compensations
