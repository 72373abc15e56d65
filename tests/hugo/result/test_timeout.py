"""An operation has only so much time, and nobody waits for a stubborn one."""

import asyncio

import pytest

from hugo.cancellation import CancelToken
from hugo.clock import FakeClock
from hugo.errors import ErrorCode
from hugo.result import Result, err, ok, with_timeout


async def forever(_: CancelToken) -> Result[int]:
    await asyncio.Event().wait()
    return ok(1)


async def code_after(clock: FakeClock, seconds: float, running: "asyncio.Future[Result[int]]") -> str | None:
    await clock.advance_and_settle(seconds)
    assert running.done()
    error = (await running).error
    return error.code if error else None


async def test_what_ends_in_time_is_returned() -> None:
    failure = err("no")

    async def fail(_: CancelToken) -> Result[int]:
        return failure

    assert await with_timeout(lambda _: ok(1), 1.0) == ok(1)
    assert await with_timeout(fail, 1.0) is failure
    assert await with_timeout(lambda _: ok(1), None) == ok(1)


async def test_what_is_raised_in_time_is_an_error() -> None:
    async def fail(_: CancelToken) -> Result[int]:
        raise KeyError("gone")

    error = (await with_timeout(fail, 1.0)).error
    assert error is not None
    assert error.code == ErrorCode.EXCEPTION


async def test_a_deadline_is_a_timeout_and_fires_the_token() -> None:
    clock = FakeClock()
    tokens: list[CancelToken] = []

    async def wait(token: CancelToken) -> Result[int]:
        tokens.append(token)
        return await forever(token)

    running = asyncio.ensure_future(with_timeout(wait, 3, clock=clock))
    await clock.advance_and_settle(2.9)
    assert not running.done()
    assert await code_after(clock, 0.1, running) == ErrorCode.TIMEOUT
    assert tokens[0].cancelled


async def test_an_operation_that_ignores_everything_does_not_block_the_timeout() -> None:
    clock, release = FakeClock(), asyncio.Event()
    ended = asyncio.Event()

    async def stubborn(_: CancelToken) -> Result[int]:
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        ended.set()
        return err("too late")

    running = asyncio.ensure_future(with_timeout(stubborn, 1, grace=5, clock=clock))
    await clock.advance_and_settle(5.9)
    assert not running.done()
    assert await code_after(clock, 0.1, running) == ErrorCode.TIMEOUT
    release.set()
    await ended.wait()


async def test_with_grace_the_operation_may_clean_up() -> None:
    clock = FakeClock()
    cleaned: list[str] = []

    async def tidy(token: CancelToken) -> Result[int]:
        await token.wait()
        cleaned.append("tidy")
        return ok(1)

    running = asyncio.ensure_future(with_timeout(tidy, 1, grace=None, clock=clock))
    assert await code_after(clock, 1, running) == ErrorCode.TIMEOUT
    assert cleaned == ["tidy"]


@pytest.mark.parametrize("before", [True, False])
async def test_the_callers_token_is_a_cancellation(before: bool) -> None:
    clock, token = FakeClock(), CancelToken()
    if before:
        token.cancel()
    running = asyncio.ensure_future(with_timeout(forever, 1, clock=clock, token=token))
    await clock.advance_and_settle(0.5)
    token.cancel()
    assert await code_after(clock, 0, running) == ErrorCode.CANCELED


async def test_the_cancellation_of_the_task_propagates_when_the_operation_has_ended() -> None:
    begun, stopped = asyncio.Event(), asyncio.Event()

    async def wait(token: CancelToken) -> Result[int]:
        begun.set()
        try:
            return await forever(token)
        finally:
            stopped.set()

    running = asyncio.ensure_future(with_timeout(wait, None))
    await begun.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert stopped.is_set()
