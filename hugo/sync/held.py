"""Holding a lock during a block, and giving it back once."""

from collections.abc import Awaitable, Callable

from hugo.cancellation import CancelToken


class Held:
    """`async with` this to hold a lock; what was cancelled while it waited holds nothing."""

    __slots__ = ("_give_back", "_take", "_token")

    def __init__(
        self,
        take: Callable[[CancelToken | None], Awaitable[None]],
        give_back: Callable[[], None],
        token: CancelToken | None,
    ) -> None:
        self._take = take
        self._give_back = give_back
        self._token = token

    async def __aenter__(self) -> None:
        await self._take(self._token)

    async def __aexit__(self, *_: object) -> None:
        self._give_back()


def once(release: Callable[[], None]) -> Callable[[], None]:
    """A function that calls `release` the first time, and does nothing after."""
    pending = [release]

    def release_once() -> None:
        if pending:
            pending.pop()()

    return release_once
