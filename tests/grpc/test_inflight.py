"""The sweep over waiting calls: everyone is asked, a few at a time, and who is gone is let go."""

import asyncio
from collections.abc import MutableMapping
from typing import Any

import pytest

from orchestrator.grpc import inflight as inflight_module
from orchestrator.grpc.inflight import AT_ONCE, Inflight, Request

WAITING = 3 * AT_ONCE + 1


async def test_a_sweep_asks_all_that_wait_a_few_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(inflight_module, "A_SECOND", 1e9)
    inflight = Inflight(0.0)
    asked: list[int] = []
    at_once: list[int] = []

    def waits(number: int) -> Request:
        async def receive() -> MutableMapping[str, Any]:
            asked.append(number)
            return {"type": "http.disconnect" if number == 7 else "http.request"}

        request = Request(receive, asyncio.ensure_future(asyncio.Event().wait()), arrived=-1.0)
        request.body_ended = True
        return request

    requests = [waits(number) for number in range(WAITING)]
    for request in requests:
        inflight.add(request)
    unread = waits(WAITING)
    unread.body_ended = False
    inflight.add(unread)
    sweep = asyncio.ensure_future(inflight.sweep())
    while not sweep.done():
        before = len(asked)
        await asyncio.sleep(0)
        at_once.append(len(asked) - before)
    await asyncio.sleep(0)
    assert sorted(asked) == list(range(WAITING))
    assert max(at_once) <= AT_ONCE
    assert [request for request in requests if request.task.cancelled()] == [requests[7]]
    for request in (*requests, unread):
        request.task.cancel()
