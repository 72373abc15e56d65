"""Retrying with growing delays, and what the log is told."""

import asyncio
import logging

import pytest

from hugo.cancellation import CancelToken
from hugo.clock import FakeClock
from hugo.errors import ErrorCode
from hugo.pipelines import retry
from hugo.result import Result, err, ok


def events(caplog: pytest.LogCaptureFixture) -> list[tuple[int, str]]:
    return [(record.event_id, record.levelname) for record in caplog.records if hasattr(record, "event_id")]


async def test_delays_double_and_exceptions_count_as_failures(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    clock = FakeClock()
    times: list[float] = []

    async def flaky(attempt: int, _: CancelToken) -> Result[str]:
        times.append(round(clock.monotonic(), 3))
        if attempt == 1:
            raise KeyError("gone")
        return ok("done") if attempt == 3 else err("no")

    running = asyncio.ensure_future(retry(flaky, clock=clock))
    await clock.advance_and_settle(1)
    assert await running == ok("done")
    assert times == [0, 0.1, 0.3]
    assert events(caplog) == [(1003, "WARNING"), (1002, "WARNING"), (1001, "INFO")]


async def test_the_last_error_is_returned_when_every_attempt_failed(caplog: pytest.LogCaptureFixture) -> None:
    clock = FakeClock()

    def fail(attempt: int, _: CancelToken) -> Result[str]:
        return err(f"no {attempt}")

    running = asyncio.ensure_future(retry(fail, clock=clock))
    await clock.advance_and_settle(1)
    assert str((await running).error) == "no 3"
    assert events(caplog) == [(1002, "WARNING")] * 3 + [(1004, "ERROR")]


async def test_the_token_ends_the_attempts() -> None:
    clock, token = FakeClock(), CancelToken()
    tried: list[int] = []

    async def stop(attempt: int, token_of_attempt: CancelToken) -> Result[str]:
        tried.append(attempt)
        token.cancel()
        token_of_attempt.raise_if_cancelled()
        return ok("never")

    error = (await retry(stop, clock=clock, token=token)).error
    assert error is not None
    assert (error.code, tried) == (ErrorCode.CANCELED, [1])
