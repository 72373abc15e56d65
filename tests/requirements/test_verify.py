"""The check of the pinned requirements finds each way in which they can drift."""

import tomllib
from importlib import metadata

import pytest
from packaging.requirements import Requirement

from requirements import verify

PROJECT = tomllib.loads((verify.ROOT / "pyproject.toml").read_text(encoding="utf-8"))


@pytest.fixture
def wanted() -> list[Requirement]:
    return verify.declared(PROJECT, verify.GROUPS["test"])


@pytest.fixture
def pins() -> dict[str, Requirement]:
    return verify.pinned(verify.ROOT / "requirements" / "test.txt")


def test_the_pins_of_the_checkout_fit(wanted: list[Requirement], pins: dict[str, Requirement]) -> None:
    assert verify.verify("test", wanted, pins) == []


def test_a_new_requirement_is_not_pinned(wanted: list[Requirement], pins: dict[str, Requirement]) -> None:
    wrong = verify.verify("test", [*wanted, Requirement("left-pad>=1")], pins)
    assert wrong == ["requirements/test.txt: left-pad>=1 (required by pyproject.toml) is not pinned"]


def test_a_raised_bound_does_not_fit(wanted: list[Requirement], pins: dict[str, Requirement]) -> None:
    wrong = verify.verify("test", [*wanted, Requirement("Django>=99")], pins)
    assert wrong == [f"requirements/test.txt: {pins['django']} does not fit Django>=99 (required by pyproject.toml)"]


def test_a_missing_indirect_pin_is_found(wanted: list[Requirement], pins: dict[str, Requirement]) -> None:
    del pins["sqlparse"]
    wrong = verify.verify("test", wanted, pins)
    assert len(wrong) == 1
    assert "sqlparse" in wrong[0]
    assert wrong[0].endswith("(required by django) is not pinned")


def test_a_requirement_that_was_dropped_is_found(wanted: list[Requirement], pins: dict[str, Requirement]) -> None:
    wrong = verify.verify("test", [each for each in wanted if each.name != "hypothesis"], pins)
    assert f"requirements/test.txt: {pins['hypothesis']} is pinned but nothing requires it" in wrong


def test_another_installed_version_is_found(wanted: list[Requirement], pins: dict[str, Requirement]) -> None:
    pins["h2"] = Requirement("h2==4.3.0")
    wrong = verify.verify("test", wanted, pins)
    assert wrong == [f"requirements/test.txt: h2==4.3.0 is pinned, {metadata.version('h2')} is installed"]


def test_a_loose_pin_is_found(wanted: list[Requirement], pins: dict[str, Requirement]) -> None:
    pins["h2"] = Requirement("h2>=4.3")
    assert verify.verify("test", wanted, pins) == ["requirements/test.txt: h2>=4.3 is not pinned to one version"]
