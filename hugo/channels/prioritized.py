"""Channels with several lanes: the reader always takes from the first lane that has an item."""

from collections.abc import Sequence
from typing import Generic, TypeVar

from hugo.cancellation import CancelToken
from hugo.channels.reader import ChannelReader
from hugo.channels.writer import ChannelWriter, FullMode

T = TypeVar("T")


class PrioritizedWriter(Generic[T]):
    """Puts items into the lanes of a channel; lane 0 is read first."""

    __slots__ = ("_default", "_lanes", "_reader")

    def __init__(self, lanes: Sequence[ChannelWriter[T]], default: int, reader: ChannelReader[T]) -> None:
        """Channels make their writers themselves."""
        self._lanes = lanes
        self._default = default
        self._reader = reader

    def _lane(self, priority: int | None) -> ChannelWriter[T]:
        if priority is None:
            return self._lanes[self._default]
        if not 0 <= priority < len(self._lanes):
            raise ValueError(f"Priority {priority} is not between 0 and {len(self._lanes) - 1}.")
        return self._lanes[priority]

    async def write(self, item: T, priority: int | None = None, *, token: CancelToken | None = None) -> None:
        """Adds an item to the lane of its priority, or the default one.

        Raises ValueError if there is no such lane, ChannelClosed once the channel is completed, and OperationCanceled
        when the token fires first.
        """
        await self._lane(priority).write(item, token=token)

    def try_write(self, item: T, priority: int | None = None) -> bool:
        """Adds an item if that needs no waiting; False if the lane is full or the channel completed."""
        return self._lane(priority).try_write(item)

    async def wait_to_write(self, priority: int | None = None, *, token: CancelToken | None = None) -> bool:
        """Waits until the lane has room: True, or False when the channel is completed."""
        return await self._lane(priority).wait_to_write(token=token)

    def try_complete(self, error: BaseException | None = None) -> bool:
        """Ends all lanes; False if the channel has ended before. Readers get what is left first."""
        if not self._reader._complete(error):
            return False
        for lane in self._lanes:
            lane.refuse()
        return True


class PrioritizedChannel(Generic[T]):
    """Items in lanes; within a lane they keep their order. An urgent item passes all that are less so."""

    __slots__ = ("default_priority", "levels", "reader", "writer")

    def __init__(
        self,
        levels: int = 3,
        *,
        default_priority: int | None = None,
        capacity_per_level: int | None = None,
        full_mode: FullMode = FullMode.WAIT,
        prefetch: int = 1,
    ) -> None:
        """Makes `levels` lanes of `capacity_per_level` items each (None: without bound), of which 0 is the most urgent.

        `default_priority` is the lane of items without one: the last, unless told. `prefetch` is checked and has no
        effect: nothing is staged, so nothing is overtaken. Raises ValueError for a number out of range.
        """
        if levels <= 0 or prefetch <= 0 or (capacity_per_level is not None and capacity_per_level <= 0):
            raise ValueError("Levels, prefetch and capacity are positive.")
        default = levels - 1 if default_priority is None else default_priority
        if not 0 <= default < levels:
            raise ValueError(f"The default priority {default} is not between 0 and {levels - 1}.")
        lanes: tuple[ChannelWriter[T], ...] = tuple(ChannelWriter(capacity_per_level, full_mode) for _ in range(levels))

        def take() -> T:
            for lane in lanes:
                if lane._items:
                    return lane.take()
            raise AssertionError("A reader was promised an item that is not there.")

        self.levels = levels
        self.default_priority = default
        self.reader: ChannelReader[T] = ChannelReader(take)
        self.writer: PrioritizedWriter[T] = PrioritizedWriter(lanes, default, self.reader)
        for lane in lanes:
            lane.serve(self.reader)
