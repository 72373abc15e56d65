"""Operations under a policy: tried again as it says, taken back when they fail in the end."""

import asyncio
from collections.abc import Callable

import pytest

from hugo.cancellation import CancelToken
from hugo.clock import FakeClock
from hugo.errors import Error, ErrorCode
from hugo.policies import Compensation, ExecutionPolicy, RetryPolicy, StepContext, compensate, execute
from hugo.result import Result, err, ok


class Attempts:
    """An operation that notes when it is tried, and fails as often as it is told."""

    def __init__(self, clock: FakeClock, failures: int, failure: Callable[[], Result[str]] = lambda: err("no")) -> None:
        self.clock = clock
        self.failures = failures
        self.failure = failure
        self.times: list[float] = []

    async def __call__(self, step: StepContext) -> Result[str]:
        self.times.append(self.clock.monotonic())
        assert step.attempt == len(self.times)
        return self.failure() if len(self.times) <= self.failures else ok("done")


def raised() -> Result[str]:
    raise KeyError("gone")


@pytest.mark.parametrize("failure", [lambda: err("no"), raised])
async def test_what_is_returned_and_what_is_raised_is_tried_again_alike(failure: Callable[[], Result[str]]) -> None:
    clock = FakeClock()
    attempts = Attempts(clock, 2, failure)
    policy = ExecutionPolicy(RetryPolicy.exponential(5, 1.0))
    running = asyncio.ensure_future(execute(attempts, policy=policy, clock=clock))
    await clock.advance_and_settle(10)
    assert await running == ok("done")
    assert attempts.times == [0, 1, 3]


async def test_the_last_error_is_returned_when_attempts_are_used_up() -> None:
    clock = FakeClock()
    attempts = Attempts(clock, 9)
    running = asyncio.ensure_future(execute(attempts, policy=ExecutionPolicy(RetryPolicy.fixed(3, 5)), clock=clock))
    await clock.advance_and_settle(60)
    assert str((await running).error) == "no"
    assert attempts.times == [0, 5, 10]


async def test_a_cron_policy_waits_for_its_time() -> None:
    clock = FakeClock()
    attempts = Attempts(clock, 2)
    policy = ExecutionPolicy(RetryPolicy.by_cron("*/10 * * * *"))
    running = asyncio.ensure_future(execute(attempts, policy=policy, clock=clock))
    await clock.advance_and_settle(3600)
    assert await running == ok("done")
    assert attempts.times == [0, 600, 1200]


async def test_without_a_policy_there_is_one_attempt() -> None:
    clock = FakeClock()
    attempts = Attempts(clock, 1)
    assert (await execute(attempts, clock=clock)).is_err
    assert attempts.times == [0]


async def test_the_token_ends_the_wait_for_the_next_attempt() -> None:
    clock, token = FakeClock(), CancelToken()
    attempts = Attempts(clock, 1)
    policy = ExecutionPolicy(RetryPolicy.fixed(2, 60))
    running = asyncio.ensure_future(execute(attempts, policy=policy, clock=clock, token=token))
    await clock.advance_and_settle(1)
    token.cancel("enough")
    error = (await running).error
    assert error is not None
    assert (error.code, attempts.times) == (ErrorCode.CANCELED, [0])


async def test_a_token_that_has_fired_allows_no_attempt() -> None:
    token = CancelToken()
    token.cancel()
    attempts = Attempts(FakeClock(), 0)
    error = (await execute(attempts, token=token)).error
    assert error is not None
    assert (error.code, attempts.times) == (ErrorCode.CANCELED, [])


async def test_the_cancellation_of_the_task_takes_back_and_propagates() -> None:
    undone: list[str] = []
    waiting = asyncio.Event()

    async def reserve(step: StepContext) -> Result[None]:
        step.register_compensation(undone.append, "seat")
        waiting.set()
        await asyncio.Event().wait()
        return ok()

    running = asyncio.ensure_future(execute(reserve, policy=ExecutionPolicy(RetryPolicy.fixed(5, 0))))
    await waiting.wait()
    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert undone == ["seat"]


