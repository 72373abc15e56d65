"""Spans of decisions and effects."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Protocol, TypeVar

from hugo.diagnostics.spans import Attribute, start_span
from hugo.result.core import Result
from hugo.result.failure import Err

T = TypeVar("T")


class Tell(Protocol):
    """Tells the span of a stage how it ended."""

    def __call__(self, result: Result[T], describe: Callable[[T], Mapping[str, Attribute]] | None = None) -> Result[T]:
        """The same result; `describe` makes attributes of its value."""


@contextmanager
def stage(name: str, attributes: Mapping[str, Attribute]) -> Iterator[Tell]:
    """A span around the block, which ends with the error of the result it is told, or with what is raised."""
    span = start_span(f"Deterministic.{name}", {"deterministic.stage": name, **attributes})
    failure: list[str] = []

    def tell(result: Result[T], describe: Callable[[T], Mapping[str, Attribute]] | None = None) -> Result[T]:
        if isinstance(result, Err):
            span.set_attributes({"deterministic.error.code": result.error.code or ""})
            failure.append(result.error.message)
        elif describe is not None:
            span.set_attributes(describe(result.value))
        return result

    try:
        yield tell
    except BaseException as exception:
        failure.append(str(exception) or type(exception).__qualname__)
        raise
    finally:
        span.end(error=failure[-1] if failure else None)
