"""The queue that returns results."""

import asyncio

import pytest

from hugo.cancellation import CancelToken
from hugo.clock import FakeClock, settle
from hugo.errors import Error
from hugo.result import Result
from hugo.task_queue import SafeTaskQueue, TaskQueue


def code(result: Result[object]) -> str | None:
    return None if result.error is None else result.error.code


async def test_what_succeeds_has_a_value() -> None:
    safe = SafeTaskQueue(TaskQueue[str](clock=FakeClock()))
    assert (await safe.enqueue("a")).value == 1
    lease = (await safe.lease()).unwrap()
    assert lease.value == "a"
    assert (await lease.heartbeat()).value == lease.unsafe.expires_at
    assert (await lease.fail(Error("no"))).is_ok
    assert (await (await safe.lease()).unwrap().release()).is_ok
    assert (await safe.wrap(await safe.unsafe.lease()).complete()).is_ok


async def test_what_is_over_is_an_error() -> None:
    safe = SafeTaskQueue(TaskQueue[str](clock=FakeClock()), owns_queue=True)
    await safe.enqueue("a")
    lease = (await safe.lease()).unwrap()
    assert code(await lease.fail(None)) == "error.validation"
    await lease.complete()
    assert code(await lease.complete()) == "error.taskqueue.lease_inactive"
    await safe.aclose()
    assert str((await safe.enqueue("b")).error) == "error.taskqueue.disposed: The task queue has been disposed."
    assert code(await safe.lease()) == "error.taskqueue.disposed"
    assert code(await lease.heartbeat()) == "error.taskqueue.disposed"


async def test_a_queue_that_is_not_owned_stays_open() -> None:
    queue = TaskQueue[str](clock=FakeClock())
    await SafeTaskQueue(queue).aclose()
    assert not queue.closed


async def test_a_token_is_an_error_and_the_cancellation_of_the_task_is_not() -> None:
    safe, token = SafeTaskQueue(TaskQueue[str](clock=FakeClock())), CancelToken()
    stopped, cancelled = asyncio.create_task(safe.lease(token=token)), asyncio.create_task(safe.lease())
    await settle()
    token.cancel()
    cancelled.cancel()
    assert code(await stopped) == "error.canceled"
    with pytest.raises(asyncio.CancelledError):
        await cancelled


async def test_what_nobody_expected_is_an_exception_error() -> None:
    class Broken(FakeClock):
        def monotonic(self) -> float:
            raise OSError("no clock")

    safe = SafeTaskQueue(TaskQueue[str](clock=Broken()))
    await safe.enqueue("a")
    assert code(await safe.lease()) == "error.exception"
