"""What a select may wait for."""

from collections.abc import Callable
from typing import Any, Generic, NamedTuple, TypeVar

from hugo.channels import ChannelReader

T = TypeVar("T")

Handler = Callable[[Any], Any]
"""Takes the item. It may return a value, a Result, or an awaitable of either."""


class Case(NamedTuple, Generic[T]):
    """An item of `reader` goes to `handler`; among cases that are ready the lowest `priority` is chosen."""

    reader: ChannelReader[T]
    handler: Callable[[T], Any]
    priority: int = 0


class Deadline(NamedTuple):
    """At `moment`, by the clock's `monotonic`, the time goes to `handler`."""

    moment: float
    handler: Handler
    priority: int = 0


def on(reader: ChannelReader[T], handler: Callable[[T], Any], *, priority: int = 0) -> Case[T]:
    """A case of a select."""
    return Case(reader, handler, priority)
