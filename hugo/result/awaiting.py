"""Callbacks that may be asynchronous, or not."""

from collections.abc import Awaitable
from inspect import isawaitable
from typing import TypeAlias, TypeVar

T = TypeVar("T")

MaybeAwaitable: TypeAlias = Awaitable[T] | T


async def settled(value: MaybeAwaitable[T]) -> T:
    """The value, awaited if it has to be."""
    return await value if isawaitable(value) else value
