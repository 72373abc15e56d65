"""Answers visibility queries from the table of visibility records, on any database Django speaks to.

Custom attributes are read out of the JSON column, where `search_attributes.decode` put them in a form that compares the
same everywhere.
"""

import uuid
from collections.abc import Mapping
from functools import reduce
from operator import and_, or_
from typing import NamedTuple

from django.db import connections
from django.db.models import BigIntegerField, Count, Expression, F, FloatField, Q, QuerySet, TextField, Value
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Cast, StrIndex
from django.db.models.lookups import GreaterThan

from orchestrator.core.search_attribute_text import needle
from orchestrator.core.search_attribute_types import DOUBLE, KEYWORD, KEYWORD_LIST, TEXT
from orchestrator.core.search_attributes import key
from orchestrator.models.visibility import OPEN, VisibilityRecord
from visibility.conditions import Operator, TypedCondition, TypedGroup, TypedPredicate, is_about_one, names, typed
from visibility.query import Query

DIVISION = "TemporalNamespaceDivision"
OPEN_STATUSES = frozenset({1, 8})
"""Running and Paused."""

COLUMNS = {
    "WorkflowId": "workflow_id",
    "RunId": "run_id",
    "WorkflowType": "workflow_type",
    "ExecutionStatus": "status",
    "TaskQueue": "task_queue",
    "ParentWorkflowId": "parent_workflow_id",
    "ParentRunId": "parent_run_id",
    "RootWorkflowId": "root_workflow_id",
    "RootRunId": "root_run_id",
    "StartTime": "start_time",
    "ExecutionTime": "execution_time",
    "CloseTime": "close_time",
    "HistoryLength": "history_length",
    "HistorySizeBytes": "history_size_bytes",
    "ExecutionDuration": "execution_duration",
    "StateTransitionCount": "state_transition_count",
    DIVISION: "namespace_division",
}
MISSING = {
    "close_time": OPEN,
    "parent_workflow_id": "",
    "parent_run_id": "",
    "root_workflow_id": "",
    "root_run_id": "",
    "namespace_division": "",
}
"""What a column holds, in place of NULL, where the run does not have the attribute."""

SUFFIXES = {
    Operator.LESS: "lt",
    Operator.LESS_OR_EQUAL: "lte",
    Operator.GREATER: "gt",
    Operator.GREATER_OR_EQUAL: "gte",
}
LAST_CHARACTER = 0x10FFFF
SURROGATES = range(0xD800, 0xE000)


class Found(NamedTuple):
    """The records of a query, in no order, and whether they are surely few."""

    rows: QuerySet[VisibilityRecord]
    few: bool


def records(database: str, namespace_id: str, query: Query, custom: Mapping[str, int]) -> Found:
    """The records a query asks for.

    Args:
        database: the Django alias.
        namespace_id: of the namespace the query is about.
        query: as it was parsed.
        custom: the custom attributes of the namespace, name to number of IndexedValueType.

    Raises:
        InvalidArgument: an attribute does not exist, or is tested for what it cannot be.
    """
    condition = typed(query.where, custom) if query.where is not None else None
    few = is_about_one(condition)
    rows = VisibilityRecord.objects.using(database).filter(namespace_id=uuid.UUID(namespace_id))
    if DIVISION not in names(condition):
        # For a database without statistics two equal columns look better than one, so this must not look like one.
        rows = rows.exclude(namespace_division__gt="") if few else rows.filter(namespace_division="")
    if condition is None:
        return Found(rows, few)
    compiler = _Compiler(connections[database].vendor)
    where = compiler.condition(condition)
    return Found(rows.alias(**compiler.aliases).filter(where), few)


def count_by_status(rows: QuerySet[VisibilityRecord]) -> dict[int, int]:
    """How many of the records are in each state that one of them is in."""
    return dict(rows.order_by().values_list("status").annotate(number=Count("id")))


