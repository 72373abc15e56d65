"""Tiers of strategies, the better ones first."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from hugo.cancellation import CancelToken
from hugo.clock import Clock
from hugo.errors import Error, ErrorCode
from hugo.pipelines.parallel import race
from hugo.policies import DEFAULT_POLICY, ExecutionPolicy, Operation, StepContext, execute
from hugo.policies.retry_policy import NO_RETRY
from hugo.result.core import Result, err
from hugo.result.failure import Err

T = TypeVar("T")


@dataclass(frozen=True)
class FallbackTier(Generic[T]):
    """Strategies that race each other."""

    name: str
    strategies: Sequence[Operation[T]]


async def tiered_fallback(
    tiers: Iterable[FallbackTier[T]],
    *,
    policy: ExecutionPolicy | None = None,
    clock: Clock | None = None,
    token: CancelToken | None = None,
) -> Result[T]:
    """The first success of the first tier that has one; each strategy runs under `policy`.

    When all fail, the error is an aggregate whose errors say where they come from: `fallbackTier`, `tierIndex` and
    `strategyIndex`. Without tiers, or in a tier without strategies, it is `error.validation`; `token` ends it all with
    `error.canceled`.
    """
    policy = policy or DEFAULT_POLICY
    errors: list[Error] = []

    def placed(tier: FallbackTier[T], tier_index: int, strategy_index: int) -> Operation[T]:
        """A strategy that says where it is when it fails."""
        place = {"fallbackTier": tier.name, "tierIndex": tier_index, "strategyIndex": strategy_index}
        strategy = tier.strategies[strategy_index]

        async def run(step: StepContext) -> Result[T]:
            result = await execute(strategy, policy=policy, name=tier.name, clock=clock, token=step.token)
            if not isinstance(result, Err):
                return result
            errors.append(result.error.with_metadata(place))
            return Err(errors[-1])

        return run

    for tier_index, tier in enumerate(tiers):
        strategies = [placed(tier, tier_index, index) for index in range(len(tier.strategies))]
        result = await race(strategies, policy=policy.with_retry(NO_RETRY), clock=clock, token=token)
        if not isinstance(result, Err) or not strategies or (token is not None and token.cancelled):
            return result
    if not errors:
        return err("A fallback needs at least one tier.", ErrorCode.VALIDATION)
    return err(Error.aggregate("Fallback pipeline exhausted all tiers.", *errors))
