"""A select put together case by case."""

from collections.abc import Callable
from datetime import datetime
from typing import Any, Generic, Literal, TypeVar, overload

from hugo.cancellation import CancelToken
from hugo.channels import ChannelReader
from hugo.clock import SYSTEM_CLOCK, Clock
from hugo.result import Result
from hugo.select.cases import Case, Deadline
from hugo.select.select import choose

T = TypeVar("T")
R = TypeVar("R")


class SelectBuilder(Generic[R]):
    """Collects cases and runs them as one select; handlers return an `R` or a Result of one."""

    def __init__(
        self, *, timeout: float | None = None, clock: Clock | None = None, token: CancelToken | None = None
    ) -> None:
        """`timeout` in seconds counts from `execute`."""
        self._cases: list[Case[Any] | Deadline] = []
        self._default: Callable[[], Any] | None = None
        self._timeout = timeout
        self._clock = clock or SYSTEM_CLOCK
        self._token = token

    @overload
    def case(
        self,
        reader: ChannelReader[T],
        handler: Callable[[T], Any],
        *,
        priority: int = ...,
        linked: Literal[False] = ...,
    ) -> "SelectBuilder[R]": ...
    @overload
    def case(
        self,
        reader: ChannelReader[T],
        handler: Callable[[T, CancelToken], Any],
        *,
        priority: int = ...,
        linked: Literal[True],
    ) -> "SelectBuilder[R]": ...
    def case(
        self, reader: ChannelReader[T], handler: Callable[..., Any], *, priority: int = 0, linked: bool = False
    ) -> "SelectBuilder[R]":
        """Adds a channel, as `on` makes a case of it; the lowest priority wins, then the one added first."""
        self._cases.append(Case(reader, handler, priority, linked))
        return self

    def default(self, handler: Callable[[], Any]) -> "SelectBuilder[R]":
        """Names what to do when no case is ready; raises ValueError the second time."""
        if self._default is not None:
            raise ValueError("A select has one default.")
        self._default = handler
        return self

    def deadline(self, due_in: float, handler: Callable[[datetime], Any], *, priority: int = 0) -> "SelectBuilder[R]":
        """Adds a case that is ready `due_in` seconds from now, not from `execute`; its handler gets the UTC time."""
        if due_in < 0:
            raise ValueError("A deadline does not lie in the past.")
        self._cases.append(Deadline(self._clock.monotonic() + due_in, handler, priority))
        return self

    async def execute(self) -> Result[R]:
        """Runs the select; raises RuntimeError if it has neither a case nor a default."""
        if not self._cases and self._default is None:
            raise RuntimeError("A select needs a case or a default.")
        return await choose(self._cases, self._default, self._timeout, self._clock, self._token)
