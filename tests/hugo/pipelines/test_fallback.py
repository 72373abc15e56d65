"""Better strategies first; what failed says where."""

import asyncio

from hugo.cancellation import CancelToken
from hugo.errors import ErrorCode
from hugo.pipelines import FallbackTier, tiered_fallback
from hugo.policies import ExecutionPolicy, RetryPolicy, StepContext
from hugo.result import Result, err, ok


def fail(_: StepContext) -> Result[str]:
    return err("no")


async def test_the_first_tier_that_succeeds_ends_it() -> None:
    tried: list[str] = []

    def succeed(step: StepContext) -> Result[str]:
        tried.append(step.name)
        return ok(step.name)

    tiers = [FallbackTier("cache", [fail]), FallbackTier("near", [fail, succeed]), FallbackTier("far", [succeed])]
    assert await tiered_fallback(tiers) == ok("near")
    assert tried == ["near"]


async def test_when_all_fail_every_error_says_where_it_comes_from() -> None:
    tiers = [FallbackTier("cache", [fail]), FallbackTier("near", [fail, fail])]
    error = (await tiered_fallback(tiers)).error
    assert error is not None
    assert (error.code, error.message) == (ErrorCode.AGGREGATE, "Fallback pipeline exhausted all tiers.")
    places = [
        (each.metadata["fallbackTier"], each.metadata["tierIndex"], each.metadata["strategyIndex"])
        for each in error.get("errors", list) or []
    ]
    assert places == [("cache", 0, 0), ("near", 1, 0), ("near", 1, 1)]


async def test_strategies_are_retried_before_the_next_tier() -> None:
    tried: list[int] = []

    def flaky(step: StepContext) -> Result[str]:
        tried.append(step.attempt)
        return ok("late") if step.attempt == 3 else err("no")

    policy = ExecutionPolicy(RetryPolicy.fixed(3, 0))
    tiers = [FallbackTier("cache", [flaky]), FallbackTier("near", [lambda _: ok("near")])]
    assert await tiered_fallback(tiers, policy=policy) == ok("late")
    assert tried == [1, 2, 3]


async def test_without_tiers_or_strategies_it_is_a_validation_error() -> None:
    empty: list[FallbackTier[str]] = []
    for tiers in (empty, [FallbackTier[str]("empty", [])]):
        error = (await tiered_fallback(tiers)).error
        assert error is not None
        assert error.code == ErrorCode.VALIDATION


async def test_the_token_ends_it_before_the_next_tier() -> None:
    token, tried = CancelToken(), asyncio.Event()

    async def wait(step: StepContext) -> Result[str]:
        tried.set()
        await step.token.wait()
        return err("stopped")

    running = asyncio.ensure_future(
        tiered_fallback([FallbackTier("cache", [wait]), FallbackTier("near", [lambda _: ok("near")])], token=token)
    )
    await tried.wait()
    token.cancel()
    error = (await running).error
    assert error is not None
    assert error.code == ErrorCode.CANCELED
