"""The query language: what is read, what it means, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.core.search_attribute_types import INT, KEYWORD, KEYWORD_LIST, TEXT
from orchestrator.errors import InvalidArgument
from visibility.conditions import Operator, TypedCondition, TypedGroup, TypedPredicate, typed
from visibility.durations import nanoseconds
from visibility.query import (
    MAXIMUM_DEPTH,
    MAXIMUM_NESTING,
    MAXIMUM_TESTS,
    NEGATED,
    Condition,
    Group,
    Predicate,
    Query,
    parse,
)

CUSTOM = {"OracleInt": INT, "OracleKeyword": KEYWORD, "OracleText": TEXT, "OracleList": KEYWORD_LIST}


def where(text: str) -> Condition | None:
    return parse(text).where


def understood(text: str) -> TypedCondition | None:
    condition = where(text)
    return None if condition is None else typed(condition, CUSTOM)


def refusal(text: str) -> str:
    with pytest.raises(InvalidArgument) as caught:
        understood(text)
    assert caught.value.message.startswith("invalid query: ")
    return caught.value.message.removeprefix("invalid query: ")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("A = 'x'", Predicate("A", "=", ("x",))),
        ("A='x';", Predicate("A", "=", ("x",))),
        ("`a b` <> 5", Predicate("a b", "!=", (5,))),
        ("A >= -1.5e3", Predicate("A", ">=", (-1500.0,))),
        ("A < .5", Predicate("A", "<", (0.5,))),
        ("A = TRUE", Predicate("A", "=", (True,))),
        ('A in ("x", 2, false)', Predicate("A", "in", ("x", 2, False))),
        ("A NOT IN (1)", Predicate("A", "not in", (1,))),
        ("A between 1 AND 2", Predicate("A", "between", (1, 2))),
        ("A not between 1 and 2", Predicate("A", "not between", (1, 2))),
        ("A IS NULL", Predicate("A", "is null")),
        ("A is not null", Predicate("A", "is not null")),
        ("A STARTS_WITH 'x'", Predicate("A", "starts_with", ("x",))),
        ("A NOT STARTS_WITH 'x'", Predicate("A", "not starts_with", ("x",))),
        ("A = 'it''s' ", Predicate("A", "=", ("it's",))),
        ("A = 'it\\'s \\n \\\\ \\q'", Predicate("A", "=", ("it's \n \\ q",))),
        ('A = "it\'s ""so"""', Predicate("A", "=", ('it\'s "so"',))),
        ("A = 1 -- comment", Predicate("A", "=", (1,))),
        ("/* a */ A # b\n = 1", Predicate("A", "=", (1,))),
        ("A = 1 AND B = 2 OR C = 3", Group(False, (Group(True, (Predicate("A", "=", (1,)), Predicate("B", "=", (2,)))),
                                                   Predicate("C", "=", (3,))))),
        ("A = 1 && (B = 2 || C = 3)", Group(True, (Predicate("A", "=", (1,)), Group(False, (Predicate("B", "=", (2,)),
                                                                                     Predicate("C", "=", (3,))))))),
        ("A = 1 AND (B = 2 AND (C = 3))", Group(True, (Predicate("A", "=", (1,)), Predicate("B", "=", (2,)),
                                                       Predicate("C", "=", (3,))))),
        ("NOT A = 1", Predicate("A", "!=", (1,))),
        ("not not A = 1", Predicate("A", "=", (1,))),
        ("NOT (A > 1 OR B IS NULL)", Group(True, (Predicate("A", "<=", (1,)), Predicate("B", "is not null")))),
        ("NOT (A > 1 AND NOT B IN (1))", Group(False, (Predicate("A", "<=", (1,)), Predicate("B", "in", (1,))))),
    ],
)  # fmt: skip
def test_reads(text: str, expected: Condition) -> None:
    assert where(text) == expected


