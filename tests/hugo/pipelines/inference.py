"""What a type checker infers for operations under policies, sagas, effects and streams; see `tests/hugo/result/`."""

from collections.abc import AsyncGenerator, AsyncIterator
from typing import assert_type

from hugo.cancellation import CancelToken
from hugo.deterministic import Captured, DeterministicGate, EffectStore
from hugo.pipelines import FallbackTier, race, retry, tiered_fallback, when_all
from hugo.policies import StepContext, execute
from hugo.result import Err, Ok, Result, err, ok, traverse, traverse_async, with_timeout
from hugo.sagas import Saga, SagaContext, SagaState
from hugo.streams import collect, map_stream, window_stream


async def charge(step: StepContext) -> Result[int]:
    return ok(step.attempt)


async def attempted(attempt: int, token: CancelToken) -> Result[str]:
    return err("no") if token.cancelled else ok(str(attempt))


async def limited(token: CancelToken) -> Result[int]:
    return ok(int(token.cancelled))


async def number() -> int:
    return 1


async def numbers() -> AsyncIterator[int]:
    yield 1


def half(value: int) -> Result[float]:
    return ok(value / 2)


async def reserve(context: SagaContext) -> Result[str]:
    return ok(context.name)


def release(seat: str) -> None:
    print(seat)


def release_number(seat: int) -> None:
    print(seat)


async def operations() -> None:
    assert_type(await execute(charge), Result[int])
    assert_type(await when_all([charge, charge]), Result[list[int]])
    assert_type(await race([charge]), Result[int])
    assert_type(await retry(attempted), Result[str])
    assert_type(await with_timeout(limited, 1.0), Result[int])
    assert_type(await tiered_fallback([FallbackTier("near", [charge])]), Result[int])
    await retry(charge)  # type: ignore[arg-type]
    await when_all([attempted])  # type: ignore[list-item]


async def many() -> None:
    assert_type(traverse([1], half), Result[list[float]])
    assert_type(await traverse_async([1], half), Result[list[float]])
    assert_type(await traverse_async(numbers(), half, concurrency=2), Result[list[float]])
    assert_type(map_stream(numbers(), half), AsyncGenerator[Result[float], None])
    assert_type(await collect(map_stream(numbers(), half)), Result[list[float]])
    assert_type(window_stream(map_stream(numbers(), half), 2), AsyncGenerator[Result[list[float]], None])


async def sagas() -> None:
    saga = Saga().step("seat", reserve, undo=release)
    assert_type(await saga.execute(), Result[SagaState])
    Saga().step("seat", reserve, undo=release_number)  # type: ignore[misc]


async def effects(store: EffectStore, gate: DeterministicGate) -> None:
    assert_type(await store.capture("id", number), Result[Captured[int]])
    assert_type(await store.capture("id", lambda: "now"), Result[Captured[str]])
    assert_type(await store.capture("id", lambda: half(1)), Result[Captured[float]])
    await store.capture("id", number, type_=str)  # type: ignore[arg-type]
    builder = gate.workflow("tax", 1, 2).for_version(1, lambda _: ok(1)).fallback(lambda _: ok("two"))
    assert_type(await builder.execute(), Ok[int | str] | Err)
    assert_type(await gate.execute("tax", 1, 2, upgraded=lambda _: ok(1), legacy=lambda _: ok(2)), Result[int])
