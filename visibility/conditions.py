"""Gives a parsed query its meaning: which attribute a name stands for, and what it is tested for.

A literal that can be no value of the type, such as 'five' for an Int, equals nothing and is in no order with anything.
"""

import dataclasses
import enum
from collections.abc import Mapping

from orchestrator.core.search_attribute_text import words
from orchestrator.core.search_attribute_types import KEYWORD, KEYWORD_LIST, TEXT, TYPE_NAMES, any_type
from orchestrator.errors import InvalidArgument
from visibility.literals import Value, bounded, invalid, is_possible, value_of
from visibility.query import Condition, Literal, Predicate


class Operator(enum.Enum):
    """What a typed test asks. A run without the attribute passes none of them but NULL."""

    IN = "in"
    NOT_IN = "not in"
    LESS = "<"
    LESS_OR_EQUAL = "<="
    GREATER = ">"
    GREATER_OR_EQUAL = ">="
    STARTS_WITH = "starts_with"
    NOT_STARTS_WITH = "not starts_with"
    NULL = "is null"
    NOT_NULL = "is not null"


@dataclasses.dataclass(frozen=True, slots=True)
class TypedPredicate:
    """One attribute against values of its type.

    Attributes:
        name: of the attribute.
        kind: its type, a number of IndexedValueType.
        operator: what is asked; for Text, IN asks for any of the words, for KeywordList for any of the items.
        values: none for the null tests, any number for IN and NOT_IN (none: nothing, everything), else one.
    """

    name: str
    kind: int
    operator: Operator
    values: tuple[Value, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class TypedGroup:
    """As `query.Group`."""

    every: bool
    parts: "tuple[TypedCondition, ...]"


TypedCondition = TypedPredicate | TypedGroup

EQUALITY = {"=": Operator.IN, "in": Operator.IN, "!=": Operator.NOT_IN, "not in": Operator.NOT_IN}
ORDER = {
    "<": Operator.LESS,
    "<=": Operator.LESS_OR_EQUAL,
    ">": Operator.GREATER,
    ">=": Operator.GREATER_OR_EQUAL,
}
NULLS = {"is null": Operator.NULL, "is not null": Operator.NOT_NULL}
PREFIXES = {"starts_with": Operator.STARTS_WITH, "not starts_with": Operator.NOT_STARTS_WITH}


def typed(condition: Condition, custom: Mapping[str, int]) -> TypedCondition:
    """The meaning of a condition.

    Args:
        custom: the custom attributes of the namespace, name to number of IndexedValueType.

    Raises:
        InvalidArgument: an attribute does not exist, an operator is not one of its type, or a literal cannot be read.
    """
    if isinstance(condition, Predicate):
        return _predicate(condition, attribute_type(condition.name, custom))
    return TypedGroup(condition.every, tuple(typed(part, custom) for part in condition.parts))


def attribute_type(name: str, custom: Mapping[str, int]) -> int:
    """The type of an attribute; raises InvalidArgument if there is none of this name."""
    kind = any_type(name, custom)
    if kind is None:
        raise invalid(f"column name '{name}' is not a valid search attribute")
    return kind


def names(condition: TypedCondition | None) -> set[str]:
    """The attributes a condition is about."""
    if condition is None:
        return set()
    if isinstance(condition, TypedPredicate):
        return {condition.name}
    return set().union(*map(names, condition.parts))


def is_about_one(condition: TypedCondition | None) -> bool:
    """Whether only runs of given workflow ids, or given runs, can match."""
    if isinstance(condition, TypedPredicate):
        return condition.name in ("WorkflowId", "RunId") and condition.operator is Operator.IN
    return condition is not None and condition.every and any(map(is_about_one, condition.parts))


def _predicate(predicate: Predicate, kind: int) -> TypedCondition:
    operator, name = predicate.operator, predicate.name
    if operator in NULLS:
        return TypedPredicate(name, kind, NULLS[operator])
    if operator in EQUALITY:
        return _equality(predicate, kind)
    if operator in PREFIXES:
        return _prefix(predicate, kind)
    if kind in (TEXT, KEYWORD_LIST) or name == "ExecutionStatus":
        raise _unsupported(predicate, kind)
    if operator in ORDER:
        return _order(name, kind, operator, predicate.literals[0])
    low, high = predicate.literals
    if operator == "between":
        return TypedGroup(True, (_order(name, kind, ">=", low), _order(name, kind, "<=", high)))
    return TypedGroup(False, (_order(name, kind, "<", low), _order(name, kind, ">", high)))


def _equality(predicate: Predicate, kind: int) -> TypedPredicate:
    if kind == TEXT:
        if predicate.operator not in ("=", "!="):
            raise _unsupported(predicate, kind)
        return TypedPredicate(predicate.name, kind, EQUALITY[predicate.operator], _words(predicate))
    values = (value_of(predicate.name, kind, literal) for literal in predicate.literals)
    exact = tuple(value for value in values if value is not None and is_possible(value, kind))
    return TypedPredicate(predicate.name, kind, EQUALITY[predicate.operator], exact)


def _words(predicate: Predicate) -> tuple[str, ...]:
    found = tuple(dict.fromkeys(words(str(predicate.literals[0]))))
    if not found:
        raise invalid(f"unexpected value for Text type search attribute (no words found in '{predicate.literals[0]}')")
    return found


def _prefix(predicate: Predicate, kind: int) -> TypedPredicate:
    if kind != KEYWORD or predicate.name == "ExecutionStatus":
        raise _unsupported(predicate, kind)
    literal = predicate.literals[0]
    if not isinstance(literal, str):
        raise invalid(f"right-hand side of 'starts_with' must be a literal string (got: {literal})")
    return TypedPredicate(predicate.name, kind, PREFIXES[predicate.operator], (literal,))


def _order(name: str, kind: int, operator: str, literal: Literal) -> TypedPredicate:
    value = value_of(name, kind, literal)
    if value is None:
        if name == "RunId":
            raise invalid(f"RunId can only be ordered by UUIDs, which '{literal}' is not")
        return TypedPredicate(name, kind, Operator.IN)
    # Of integers, those below 1.5 are those below 2, and those up to 1.5 are those up to 1.
    return TypedPredicate(name, kind, ORDER[operator], (bounded(value, kind, up=operator in ("<", ">=")),))


def _unsupported(predicate: Predicate, kind: int) -> InvalidArgument:
    kind_name = TYPE_NAMES[kind]
    return invalid(
        f"operator '{predicate.operator}' not supported for {kind_name} type search attribute '{predicate.name}'"
    )