def test_reads_clauses() -> None:
    assert parse("") == parse("  ;") == parse("-- nothing") == Query(None, None)
    assert parse("GROUP BY `ExecutionStatus`") == Query(None, "ExecutionStatus")
    assert parse("A = 1 group by B") == Query(Predicate("A", "=", (1,)), "B")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("this is not a query", "malformed SQL query: syntax error at position 13 near 'a'"),
        ("WorkflowId = 'a", "malformed SQL query: syntax error at position 14 near ''a'"),
        ("(WorkflowId = 'a'", "malformed SQL query: syntax error at position 18"),
        ("SELECT * FROM executions", "malformed SQL query: syntax error at position 1 near 'select'"),
        ("WorkflowId = 'a' AND", "malformed SQL query: syntax error at position 21"),
        ("=", "malformed SQL query: syntax error at position 1 near '='"),
        ("WorkflowId = 'a'; DROP TABLE executions", "malformed SQL query: syntax error at position 19 near 'DROP'"),
        ("NoSuchAttribute = 'a'", "invalid expression: column name 'NoSuchAttribute' is not a valid search attribute"),
        ("NamespaceId = 'a'", "invalid expression: column name 'NamespaceId' is not a valid search attribute"),
        ("workflow_id = 'a'", "invalid expression: column name 'workflow_id' is not a valid search attribute"),
        ("NoSuchAttribute IS NOT NULL",
         "invalid expression: column name 'NoSuchAttribute' is not a valid search attribute"),
        ("WorkflowId = RunId", "operation is not supported: column name on the right side of comparison expression "
         "(did you forget to quote 'RunId'?)"),
        ("'a' = WorkflowId", "invalid expression: the left side of a comparison must be a column name"),
        ("1 = 1", "invalid expression: the left side of a comparison must be a column name"),
        ("StartTime > 'yesterday'", "invalid expression: unable to parse datetime 'yesterday'"),
        ("ExecutionStatus = 'Sleeping'", "invalid expression: invalid ExecutionStatus value 'Sleeping'"),
        ("ExecutionStatus = 'running'", "invalid expression: invalid ExecutionStatus value 'running'"),
        ("ExecutionDuration > 'soon'",
         "invalid value for search attribute ExecutionDuration: soon (invalid duration)"),
        ("WorkflowId LIKE 'a%'", "invalid expression: invalid operator 'like'"),
        ("WorkflowId NOT LIKE 'a%'", "invalid expression: invalid operator 'not like'"),
        ("CloseTime = null", "invalid expression: null can only be tested with 'IS NULL' or 'IS NOT NULL'"),
        ("OracleInt STARTS_WITH 1",
         "invalid expression: right-hand side of 'starts_with' must be a literal string (got: 1)"),
        ("WorkflowId IN 'a'", "malformed SQL query: syntax error at position 15 near 'a'"),
        ("OracleInt = 1 + 1", "malformed SQL query: syntax error at position 15 near '+'"),
        ("upper(WorkflowId) = 'A'", "invalid expression: functions are not supported: upper"),
        ("WorkflowId IN (SELECT 1)", "malformed SQL query: syntax error at position 16 near 'select'"),
        ("WorkflowId = 'a' LIMIT 5", "operation is not supported: 'LIMIT' clause"),
        ("ORDER BY StartTime DESC", "operation is not supported: 'ORDER BY' clause"),
        ("GROUP BY A, B", "operation is not supported: 'GROUP BY' clause supports only a single field"),
        ("GROUP BY A GROUP BY A", "malformed SQL query: syntax error at position 12 near 'group'"),
        ("WorkflowId", "invalid expression: incomplete expression"),
        ("WorkflowId IS TRUE", "invalid expression: 'IS' operator can only be used with 'NULL' or 'NOT NULL'"),
        ("OracleInt = 0x5", "malformed SQL query: syntax error at position 13 near '0x5'"),
        ("OracleText = '!?'", "invalid expression: unexpected value for Text type search attribute "
         "(no words found in '!?')"),
    ],
)  # fmt: skip
def test_refuses(text: str, expected: str) -> None:
    assert refusal(text) == expected


@pytest.mark.parametrize(
    "text",
    [
        "OracleText > 'a'",
        "OracleText IN ('a')",
        "OracleText STARTS_WITH 'a'",
        "OracleList > 'a'",
        "OracleList BETWEEN 'a' AND 'b'",
        "OracleInt STARTS_WITH 'a'",
        "ExecutionStatus > 'Running'",
        "ExecutionStatus STARTS_WITH 'Run'",
    ],
)
def test_refuses_operators_the_type_does_not_have(text: str) -> None:
    assert "not supported for" in refusal(text)


@pytest.mark.parametrize(
    "text",
    ["NOT", "A NOT 5", "A = 1 = 1", "(A) = 1", "A IN ()", "A IN (1,)", "a.b = 1", "A == 1", "A = :x", "A = 'a\\0b'",
     "A = \x00", "A <=> 1", "A = " + "9" * 500, "`` = 1"],
)  # fmt: skip
def test_refuses_nonsense(text: str) -> None:
    refusal(text)