class _Compiler:
    """Turns typed conditions into Q objects, and collects the expressions they name."""

    def __init__(self, vendor: str) -> None:
        self._vendor = vendor
        self._names: dict[str, str] = {}
        self.aliases: dict[str, Expression] = {}

    def condition(self, condition: TypedCondition) -> Q:
        if isinstance(condition, TypedGroup):
            return reduce(and_ if condition.every else or_, map(self.condition, condition.parts))
        if condition.name == "ExecutionStatus":
            return _status(condition)
        column = COLUMNS.get(condition.name)
        name = self._alias(condition) if column is None else column
        passed = self._predicate(condition, name)
        if column in MISSING:
            return _without_missing(condition, passed, column)
        return passed

    def _alias(self, predicate: TypedPredicate) -> str:
        """The name of the expression that reads a custom or predefined attribute."""
        path = key(predicate.name, predicate.kind)
        if path not in self._names:
            self._names[path] = f"attribute_{len(self._names)}"
            text = KeyTextTransform(path, "search_attributes")
            if predicate.kind in (KEYWORD, KEYWORD_LIST, TEXT):
                value = Cast(text, TextField())
            else:
                value = Cast(text, FloatField() if predicate.kind == DOUBLE else BigIntegerField())
            self.aliases[self._names[path]] = value
        return self._names[path]

    def _predicate(self, predicate: TypedPredicate, name: str) -> Q:
        operator, values = predicate.operator, predicate.values
        if operator in (Operator.NULL, Operator.NOT_NULL):
            return Q((f"{name}__isnull", operator is Operator.NULL))
        if operator in SUFFIXES:
            return Q((f"{name}__{SUFFIXES[operator]}", values[0]))
        if operator is Operator.STARTS_WITH:
            return self._prefix(name, str(values[0]))
        if operator is Operator.NOT_STARTS_WITH:
            return Q((f"{name}__isnull", False)) & ~self._prefix(name, str(values[0]))
        if predicate.kind in (TEXT, KEYWORD_LIST):
            positive = _contains(name, predicate)
        else:
            positive = Q((name, values[0])) if len(values) == 1 else Q((f"{name}__in", values))
        if operator is Operator.IN:
            return positive
        return Q((f"{name}__isnull", False)) & ~positive

    def _prefix(self, name: str, prefix: str) -> Q:
        """SQLite's LIKE ignores case, but its order is that of the code points, so there a prefix is a range."""
        if self._vendor != "sqlite" or name == "run_id":
            return Q((f"{name}__startswith", prefix))
        behind = _behind(prefix)
        lower = Q((f"{name}__gte", prefix))
        return lower if behind is None else lower & Q((f"{name}__lt", behind))


def _status(predicate: TypedPredicate) -> Q:
    """A test of the state; it also says what follows for the close time, which is what the index is ordered by."""
    if predicate.operator in (Operator.NULL, Operator.NOT_NULL):
        return Q(pk__in=[]) if predicate.operator is Operator.NULL else Q(pk__isnull=False)
    wanted = {int(str(value)) for value in predicate.values}
    if predicate.operator is Operator.NOT_IN:
        return ~Q(status__in=wanted)
    positive = Q(status__in=wanted)
    if wanted <= OPEN_STATUSES:
        return positive & Q(close_time=OPEN)
    return positive if wanted & OPEN_STATUSES else positive & Q(close_time__lt=OPEN)


def _without_missing(predicate: TypedPredicate, positive: Q, column: str) -> Q:
    """Makes the stand-in for NULL behave like NULL."""
    missing = Q((column, MISSING[column]))
    if predicate.operator is Operator.NULL:
        return missing
    return ~missing if predicate.operator is Operator.NOT_NULL else positive & ~missing


def _contains(name: str, predicate: TypedPredicate) -> Q:
    """Whether any of the words or items occurs."""
    hits = [Q(GreaterThan(StrIndex(F(name), Value(needle(str(value)))), 0)) for value in predicate.values]
    return reduce(or_, hits, Q(pk__in=[]))


def _behind(prefix: str) -> str | None:
    """The first text behind all that start with the prefix; None if there is none."""
    for end in range(len(prefix), 0, -1):
        code = ord(prefix[end - 1])
        if code < LAST_CHARACTER:
            code += 1
            return prefix[: end - 1] + chr(SURROGATES.stop if code in SURROGATES else code)
    return None
