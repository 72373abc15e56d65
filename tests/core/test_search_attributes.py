"""What search attributes may hold, and what becomes of them."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from temporalio.api.common.v1 import Payload

from orchestrator.core.limits import Limits
from orchestrator.core.search_attribute_text import joined, needle, words
from orchestrator.core.search_attribute_types import (
    BOOL,
    DATETIME,
    DOUBLE,
    INT,
    KEYWORD,
    KEYWORD_LIST,
    SERVER_ONLY,
    SYSTEM,
    TEXT,
    is_reserved,
)
from orchestrator.core.search_attributes import check_size, decode, is_empty, nanoseconds, typed, validate
from orchestrator.errors import InvalidArgument

CUSTOM = {"K": KEYWORD, "T": TEXT, "I": INT, "D": DOUBLE, "B": BOOL, "W": DATETIME, "L": KEYWORD_LIST}


def payload(value: Any, encoding: bytes = b"json/plain", **metadata: bytes) -> Payload:
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return Payload(metadata={"encoding": encoding, **metadata}, data=data)


def check(fields: dict[str, Payload], limits: Limits | None = None) -> None:
    validate(fields, CUSTOM, "ns", limits or Limits())


def refusal(name: str, value: Any) -> str:
    with pytest.raises(InvalidArgument) as caught:
        check({name: value if isinstance(value, Payload) else payload(value)})
    return caught.value.message


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("K", "a"),
        ("K", ""),
        ("K", ["a"]),
        ("K", []),
        ("K", None),
        ("T", "some words"),
        ("I", 5),
        ("I", -(2**63)),
        ("I", [1]),
        ("D", 1),
        ("D", 1.5),
        ("B", False),
        ("W", "2024-01-02T03:04:05Z"),
        ("W", "9999-12-31T23:59:59.999999999+14:00"),
        ("L", ["a", "b"]),
        ("L", []),
        ("L", [None]),
        ("BuildIds", ["a"]),
        ("BatcherUser", "me"),
        ("TemporalScheduledStartTime", "2024-01-02T03:04:05Z"),
    ],
)
def test_accepts_a_value_of_the_type(name: str, value: Any) -> None:
    check({name: payload(value)})


@pytest.mark.parametrize(
    ("name", "value", "text"),
    [
        ("K", 5, "invalid value for search attribute K of type Keyword: 5"),
        ("K", True, "invalid value for search attribute K of type Keyword: true"),
        ("K", ["a", "b"], "invalid value for search attribute K of type Keyword: [a b]"),
        ("K", {"a": 1}, 'invalid value for search attribute K of type Keyword: {"a":1}'),
        ("T", 5, "invalid value for search attribute T of type Text: 5"),
        ("I", "five", "invalid value for search attribute I of type Int: five"),
        ("I", 1.5, "invalid value for search attribute I of type Int: 1.5"),
        ("I", True, "invalid value for search attribute I of type Int: true"),
        ("I", 2**63, "invalid value for search attribute I of type Int: 9223372036854775808"),
        ("D", "x", "invalid value for search attribute D of type Double: x"),
        ("D", True, "invalid value for search attribute D of type Double: true"),
        ("B", "yes", "invalid value for search attribute B of type Bool: yes"),
        ("B", 1, "invalid value for search attribute B of type Bool: 1"),
        ("W", "yesterday", "invalid value for search attribute W of type Datetime: yesterday"),
        ("W", 1700000000, "invalid value for search attribute W of type Datetime: 1700000000"),
        ("L", "a", "invalid value for search attribute L of type KeywordList: a"),
        ("L", ["a", 1], "invalid value for search attribute L of type KeywordList: [a 1]"),
    ],
)
def test_refuses_a_value_of_another_type(name: str, value: Any, text: str) -> None:
    assert refusal(name, value) == text


@pytest.mark.parametrize("value", [b"", b"\xff", b"NaN", b"{", b'"\\ud800"', b"[" * 5000, b"1e999"])
def test_refuses_what_is_not_json(value: bytes) -> None:
    assert "of type Double: value from <" in refusal("D", payload(value))


def test_refuses_another_encoding() -> None:
    assert "value from <" in refusal("K", Payload(data=b'"a"'))
    assert "value from <" in refusal("K", payload("a", encoding=b"json/protobuf"))
    assert refusal("K", payload(b"ab", encoding=b"binary/plain")).endswith("[97 98]")


def test_refuses_nul_which_not_every_database_stores() -> None:
    refusal("K", "a\0b")
    refusal("L", ["a\0b"])
    refusal("T", "\0")


def test_a_refusal_does_not_repeat_a_long_value() -> None:
    assert len(refusal("I", "x" * 100_000)) < 300
    assert len(refusal("I", payload(b"x" * 100_000, encoding=b"binary/plain"))) < 300


@pytest.mark.parametrize("name", [*SYSTEM, *SERVER_ONLY])
def test_refuses_what_only_the_server_sets(name: str) -> None:
    assert refusal(name, "a") == f"{name} attribute can't be set in SearchAttributes"


@pytest.mark.parametrize("name", ["Nope", "", "TemporalMadeUp", "NamespaceId"])
def test_refuses_what_does_not_exist(name: str) -> None:
    assert refusal(name, "a") == f"Namespace ns has no mapping defined for search attribute {name}"


def test_limits() -> None:
    limits = Limits(search_attributes=2, search_attribute_size=10, search_attributes_size=50)
    with pytest.raises(InvalidArgument, match="number of search attributes 3 exceeds limit 2"):
        check({name: payload(1) for name in "IDB"}, limits)
    check_size({"K": payload("12345678")}, limits)
    with pytest.raises(InvalidArgument, match="search attribute K value size 11 exceeds size limit 10"):
        check_size({"K": payload("123456789")}, limits)
    with pytest.raises(InvalidArgument, match=r"total size of search attributes .* exceeds size limit 50"):
        check_size({"K": payload("1"), "T": payload("2")}, limits)
    check_size({}, limits)


def test_the_type_is_that_of_the_registry_whatever_the_client_wrote() -> None:
    fields = {"K": payload("a", type=b"Int"), "BuildIds": payload(["a"]), "Nope": payload("a")}
    kept = typed(fields, CUSTOM).indexed_fields
    assert {name: each.metadata.get("type") for name, each in kept.items()} == {
        "K": b"Keyword",
        "BuildIds": b"KeywordList",
        "Nope": None,
    }
    assert kept["K"].data == b'"a"'
    assert fields["K"].metadata["type"] == b"Int"


def test_decodes_what_queries_compare() -> None:
    fields = {
        "K": payload("a"),
        "T": payload("Hello, World"),
        "I": payload([5]),
        "D": payload(1),
        "B": payload(True),
        "W": payload("1970-01-01T01:00:00.000000001+01:00"),
        "L": payload(["x", None, "y"]),
        "BuildIds": payload(["b"]),
    }
    assert decode(typed(fields, CUSTOM)) == {
        "K:Keyword": "a",
        "T:Text": joined(["hello", "world"]),
        "I:Int": 5,
        "D:Double": 1.0,
        "B:Bool": 1,
        "W:Datetime": 1,
        "L:KeywordList": joined(["x", "y"]),
        "BuildIds:KeywordList": joined(["b"]),
    }


def test_decodes_nothing_of_what_holds_no_value() -> None:
    fields = {
        "K": payload(None),
        "I": payload([]),
        "L": payload([None]),
        "B": Payload(metadata={"encoding": b"binary/null"}),
        "D": payload("not a number"),
    }
    assert decode(typed(fields, CUSTOM)) == {}
    assert decode(typed({"Nope": payload("a")}, CUSTOM)) == {}


def test_what_deletes_an_attribute() -> None:
    assert is_empty(payload(None))
    assert is_empty(payload([]))
    assert is_empty(Payload(metadata={"encoding": b"binary/null"}))
    assert not is_empty(payload(""))
    assert not is_empty(payload(0))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1970-01-01T00:00:00Z", 0),
        ("1970-01-01t00:00:00z", 0),
        ("2024-01-02T03:04:05.123456789Z", 1704164645123456789),
        ("2024-01-02T03:04:05.9999999999Z", 1704164645999999999),
        ("2024-01-02T04:04:05+01:00", 1704164645000000000),
        ("1969-12-31T23:59:59.5Z", -500_000_000),
        ("9999-12-31T00:00:00Z", 2**63 - 2),
        ("0001-01-01T00:00:00Z", -(2**63 - 1)),
    ],
)
def test_times(text: str, expected: int) -> None:
    assert nanoseconds(text) == expected


@pytest.mark.parametrize(
    "text",
    ["", "2024-01-02", "2024-01-02T03:04:05", "2024-01-02 03:04:05Z", "20240102T030405Z", "2024-13-02T03:04:05Z",
     "2024-01-02T03:04:05+0100", "2024-01-02T03:04:05+25:00", "٢٠٢٤-01-02T03:04:05Z"],
)  # fmt: skip
def test_refused_times(text: str) -> None:
    with pytest.raises(ValueError):
        nanoseconds(text)


@given(st.lists(st.text()), st.text())
def test_a_joined_text_contains_exactly_its_items(items: list[str], item: str) -> None:
    assert (needle(item) in joined(items)) == (item in items)
    for each in items:
        assert needle(each) in joined(items)


def test_words() -> None:
    assert words("Hello, WORLD!  Straße 42") == ["hello", "world", "strasse", "42"]
    assert words("!?") == []


def test_reserved_names() -> None:
    assert all(map(is_reserved, ["WorkflowId", "BuildIds", "NamespaceId", "TemporalMine", "TemporalChangeVersion"]))
    assert not is_reserved("Mine")