async def test_every_failed_attempt_is_taken_back_and_the_good_one_is_not() -> None:
    undone: list[object] = []

    async def reserve(step: StepContext) -> Result[str]:
        step.register_compensation(undone.append, (step.attempt, "first"))
        step.register_compensation(undone.append, (step.attempt, "second"))
        return ok("seat") if step.attempt == 2 else err("no")

    result = await execute(reserve, policy=ExecutionPolicy(RetryPolicy.fixed(2, 0)))
    assert result == ok("seat")
    assert undone == [(1, "second"), (1, "first")]
    await compensate(result.compensations)
    assert undone[2:] == [(2, "second"), (2, "first")]


async def test_a_compensation_attached_to_the_result_counts_as_the_latest() -> None:
    undone: list[int] = []

    async def reserve(step: StepContext) -> Result[str]:
        step.register_compensation(undone.append, 1)
        return err("no").with_compensation(undone.append, 2)

    await execute(reserve)
    assert undone == [2, 1]


async def test_what_cannot_be_taken_back_is_not_tried_again() -> None:
    attempts: list[int] = []

    def break_down() -> None:
        raise RuntimeError("jammed")

    async def reserve(step: StepContext) -> Result[str]:
        attempts.append(step.attempt)
        step.register_compensation(break_down)
        return err("no")

    error = (await execute(reserve, policy=ExecutionPolicy(RetryPolicy.fixed(3, 0)), name="reserve")).error
    assert error is not None
    assert (error.code, error.message) == (ErrorCode.AGGREGATE, "reserve failed with compensation error.")
    assert [each.message for each in error.get("errors", list) or []] == ["no", "jammed"]
    assert attempts == [1]


async def test_a_policy_may_take_nothing_back() -> None:
    undone: list[int] = []

    async def reserve(step: StepContext) -> Result[str]:
        step.register_compensation(undone.append, 1)
        return err("no")

    policy = ExecutionPolicy().with_retry(RetryPolicy.fixed(2, 0)).with_compensation(Compensation.NONE)
    assert (await execute(reserve, policy=policy)).is_err
    assert undone == []


async def test_all_compensations_run_whatever_fails() -> None:
    undone: list[int] = []

    async def refuse() -> Result[None]:
        return err("refused")

    def jam() -> None:
        raise RuntimeError("jammed")

    undos = [lambda: undone.append(1), refuse, jam, lambda: undone.append(2)]
    errors = await compensate(undos)
    assert [error.message for error in errors] == ["jammed", "refused"]
    assert undone == [2, 1]


async def test_parallel_compensations_run_at_once() -> None:
    meeting = asyncio.Barrier(3)
    undos = [meeting.wait] * 3
    assert await compensate(undos, Compensation.PARALLEL) == ()


async def test_an_executor_of_ones_own_decides_the_order() -> None:
    undone: list[int] = []

    async def forward(undos: object) -> list[Error]:
        for undo in undos:  # type: ignore[attr-defined]
            await undo()
        return [Error("mine")]

    errors = await compensate([lambda: undone.append(1), lambda: undone.append(2)], forward)
    assert (undone, [error.message for error in errors]) == ([1, 2], ["mine"])


async def test_a_compensation_that_hangs_has_its_own_deadline() -> None:
    clock = FakeClock()
    undone: list[int] = []

    async def hang() -> None:
        await asyncio.Event().wait()

    running = asyncio.ensure_future(compensate([lambda: undone.append(1), hang], timeout=30, clock=clock))
    await clock.advance_and_settle(29)
    assert not running.done()
    await clock.advance_and_settle(1)
    assert [error.code for error in await running] == [ErrorCode.TIMEOUT]
    assert undone == [1]


async def test_compensations_are_finished_although_their_task_is_cancelled() -> None:
    undone: list[int] = []
    begun, proceed = asyncio.Event(), asyncio.Event()

    async def slowly() -> None:
        begun.set()
        await proceed.wait()
        undone.append(2)

    running = asyncio.ensure_future(compensate([lambda: undone.append(1), slowly]))
    await begun.wait()
    running.cancel()
    await asyncio.sleep(0)
    proceed.set()
    with pytest.raises(asyncio.CancelledError):
        await running
    assert undone == [2, 1]
