"""Errors as values."""

import dataclasses
import json
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hugo.errors import ERROR_DESCRIPTORS, Error, ErrorCode, RestoredCause


def test_an_error_says_its_code_and_message() -> None:
    assert str(Error("no", "app.no")) == "app.no: no"
    assert str(Error("no")) == "no"


def test_two_errors_with_the_same_words_are_not_equal() -> None:
    error = Error("no")
    assert error == error
    assert error != Error("no")
    with pytest.raises(dataclasses.FrozenInstanceError):
        error.message = "yes"  # type: ignore[misc]


def test_metadata_is_found_in_any_case_and_cannot_be_changed() -> None:
    error = Error("no", metadata={"TaskQueue": "q"}).with_metadata({"Attempt": 2}, attempt=3)
    assert error.get("taskqueue") == "q"
    assert error.get("ATTEMPT", int) == 3
    assert error.get("attempt", str) is None
    assert list(error.metadata) == ["TaskQueue", "attempt"]
    assert "TASKQUEUE" in error.metadata
    with pytest.raises(TypeError):
        error.metadata["x"] = 1  # type: ignore[index]


def test_every_code_is_described() -> None:
    assert set(ERROR_DESCRIPTORS) == {code.value for code in ErrorCode}
    for code in ErrorCode:
        error = Error("no", code)
        assert error.code == code.value
        assert error.get("error.name") == ERROR_DESCRIPTORS[code].name
        assert error.get("error.category") and error.get("error.description")


def test_another_code_brings_its_own_description() -> None:
    error = Error.timeout(2).with_metadata(mine=1)
    assert error.get("duration") == timedelta(seconds=2)
    other = error.with_code(ErrorCode.VALIDATION)
    assert other.get("error.name") == "Validation"
    assert other.get("mine") == 1
    unknown = error.with_code("app.no")
    assert unknown.get("error.name") is None
    assert unknown.get("mine") == 1


def test_what_was_said_of_the_error_itself_is_kept() -> None:
    error = Error("no", ErrorCode.TIMEOUT, metadata={"error.name": "Mine"})
    assert error.get("error.name") == "Mine"
    assert error.with_code("app.no").get("error.name") == "Mine"


def test_an_exception_becomes_an_error_with_its_trace() -> None:
    with pytest.raises(KeyError) as raised:
        raise KeyError("gone")
    error = Error.from_exception(raised.value)
    assert error.cause is raised.value
    assert error.code == "error.exception"
    assert error.get("exceptionType") == "KeyError"
    assert "test_an_exception_becomes" in error.get("stackTrace", str)  # type: ignore[operator]


def test_the_usual_errors() -> None:
    assert str(Error.canceled()) == "error.canceled: Operation was canceled."
    assert str(Error.timeout()) == "error.timeout: The operation timed out."
    assert str(Error.unspecified()) == "error.unspecified: An unspecified error occurred."
    parts = [Error("a"), Error("b")]
    assert Error.aggregate("both", *parts).get("errors") == parts
    with pytest.raises(ValueError):
        Error.aggregate("none")


def test_json_keeps_what_is_typed_and_leaves_strings_alone() -> None:
    details: dict[str, Any] = {
        "when": datetime(2026, 1, 2, tzinfo=UTC),
        "how long": timedelta(minutes=1),
        "who": UUID(int=7),
        "raw": b"\x00\xff",
        "looks like a date": "2026-01-02T00:00:00+00:00",
        "looks like an id": str(UUID(int=7)),
        "tagged": {"$type": "mine"},
        "nested": {"list": [1, None, True, {"deep": timedelta(1)}]},
    }
    error = Error("no", "app.no", ValueError("why"), details).with_metadata(inner=Error("inner", "app.inner"))
    read = Error.from_json(json.loads(json.dumps(error.to_json())))
    assert {key: read.metadata[key] for key in details} == details
    assert str(read.get("inner")) == "app.inner: inner"
    assert (read.message, read.code) == ("no", "app.no")
    assert isinstance(read.cause, RestoredCause)
    assert (read.cause.type_name, str(read.cause)) == ("builtins.ValueError", "why")
    assert read.to_json() == error.to_json()


def test_json_has_no_more_than_there_is() -> None:
    assert Error("no").to_json() == {"message": "no"}


def test_a_cycle_is_cut() -> None:
    loop: list[Any] = []
    error = Error("no", metadata={"loop": loop})
    loop.append(error)
    assert json.dumps(error.to_json())


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(st.dictionaries(st.text(), json_values))
def test_reading_is_the_inverse_of_writing(details: dict[str, Any]) -> None:
    error = Error("no", metadata=details)
    read = Error.from_json(json.loads(json.dumps(error.to_json())))
    assert dict(read.metadata) == dict(error.metadata)
