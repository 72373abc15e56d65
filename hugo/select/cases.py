"""What a select may wait for."""

from collections.abc import Callable
from typing import Any, Generic, Literal, NamedTuple, TypeVar, overload

from hugo.cancellation import CancelToken
from hugo.channels import ChannelReader

T = TypeVar("T")

Handler = Callable[[Any], Any]
"""Takes the item. It may return a value, a Result, or an awaitable of either."""


class Case(NamedTuple, Generic[T]):
    """An item of `reader` goes to `handler`; among cases that are ready the lowest `priority` is chosen.

    If it is `linked`, the handler gets a token, too, as `on` says.
    """

    reader: ChannelReader[T]
    handler: Callable[..., Any]
    priority: int = 0
    linked: bool = False


class Deadline(NamedTuple):
    """At `moment`, by the clock's `monotonic`, the time goes to `handler`."""

    moment: float
    handler: Handler
    priority: int = 0


@overload
def on(
    reader: ChannelReader[T], handler: Callable[[T], Any], *, priority: int = 0, linked: Literal[False] = False
) -> Case[T]: ...
@overload
def on(
    reader: ChannelReader[T], handler: Callable[[T, CancelToken], Any], *, priority: int = 0, linked: Literal[True]
) -> Case[T]: ...
def on(reader: ChannelReader[T], handler: Callable[..., Any], *, priority: int = 0, linked: bool = False) -> Case[T]:
    """A case of a select.

    If it is `linked`, the handler gets a token after the item: it fires with the token of the select, and when the
    handler has ended, for what the handler has started and left behind.
    """
    return Case(reader, handler, priority, linked)
