"""A value or nothing, where None itself may be a value; elsewhere `T | None` says it better."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic, Literal, Never, Self, TypeAlias, TypeVar

from hugo.errors import Error
from hugo.result.failure import Err
from hugo.result.success import Ok

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")
U = TypeVar("U")
R = TypeVar("R")


@dataclass(frozen=True)
class Some(Generic[T_co]):
    """A value, which may be None."""

    value: T_co

    @property
    def has_value(self) -> Literal[True]:
        """True."""
        return True

    def fold(self, on_some: Callable[[T_co], R], on_nothing: object) -> R:
        """What `on_some` returns for the value."""
        return on_some(self.value)

    def unwrap(self) -> T_co:
        """The value."""
        return self.value

    def value_or(self, default: object) -> T_co:
        """The value."""
        return self.value

    def value_or_else(self, make: object) -> T_co:
        """The value."""
        return self.value

    def bind(self, step: "Callable[[T_co], Option[U]]") -> "Option[U]":
        """The option the step makes of the value."""
        return step(self.value)

    def map(self, change: Callable[[T_co], U]) -> "Some[U]":
        """The changed value."""
        return Some(change(self.value))

    def filter(self, holds: Callable[[T_co], object]) -> "Self | Nothing":
        """The same if `holds` is true for the value, otherwise nothing."""
        return self if holds(self.value) else NOTHING

    def or_else(self, other: object) -> Self:
        """The same."""
        return self

    def to_result(self, error: Callable[[], Error] = Error.unspecified) -> Ok[T_co]:
        """A success with the value."""
        return Ok(self.value)


@dataclass(frozen=True, slots=True)
class Nothing:
    """No value."""

    @property
    def has_value(self) -> Literal[False]:
        """False."""
        return False

    def fold(self, on_some: object, on_nothing: Callable[[], R]) -> R:
        """What `on_nothing` returns."""
        return on_nothing()

    def unwrap(self) -> Never:
        """Raises ValueError."""
        raise ValueError("This option has no value.")

    def value_or(self, default: U) -> U:
        """The default."""
        return default

    def value_or_else(self, make: Callable[[], U]) -> U:
        """What `make` returns."""
        return make()

    def bind(self, step: object) -> Self:
        """Nothing."""
        return self

    def map(self, change: object) -> Self:
        """Nothing."""
        return self

    def filter(self, holds: object) -> Self:
        """Nothing."""
        return self

    def or_else(self, other: "Option[U]") -> "Option[U]":
        """The other option."""
        return other

    def to_result(self, error: Callable[[], Error] = Error.unspecified) -> Err:
        """The error that `error` makes."""
        return Err(error())


Option: TypeAlias = Some[T] | Nothing
"""Either a value of type T or nothing."""

NOTHING = Nothing()
"""The option without a value; there is one."""


def from_nullable(value: T | None) -> Option[T]:
    """The value, or nothing if it is None."""
    return NOTHING if value is None else Some(value)