def test_bounds() -> None:
    assert where("(" * MAXIMUM_DEPTH + "A = 1" + ")" * MAXIMUM_DEPTH) == Predicate("A", "=", (1,))
    assert "nested deeper" in refusal("(" * (MAXIMUM_DEPTH + 1) + "A = 1" + ")" * (MAXIMUM_DEPTH + 1))
    alternatives = "A = 1"
    for _ in range(MAXIMUM_NESTING // 2):
        alternatives = f"(({alternatives}) AND A = 2) OR A = 3"
    assert where(alternatives) is not None
    assert "AND and OR nested deeper" in refusal(f"({alternatives}) AND A = 4")
    assert "comparisons" in refusal(" OR ".join(["A = 1"] * (MAXIMUM_TESTS + 1)))
    assert "values" in refusal(f"A IN ({', '.join(['1'] * 2001)})")
    assert "longer than" in refusal("A = '" + "x" * 70_000 + "'")
    assert where("NOT " * 10_001 + "A = 1") == Predicate("A", "!=", (1,))


@pytest.mark.parametrize(
    ("text", "operator", "values"),
    [
        ("OracleInt = 'five'", Operator.IN, ()),
        ("OracleInt != 'five'", Operator.NOT_IN, ()),
        ("OracleInt = 1.5", Operator.IN, ()),
        ("OracleInt > 1.5", Operator.GREATER, (1,)),
        ("OracleInt >= 1.5", Operator.GREATER_OR_EQUAL, (2,)),
        ("OracleInt < -1.5", Operator.LESS, (-1,)),
        ("OracleInt <= -1.5", Operator.LESS_OR_EQUAL, (-2,)),
        ("OracleInt = '5'", Operator.IN, (5,)),
        ("OracleInt = 5.0", Operator.IN, (5,)),
        ("OracleInt IN (1, 'two', 9999999999999999999999)", Operator.IN, (1,)),
        ("OracleInt < 1e300", Operator.LESS, (2**63 - 1,)),
        ("OracleInt < 1e999", Operator.IN, ()),
        ("OracleInt = true", Operator.IN, ()),
        ("OracleKeyword = 5", Operator.IN, ("5",)),
        ("StartTime > true", Operator.IN, ()),
        ("StartTime > 1700000000000000000", Operator.GREATER, (1700000000000000000,)),
        ("StartTime = '1970-01-01T00:00:01Z'", Operator.IN, (10**9,)),
        ("ExecutionStatus = 'TimedOut'", Operator.IN, (7,)),
        ("ExecutionStatus = 'WORKFLOW_EXECUTION_STATUS_RUNNING'", Operator.IN, (1,)),
        ("ExecutionStatus IN (1, 77)", Operator.IN, (1, 77)),
        ("ExecutionDuration > '1h30m'", Operator.GREATER, (5400 * 10**9,)),
        ("RunId = 'x'", Operator.IN, ()),
        ("OracleText = 'One one TWO'", Operator.IN, ("one", "two")),
    ],
)
def test_what_literals_are_worth(text: str, operator: Operator, values: tuple[object, ...]) -> None:
    found = understood(text)
    assert isinstance(found, TypedPredicate)
    assert (found.operator, found.values) == (operator, values)


def test_ranges_are_two_comparisons() -> None:
    below = TypedPredicate("OracleInt", INT, Operator.LESS, (1,))
    above = TypedPredicate("OracleInt", INT, Operator.GREATER, (2,))
    assert understood("NOT OracleInt BETWEEN 1 AND 2") == TypedGroup(False, (below, above))


@pytest.mark.parametrize(
    ("text", "expected"),
    [("1ns", 1), ("1h", 3600 * 10**9), ("1m30s", 90 * 10**9), ("1.5ms", 1_500_000), (".5s", 500_000_000),
     ("-2s", -2 * 10**9), ("2d", 172_800 * 10**9), ("01:02:03", 3723 * 10**9), ("1µs", 1000)],
)  # fmt: skip
def test_durations(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


@pytest.mark.parametrize("text", ["", "5", "soon", "1h ", "h", "1:2:3", "1hm", "1e3s"])
def test_refused_durations(text: str) -> None:
    with pytest.raises(ValueError):
        nanoseconds(text)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except InvalidArgument:
        pass


PIECES = st.sampled_from(
    ["A", "B", "(", ")", "AND", "OR", "NOT", "IN", "BETWEEN", "IS", "NULL", "=", "!=", "<", "'x'", '"y"', "1", "-2.5",
     "true", ",", ";", "GROUP", "BY", "ORDER", "LIMIT", "STARTS_WITH", "`c`", "--", "/*"]
)  # fmt: skip


@given(st.lists(PIECES, max_size=30).map(" ".join))
@settings(max_examples=300)
def test_any_row_of_tokens_is_read_or_refused(text: str) -> None:
    try:
        parse(text)
    except InvalidArgument:
        pass


PREDICATES = st.builds(
    Predicate, st.sampled_from(["A", "b c"]), st.sampled_from(["=", "!=", "<", "<=", ">", ">="]),
    st.tuples(st.one_of(st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"])), st.integers(),
                        st.floats(allow_nan=False, allow_infinity=False), st.booleans())),
)  # fmt: skip


def written(condition: Condition) -> str:
    if isinstance(condition, Group):
        return "(" + (" AND " if condition.every else " OR ").join(map(written, condition.parts)) + ")"
    literal = condition.literals[0]
    text = (
        str(literal) if not isinstance(literal, str) else "'" + literal.replace("\\", "\\\\").replace("'", "''") + "'"
    )
    return f"`{condition.name}` {condition.operator} {text}"


def opposite(condition: Condition) -> Condition:
    if isinstance(condition, Group):
        return Group(not condition.every, tuple(map(opposite, condition.parts)))
    return Predicate(condition.name, NEGATED[condition.operator], condition.literals)


def tree(children: st.SearchStrategy[Condition]) -> st.SearchStrategy[Condition]:
    return st.builds(Group, st.booleans(), st.lists(children, min_size=2, max_size=4).map(tuple))


@given(st.recursive(PREDICATES, tree, max_leaves=12))
def test_what_is_written_is_read_back(condition: Condition) -> None:
    read = where(written(condition))
    assert read is not None
    assert where(written(read)) == read
    assert where(f"NOT {written(condition)}") == opposite(read)
