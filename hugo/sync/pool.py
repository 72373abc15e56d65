"""`Pool`: things kept for the next one who needs them."""

from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")


class Pool(Generic[T]):
    """Keeps things that are dear to make. Which of them is given next is not promised."""

    __slots__ = ("_items", "_max_capacity", "_new")

    def __init__(self, new: Callable[[], T] | None = None, max_capacity: int | None = None) -> None:
        """`new` makes one when the pool is empty; what exceeds `max_capacity` is let go."""
        if max_capacity is not None and max_capacity <= 0:
            raise ValueError("The capacity of a pool is positive, or None.")
        self._new = new
        self._max_capacity = max_capacity
        self._items: list[T] = []

    @property
    def count(self) -> int:
        """Things in the pool."""
        return len(self._items)

    def get(self) -> T:
        """Takes a thing out, or makes one; raises RuntimeError if there is none and nothing to make it with."""
        if self._items:
            return self._items.pop()
        if self._new is None:
            raise RuntimeError("The pool is empty and has no way to make a new item.")
        return self._new()

    def put(self, item: T) -> None:
        """Puts a thing in; raises ValueError for None."""
        if item is None:
            raise ValueError("A pool does not keep None.")
        if self._max_capacity is None or len(self._items) < self._max_capacity:
            self._items.append(item)

    def clear(self) -> int:
        """Lets everything go; returns how many there were."""
        count = len(self._items)
        self._items.clear()
        return count
