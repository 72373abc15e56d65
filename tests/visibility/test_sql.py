"""What queries find, on each database: against a model in Python, and where a model would only repeat the code."""

import uuid
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pytest_django import DjangoDbBlocker
from temporalio.api.common.v1 import SearchAttributes

from orchestrator.core.search_attribute_types import BOOL, DATETIME, DOUBLE, INT, KEYWORD, KEYWORD_LIST, TEXT
from orchestrator.core.search_attributes import decode, typed
from orchestrator.models.visibility import OPEN, VisibilityRecord
from tests.core.test_search_attributes import payload
from tests.support.databases import Databases, alias
from visibility.query import MAXIMUM_NESTING, parse
from visibility.sql import count_by_status, records

NAMESPACE = "0196a000-0000-7000-8000-000000000000"
OTHER = "0196a000-0000-7000-8000-000000000001"
CUSTOM = {"K": KEYWORD, "T": TEXT, "I": INT, "D": DOUBLE, "B": BOOL, "W": DATETIME, "L": KEYWORD_LIST}
SECOND = 10**9


def record(**columns: Any) -> VisibilityRecord:
    run_id = columns.pop("run_id", None) or str(uuid.uuid4())
    attributes = columns.pop("attributes", {})
    kept: SearchAttributes = typed({name: payload(value) for name, value in attributes.items()}, CUSTOM)
    decoded = decode(kept)
    plain: dict[str, Any] = {
        "shard_id": 1,
        "namespace_id": NAMESPACE,
        "run_id": run_id,
        "workflow_id": "w",
        "workflow_type": "Flow",
        "task_queue": "q",
        "status": 1,
        "start_time": SECOND,
        "execution_time": SECOND,
        "root_workflow_id": columns.get("workflow_id", "w"),
        "root_run_id": run_id,
        "namespace_division": decoded.get("TemporalNamespaceDivision:Keyword", ""),
        "payloads": kept.SerializeToString(),
        "search_attributes": decoded,
    }
    return VisibilityRecord(**(plain | columns))


def closed(**columns: Any) -> VisibilityRecord:
    plain = {"status": 2, "close_time": 5 * SECOND, "execution_duration": 4 * SECOND, "history_length": 11,
             "history_size_bytes": 1000, "state_transition_count": 7}  # fmt: skip
    return record(**(plain | columns))


def found(database: str, query: str) -> list[str]:
    """The workflow ids of the records a query finds."""
    rows = records(database, NAMESPACE, parse(query), CUSTOM).rows
    return sorted(rows.values_list("workflow_id", flat=True))


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
def filled(request: pytest.FixtureRequest, databases: Databases, django_db_blocker: DjangoDbBlocker) -> Iterator[str]:
    """A database that no test changes, filled once."""
    if request.param == "postgres":
        request.getfixturevalue("postgres_server")
    url = getattr(databases, request.param)()
    with django_db_blocker.unblock(), alias(url) as name:
        fill(name)
        yield name
    databases.drop(url)


def fill(database: str) -> None:
    rows = [
        record(workflow_id="open", attributes={"K": "a", "I": 5, "D": 1.5, "B": True, "T": "Hello big world",
                                               "L": ["a", "b"], "W": "2024-01-02T03:04:05.000000001Z"}),
        record(workflow_id="Open", status=8, start_time=2 * SECOND, attributes={"K": "B", "I": -7, "B": False}),
        closed(workflow_id="done", attributes={"K": "ab%_\\", "I": 2**63 - 1, "D": -2, "L": ["A"], "T": "other hello"}),
        closed(workflow_id="failed", status=3, close_time=6 * SECOND, workflow_type="Other", execution_duration=9),
        closed(workflow_id="child", parent_workflow_id="open", parent_run_id=str(uuid.UUID(int=1)),
               root_workflow_id="open", run_id=str(uuid.UUID(int=2))),
        record(workflow_id="elsewhere", namespace_id=OTHER, attributes={"K": "a"}),
        record(workflow_id="system", attributes={"TemporalNamespaceDivision": "TemporalScheduler"}),
    ]  # fmt: skip
    VisibilityRecord.objects.using(database).bulk_create(rows)


