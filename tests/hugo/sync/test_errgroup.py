"""The operations of a group stand or fall together."""

import asyncio
from typing import Any

import pytest

from hugo.cancellation import CancelToken
from hugo.clock import FakeClock, settle
from hugo.errors import Error
from hugo.policies import ExecutionPolicy, RetryPolicy, StepContext
from hugo.result import Result, err, ok
from hugo.sync import ErrGroup
from tests.hugo.stepping import Run, at_each_step


async def obedient(token: CancelToken) -> Result[None]:
    """Runs until the token fires."""
    await token.wait()
    return err(Error.canceled(token=token))


async def test_a_group_of_successes_succeeds_with_any_kind_of_operation() -> None:
    done: list[object] = []

    async def later(value: object) -> Result[object]:
        done.append(value)
        return ok(value)

    group = ErrGroup()
    group.go(later, 1)
    group.go(done.append, 2)
    group.go(lambda: ok(done.append(3)))
    group.go(asyncio.sleep, 0)
    assert (await group.wait()).is_ok
    assert sorted(map(str, done)) == ["1", "2", "3"]
    assert group.error is None
    assert not group.token.cancelled


async def test_the_first_failure_is_kept_and_stops_the_others() -> None:
    group = ErrGroup()
    first = Error("first")
    group.go(obedient, group.token)
    group.go(lambda: err(first))
    group.go(lambda: err("second"))
    assert (await group.wait()).error is first
    assert group.error is first
    assert group.token.cancelled


async def test_an_exception_is_a_failure() -> None:
    group = ErrGroup()
    group.go([].pop)
    error = (await group.wait()).error
    assert error is not None
    assert error.code == "error.exception"
    assert isinstance(error.cause, IndexError)


async def test_it_waits_for_all_work_to_end_before_it_tells_the_failure() -> None:
    group, finish = ErrGroup(), asyncio.Event()
    group.go(finish.wait)
    group.go(lambda: err("no"))
    waiting = asyncio.create_task(group.wait())
    await settle()
    assert group.error is not None
    assert not waiting.done()
    finish.set()
    assert (await waiting).is_err


async def test_who_stops_waiting_does_not_stop_the_group() -> None:
    group, token, finish = ErrGroup(), CancelToken(), asyncio.Event()
    group.go(finish.wait)
    waiting = asyncio.create_task(group.wait(token))
    await settle()
    token.cancel()
    error = (await waiting).error
    assert error is not None
    assert error.code == "error.canceled"
    assert group.error is None
    assert not group.token.cancelled
    finish.set()
    assert (await group.wait()).is_ok


async def test_to_cancel_a_group_is_its_failure_unless_it_has_one() -> None:
    group = ErrGroup()
    seen: list[Error | None] = []
    group.token.on_cancel(lambda: seen.append(group.error))
    group.go(obedient, group.token)
    group.cancel()
    error = (await group.wait()).error
    assert str(error) == "error.canceled: ErrGroup was canceled."
    assert seen == [error]
    other, first = ErrGroup(), Error("first")
    other.go(lambda: err(first))
    await other.wait()
    other.cancel()
    assert other.error is first


async def test_a_parents_token_stops_the_group_and_is_its_token_after_the_end() -> None:
    parent = CancelToken()
    async with ErrGroup(parent) as group:
        own = group.token
        group.go(obedient, own)
        await settle()
        parent.cancel()
        assert (await group.wait()).is_err
    assert own.cancelled
    assert group.token is parent


async def test_the_end_of_the_block_cancels_and_joins() -> None:
    ended: list[str] = []

    async def stubborn() -> None:
        try:
            await asyncio.Event().wait()
        finally:
            await asyncio.sleep(0)
            ended.append("stubborn")

    group = ErrGroup()

    async def fail() -> None:
        async with group:
            group.go(stubborn)
            await settle()
            raise KeyError("gone")

    with pytest.raises(KeyError):
        await fail()
    assert ended == ["stubborn"]
    assert group.token.cancelled
    with pytest.raises(RuntimeError):
        group.go(stubborn)


async def test_no_more_than_the_limit_run_at_once_in_the_order_they_came() -> None:
    running: set[int] = set()
    most, order = 0, []
    group = ErrGroup(limit=2)

    async def work(number: int) -> None:
        nonlocal most
        running.add(number)
        order.append(number)
        most = max(most, len(running))
        await settle(number)
        running.discard(number)

    for number in range(6):
        group.go(work, number)
    assert (await group.wait()).is_ok
    assert most == 2
    assert order == list(range(6))


async def test_what_waits_for_its_turn_is_not_begun_after_a_failure() -> None:
    begun: list[int] = []
    group = ErrGroup(limit=1)
    group.go(lambda: err("no"))
    group.go(asyncio.Event().wait)
    group.go(begun.append, 1)
    await settle()
    for task in list(asyncio.all_tasks() - {asyncio.current_task()}):
        task.cancel()
    error = (await group.wait()).error
    assert error is not None
    assert error.message == "no"
    assert begun == []


async def test_a_step_is_tried_again_and_taken_back_when_it_fails_in_the_end() -> None:
    clock, log = FakeClock(), []

    async def step(context: StepContext) -> Result[None]:
        log.append((context.name, context.attempt))
        context.register_compensation(log.append, "undone")
        return err("no", "app.no")

    group = ErrGroup()
    group.go_step(step, step="charge", policy=ExecutionPolicy(RetryPolicy.fixed(2, 5)), clock=clock)
    group.go(obedient, group.token)
    waiting = asyncio.create_task(group.wait())
    await clock.advance_and_settle(4)
    assert not group.token.cancelled
    await clock.advance_and_settle(1)
    error = (await waiting).error
    assert error is not None
    assert error.code == "app.no"
    assert log == [("charge", 1), "undone", ("charge", 2), "undone"]


def irrevocable(context: StepContext) -> Result[None]:
    """Fails, and cannot be taken back."""
    context.register_compensation([].pop)
    return err("no", "app.no")


async def test_a_step_that_cannot_be_taken_back_fails_with_both_errors() -> None:
    group = ErrGroup()
    group.go_step(irrevocable)
    error = (await group.wait()).error
    assert error is not None
    assert error.code == "error.aggregate"
    assert [inner.code for inner in error.metadata["errors"]] == ["app.no", "error.exception"]


async def test_what_failed_first_stays_the_error_of_the_group() -> None:
    group, first = ErrGroup(), Error("first")
    group.go(lambda: err(first))
    group.go_step(irrevocable)
    assert (await group.wait()).error is first


async def test_the_others_are_stopped_before_a_step_is_taken_back() -> None:
    group = ErrGroup()
    stopped: list[bool] = []

    def step(context: StepContext) -> Result[None]:
        context.register_compensation(lambda: stopped.append(group.token.cancelled))
        return err("no", "app.no")

    group.go_step(step)
    await group.wait()
    assert stopped == [True]


@pytest.mark.parametrize("limit", [0, -1])
def test_a_limit_is_positive(limit: int) -> None:
    with pytest.raises(ValueError):
        ErrGroup(limit=limit)


async def test_a_group_cancelled_at_any_await_leaves_no_task_behind() -> None:
    async def scenario(run: Run) -> None:
        before = asyncio.all_tasks()

        async def work() -> Any:
            async with ErrGroup(limit=1) as group:
                group.go(asyncio.sleep, 0)
                group.go(asyncio.sleep, 0)
                return await group.wait()

        await run(work())
        await settle()
        assert asyncio.all_tasks() == before

    assert await at_each_step(scenario) == 2
