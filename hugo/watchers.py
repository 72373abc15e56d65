"""Waiting for a change, wherever it happens first."""

import asyncio
import math
from collections.abc import Collection

from hugo.cancellation import CancelToken, wait_for
from hugo.clock import SYSTEM_CLOCK, Clock


class Watchers:
    """Tasks that want to look again when something changes; they are given nothing."""

    __slots__ = ("futures",)

    def __init__(self) -> None:
        self.futures: dict[asyncio.Future[bool], None] = {}

    async def wait(
        self, token: CancelToken | None = None, *, seconds: float | None = None, clock: Clock | None = None
    ) -> bool:
        """Waits for the next change: True, or False if `seconds` pass without one.

        Raises OperationCanceled when the token fires first.
        """
        return await first_change([self], token, seconds=seconds, clock=clock)

    def wake(self) -> None:
        """Lets all of them look."""
        futures = list(self.futures)
        self.futures.clear()
        for future in futures:
            if not future.done():
                future.set_result(True)


async def first_change(
    places: Collection[Watchers],
    token: CancelToken | None = None,
    *,
    seconds: float | None = None,
    clock: Clock | None = None,
) -> bool:
    """Waits for the next change in any of the places: True, or False if `seconds` pass without one.

    Raises OperationCanceled when the token fires first.
    """
    future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()

    def expire() -> None:
        if not future.done():
            future.set_result(False)

    for place in places:
        place.futures[future] = None
    timer = None
    if seconds is not None and seconds != math.inf:
        timer = (clock or SYSTEM_CLOCK).call_later(seconds, expire)
    try:
        return await wait_for(future, token)
    finally:
        for place in places:
            place.futures.pop(future, None)
        if timer is not None:
            timer.cancel()