ALL = ["Open", "child", "done", "failed", "open"]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ALL),
        ("ExecutionStatus = 'Running'", ["open"]),
        ("ExecutionStatus = 'Completed'", ["child", "done"]),
        ("ExecutionStatus IN ('Running', 'Failed')", ["failed", "open"]),
        ("ExecutionStatus != 'Completed'", ["Open", "failed", "open"]),
        ("ExecutionStatus NOT IN (1, 2)", ["Open", "failed"]),
        ("ExecutionStatus = 77", []),
        ("ExecutionStatus IS NULL", []),
        ("ExecutionStatus IS NOT NULL", ALL),
        ("CloseTime IS NULL", ["Open", "open"]),
        ("CloseTime IS NOT NULL", ["child", "done", "failed"]),
        ("CloseTime > '1970-01-01T00:00:00Z'", ["child", "done", "failed"]),
        ("CloseTime != '1970-01-01T00:00:05Z'", ["failed"]),
        ("NOT CloseTime <= '1970-01-01T00:00:05Z'", ["failed"]),
        ("CloseTime NOT BETWEEN 0 AND 5000000000", ["failed"]),
        ("StartTime >= 2000000000", ["Open"]),
        ("ExecutionTime < '1970-01-01T00:00:01.000000001Z'", ALL),
        ("ExecutionDuration > '1s'", ["child", "done"]),
        ("ExecutionDuration IS NULL", ["Open", "open"]),
        ("HistoryLength = 11 AND HistorySizeBytes > 999.5 AND StateTransitionCount < 8", ["child", "done", "failed"]),
        ("HistoryLength != 12", ["child", "done", "failed"]),
        ("WorkflowId = 'open'", ["open"]),
        ("WorkflowId IN ('open', 'done', 'x')", ["done", "open"]),
        ("WorkflowId != 'open'", ["Open", "child", "done", "failed"]),
        ("WorkflowId STARTS_WITH 'o'", ["open"]),
        ("WorkflowId NOT STARTS_WITH 'o'", ["Open", "child", "done", "failed"]),
        ("WorkflowId STARTS_WITH ''", ALL),
        ("WorkflowType = 'Other'", ["failed"]),
        ("TaskQueue = 'q'", ALL),
        ("RunId = '00000000-0000-0000-0000-000000000002'", ["child"]),
        ("RunId = 'x'", []),
        ("RunId != 'x'", ALL),
        ("RunId STARTS_WITH '00000000-0000-0000-0'", ["child"]),
        ("RunId <= '00000000-0000-0000-0000-000000000002'", ["child"]),
        ("ParentWorkflowId = 'open'", ["child"]),
        ("ParentWorkflowId IS NULL", ["Open", "done", "failed", "open"]),
        ("ParentWorkflowId != 'x'", ["child"]),
        ("ParentRunId STARTS_WITH ''", ["child"]),
        ("RootWorkflowId = 'open'", ["child", "open"]),
        ("K = 'a'", ["open"]),
        ("K = 'b'", []),
        ("K != 'a'", ["Open", "done"]),
        ("NOT K = 'a'", ["Open", "done"]),
        ("K IN ('a', 'B')", ["Open", "open"]),
        ("K NOT IN ('a', 'B')", ["done"]),
        ("K IS NULL", ["child", "failed"]),
        ("K STARTS_WITH 'a'", ["done", "open"]),
        ("K STARTS_WITH 'A'", []),
        ("K STARTS_WITH 'ab%'", ["done"]),
        ("K STARTS_WITH '%'", []),
        ("K STARTS_WITH 'ab%_\\\\'", ["done"]),
        ("K NOT STARTS_WITH 'a'", ["Open"]),
        ("K >= 'a' AND K < 'aa'", ["open"]),
        ("I = 5", ["open"]),
        ("I > 4.5", ["done", "open"]),
        ("I >= 9223372036854775807", ["done"]),
        ("I BETWEEN -7 AND 5", ["Open", "open"]),
        ("I NOT BETWEEN -7 AND 5", ["done"]),
        ("I = 'five'", []),
        ("I != 'five'", ["Open", "done", "open"]),
        ("I IS NOT NULL", ["Open", "done", "open"]),
        ("D = 1.5", ["open"]),
        ("D < 0", ["done"]),
        ("B = true", ["open"]),
        ("B = false", ["Open"]),
        ("B != true", ["Open"]),
        ("B = 'yes'", []),
        ("W > '2024-01-02T03:04:05Z' AND W <= '2024-01-02T03:04:05.000000001Z'", ["open"]),
        ("T = 'HELLO'", ["done", "open"]),
        ("T = 'big nothing'", ["open"]),
        ("T = 'hel'", []),
        ("T != 'big'", ["done"]),
        ("L = 'a'", ["open"]),
        ("L = 'A'", ["done"]),
        ("L != 'a'", ["done"]),
        ("L IN ('b', 'A')", ["done", "open"]),
        ("L IS NULL", ["Open", "child", "failed"]),
        ("BuildIds IS NULL", ALL),
        ("TemporalNamespaceDivision = 'TemporalScheduler'", ["system"]),
        ("TemporalNamespaceDivision IS NULL", ALL),
        ("TemporalNamespaceDivision IS NULL OR TemporalNamespaceDivision IS NOT NULL", sorted([*ALL, "system"])),
        ("WorkflowId = 'system'", []),
        ("K = 'a' OR (I = -7 AND NOT B = true)", ["Open", "open"]),
        ("NOT (K = 'a' OR I = -7)", ["done"]),
    ],
)
def test_finds(filled: str, query: str, expected: list[str]) -> None:
    assert found(filled, query) == expected
    assert records(filled, NAMESPACE, parse(query), CUSTOM).rows.count() == len(expected)


