"""An option is some value, which may be None, or nothing."""

import pytest

from hugo.errors import Error, ErrorCode
from hugo.optional import NOTHING, Option, Some, from_nullable
from hugo.result import ok


def test_none_is_a_value_and_nothing_is_none() -> None:
    assert Some(None).has_value
    assert not NOTHING.has_value
    assert from_nullable(None) is NOTHING
    assert from_nullable(0) == Some(0)


def test_only_some_value_can_be_taken() -> None:
    assert Some(1).unwrap() == 1
    with pytest.raises(ValueError, match="no value"):
        NOTHING.unwrap()


@pytest.mark.parametrize(("option", "expected"), [(Some(4), "4"), (NOTHING, "none")])
def test_operators_touch_only_the_value(option: Option[int], expected: str) -> None:
    assert option.map(str).value_or("none") == expected
    assert option.bind(lambda value: Some(str(value))).value_or_else(lambda: "none") == expected
    assert option.fold(str, lambda: "none") == expected
    assert option.filter(lambda value: value > 3).map(str).or_else(Some("none")).unwrap() == expected
    assert option.filter(lambda value: value > 4) == NOTHING


def test_an_option_becomes_a_result() -> None:
    assert Some(1).to_result() == ok(1)
    assert NOTHING.to_result().error.code == ErrorCode.UNSPECIFIED
    assert str(NOTHING.to_result(lambda: Error("missing")).error) == "missing"


def test_options_match() -> None:
    match from_nullable(1):
        case Some(value):
            assert value == 1
        case _:
            pytest.fail("There is a value.")
