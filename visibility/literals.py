"""What the literals of a query are worth for an attribute."""

import math
import uuid

from temporalio.api.enums.v1 import WorkflowExecutionStatus

from orchestrator.core.search_attribute_types import BOOL, DATETIME, DOUBLE, INT, KEYWORD, KEYWORD_LIST
from orchestrator.core.search_attributes import nanoseconds
from orchestrator.errors import InvalidArgument
from visibility import durations
from visibility.query import Literal

SMALLEST, LARGEST = -(2**63), 2**63 - 1
LARGEST_STATUS = 2**15 - 1
WHOLE = frozenset({INT, DATETIME, BOOL})
PREFIX = "WORKFLOW_EXECUTION_STATUS_"
STATUS_NAMES: dict[int, str] = {
    number: name.removeprefix(PREFIX).title().replace("_", "")
    for name, number in WorkflowExecutionStatus.items()
    if number
}
"""The states as queries and the groups of a count spell them: Running, TimedOut, ..."""

Value = str | int | float | uuid.UUID

_statuses = {name: number for number, name in STATUS_NAMES.items()} | dict(WorkflowExecutionStatus.items())


def invalid(what: str) -> InvalidArgument:
    """The refusal of a query whose parts do not fit together."""
    return InvalidArgument(f"invalid query: invalid expression: {what[:1000]}")


def value_of(name: str, kind: int, literal: Literal) -> Value | None:
    """What a literal is worth for an attribute.

    Args:
        name: of the attribute.
        kind: its type.

    Returns:
        A value to compare with, for types of whole numbers possibly a fraction; None if it can be none.

    Raises:
        InvalidArgument: a state, a time or a duration cannot be read.
    """
    if name == "ExecutionStatus":
        return _status(literal)
    if name == "RunId":
        return _uuid(literal)
    if name == "ExecutionDuration" and isinstance(literal, str):
        return _duration(literal)
    if kind in (KEYWORD, KEYWORD_LIST):
        return None if isinstance(literal, bool) else str(literal)
    if kind == DATETIME and isinstance(literal, str):
        return _time(literal)
    if kind == BOOL:
        return None if isinstance(literal, str) else _number(literal)
    number = None if isinstance(literal, bool) else _number(literal)
    return float(number) if kind == DOUBLE and number is not None else number


def is_possible(value: Value, kind: int) -> bool:
    """Whether an attribute of the type can have the value, not only lie above or below it."""
    return kind not in WHOLE or (isinstance(value, int) and SMALLEST <= value <= LARGEST)


def bounded(value: Value, kind: int, up: bool) -> Value:
    """The value as a bound: for types of whole numbers one of them, a fraction rounded up or down."""
    if kind not in WHOLE or not isinstance(value, int | float):
        return value
    whole = math.ceil(value) if up else math.floor(value)
    return max(SMALLEST, min(LARGEST, whole))


def _number(literal: str | int | float) -> int | float | None:
    """The number, an int if it is whole; None for what is no number, and for one too large to calculate with."""
    try:
        number = float(literal)
    except (ValueError, OverflowError):
        return None
    if not math.isfinite(number):
        return None
    if isinstance(literal, str) and literal.lstrip("+-").isdecimal():
        return int(literal)
    if isinstance(literal, int):
        return int(literal)
    return int(number) if number.is_integer() else number


def _status(literal: Literal) -> int:
    if isinstance(literal, int) and not isinstance(literal, bool):
        return max(0, min(literal, LARGEST_STATUS))
    number = _statuses.get(literal) if isinstance(literal, str) else None
    if number is None:
        raise invalid(f"invalid ExecutionStatus value '{literal}'")
    return number


def _uuid(literal: Literal) -> uuid.UUID | None:
    try:
        return uuid.UUID(str(literal))
    except ValueError:
        return None


def _duration(literal: str) -> int:
    try:
        return durations.nanoseconds(literal)
    except ValueError:
        raise InvalidArgument(
            f"invalid query: invalid value for search attribute ExecutionDuration: {literal[:100]} (invalid duration)"
        ) from None


def _time(literal: str) -> int:
    try:
        return nanoseconds(literal)
    except ValueError:
        raise invalid(f"unable to parse datetime '{literal}'") from None