def test_counts_by_status(filled: str) -> None:
    assert count_by_status(records(filled, NAMESPACE, parse(""), CUSTOM).rows) == {1: 1, 2: 2, 3: 1, 8: 1}
    assert count_by_status(records(filled, NAMESPACE, parse("K = 'x'"), CUSTOM).rows) == {}


def test_a_value_from_before_the_type_changed_is_not_found(filled: str) -> None:
    assert records(filled, NAMESPACE, parse("K IS NULL"), CUSTOM | {"K": INT}).rows.count() == len(ALL)
    assert records(filled, NAMESPACE, parse("K > 0"), CUSTOM | {"K": INT}).rows.count() == 0


def test_any_name_can_be_queried(database_alias: str) -> None:
    custom = dict.fromkeys(["with space", "0", "a'b", "$.x", "a.b", "%s", "ß"], KEYWORD)
    for name in custom:
        row = record(workflow_id=name)
        row.search_attributes = decode(typed({name: payload("v")}, custom))
        row.save(using=database_alias)
    for name in custom:
        rows = records(database_alias, NAMESPACE, parse(f"`{name}` = 'v'"), custom).rows
        assert [each.workflow_id for each in rows] == [name]


def test_the_largest_queries_run(filled: str) -> None:
    assert found(filled, " OR ".join(f"I = {number}" for number in range(500))) == ["open"]
    assert found(filled, f"I IN ({', '.join(map(str, range(2000)))})") == ["open"]
    deep = "K = 'a'"
    for _ in range(MAXIMUM_NESTING // 2):
        deep = f"(({deep}) OR K != 'a') AND K NOT STARTS_WITH 'b'"
    assert found(filled, deep) == ["Open", "done", "open"]


LITERALS = {"I": ["5", "-7", "4.5", "'x'"], "K": ["'a'", "'B'", "5"], "B": ["true", "false"], "D": ["1.5", "-2", "0"]}
VALUES: list[dict[str, Any]] = [
    {},
    {"I": 5, "K": "a", "B": True, "D": 1.5},
    {"I": -7, "K": "B"},
    {"K": "5", "B": False, "D": 0.0},
    {"I": 4, "D": -2.0},
]
COMPARE: dict[str, Callable[[Any, Any], bool]] = {
    "=": lambda a, b: a == b,
    "!=": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    ">=": lambda a, b: a >= b,
}
Model = tuple[str, Callable[[dict[str, Any]], bool | None]]


@st.composite
def comparisons(draw: st.DrawFn) -> Model:
    name = draw(st.sampled_from(sorted(LITERALS)))
    literal = draw(st.sampled_from(LITERALS[name]))
    operator = draw(st.sampled_from(["=", "!="] if name in "KB" else sorted(COMPARE)))
    worth: Any = {"true": True, "false": False}.get(literal)
    if worth is None:
        worth = literal.strip("'") if name == "K" else None if literal == "'x'" else float(literal)

    def model(values: dict[str, Any]) -> bool | None:
        if name not in values:
            return None
        if worth is None:
            # What no value can be is unequal to all of them, and in no order with any.
            return operator == "!=" if operator in ("=", "!=") else None
        return COMPARE[operator](values[name], worth)

    return f"{name} {operator} {literal}", model


def combined(parts: st.SearchStrategy[Model]) -> st.SearchStrategy[Model]:
    def both(left: Model, right: Model) -> Model:
        def model(values: dict[str, Any]) -> bool | None:
            sides = (left[1](values), right[1](values))
            return False if False in sides else None if None in sides else True

        return f"({left[0]} AND {right[0]})", model

    def either(left: Model, right: Model) -> Model:
        def model(values: dict[str, Any]) -> bool | None:
            sides = (left[1](values), right[1](values))
            return True if True in sides else None if None in sides else False

        return f"({left[0]} OR {right[0]})", model

    def opposite(inner: Model) -> Model:
        def model(values: dict[str, Any]) -> bool | None:
            side = inner[1](values)
            return None if side is None else not side

        return f"NOT ({inner[0]})", model

    return st.one_of(st.builds(both, parts, parts), st.builds(either, parts, parts), st.builds(opposite, parts))


@pytest.fixture
def modelled(database_alias: str) -> str:
    rows = [record(workflow_id=str(number), attributes=values) for number, values in enumerate(VALUES)]
    VisibilityRecord.objects.using(database_alias).bulk_create(rows)
    return database_alias


@given(st.recursive(comparisons(), combined, max_leaves=6))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_logic_is_that_of_sql(modelled: str, query: Model) -> None:
    expected = [str(number) for number, values in enumerate(VALUES) if query[1](values) is True]
    assert found(modelled, query[0]) == expected


def test_open_is_later_than_any_time() -> None:
    assert OPEN == 2**63 - 1
