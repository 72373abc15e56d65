"""A token's cancellation is data, a task's cancellation propagates."""

import asyncio
import logging

import pytest

from hugo.cancellation import CancelToken, OperationCanceled, stopped_by, wait_for
from hugo.clock import FakeClock, settle
from hugo.errors import Error
from hugo.result import Result, err, ok


async def test_a_token_fires_once_and_calls_back_in_order() -> None:
    token = CancelToken()
    called: list[str] = []
    token.on_cancel(lambda: called.append("first"))
    unregister = token.on_cancel(lambda: called.append("never"))
    token.on_cancel(lambda: called.append(token.reason or ""))
    unregister()
    token.cancel("enough")
    token.cancel("again")
    assert called == ["first", "enough"]
    assert token.cancelled
    assert token.reason == "enough"


async def test_a_token_that_has_fired_calls_back_at_once() -> None:
    token = CancelToken()
    token.cancel()
    called: list[int] = []
    token.on_cancel(lambda: called.append(1))
    await token.wait()
    assert called == [1]
    with pytest.raises(OperationCanceled) as stopped:
        token.raise_if_cancelled()
    assert stopped.value.token is token


async def test_a_callback_that_raises_is_logged_and_stops_no_other(caplog: pytest.LogCaptureFixture) -> None:
    token = CancelToken()
    called: list[int] = []
    token.on_cancel(lambda: called[0])
    token.on_cancel(lambda: called.append(1))
    with caplog.at_level(logging.ERROR):
        token.cancel()
    assert called == [1]
    assert "IndexError" in caplog.text


async def test_a_linked_token_fires_with_any_parent_and_not_the_other_way() -> None:
    one, two = CancelToken(), CancelToken()
    child, other = CancelToken.linked(one, None, two), CancelToken.linked(one)
    other.cancel()
    assert not one.cancelled
    two.cancel("two")
    assert child.cancelled
    assert child.reason == "two"
    assert not one.cancelled
    assert CancelToken.linked(two).cancelled


async def test_a_closed_link_is_let_go_by_its_parent() -> None:
    parent = CancelToken()
    with CancelToken.linked(parent) as child:
        pass
    parent.cancel()
    assert not child.cancelled


async def test_a_token_fires_after_a_delay() -> None:
    clock, token = FakeClock(), CancelToken()
    token.cancel_after(9, clock)
    token.cancel_after(3, clock)
    clock.advance(2)
    assert not token.cancelled
    clock.advance(1)
    assert token.cancelled
    assert clock.next_due is None
    with pytest.raises(ValueError):
        CancelToken().cancel_after(-1, clock)


async def test_tasks_wait_for_a_token() -> None:
    token = CancelToken()
    waiting = asyncio.create_task(token.wait())
    await settle()
    assert not waiting.done()
    token.cancel()
    await waiting


async def test_a_future_is_awaited_until_the_token_fires() -> None:
    token = CancelToken()
    waiting = asyncio.create_task(wait_for(asyncio.get_running_loop().create_future(), token))
    await settle()
    token.cancel("enough")
    with pytest.raises(OperationCanceled, match="enough"):
        await waiting


async def boundary(token: CancelToken) -> Result[None]:
    """Code that owns a token: what the token stops becomes data."""
    try:
        await wait_for(asyncio.get_running_loop().create_future(), token)
    except asyncio.CancelledError:
        if stopped_by(token):
            return err(Error.canceled(token=token))
        raise
    return ok()


async def test_what_the_token_stops_becomes_data() -> None:
    token = CancelToken()
    task = asyncio.create_task(boundary(token))
    await settle()
    token.cancel("enough")
    error = (await task).error
    assert error is not None
    assert error.code == "error.canceled"
    assert error.get("cancellationToken") == {"cancelled": True, "reason": "enough"}


@pytest.mark.parametrize("token_first", [True, False, None])
async def test_the_cancellation_of_the_task_propagates_whatever_the_token_does(token_first: bool | None) -> None:
    token = CancelToken()
    task = asyncio.create_task(boundary(token))
    await settle()
    if token_first is True:
        token.cancel()
    task.cancel()
    if token_first is False:
        token.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()
