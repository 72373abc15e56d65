"""What is said when a tool is missing or too old."""

import sys

import pytest

from tests.support.binaries import Missing
from tests.support.toolchains import Tool, ensure

PYTHON = (sys.executable, "--version")


def test_a_tool_that_is_there_is_enough() -> None:
    ensure([Tool("Python", PYTHON, (3, 11), "python3")])


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        (Tool("Cobol", ("no-such-compiler", "-v"), (1,), "no-such-package"), "Cobol is not installed"),
        (Tool("Python", PYTHON, (99, 1), "python3"), "Python 99.1 or later is needed and 3."),
        (Tool("true", ("true",), (1,), "coreutils"), "true does not tell a version"),
    ],
)
def test_why_a_tool_cannot_be_used(tool: Tool, reason: str) -> None:
    assert str(tool.wanting()).startswith(reason)


def test_all_reasons_are_told_in_one_sentence() -> None:
    old, silent = Tool("Python", PYTHON, (99,), "python3"), Tool("true", ("true",), (1,), "coreutils")
    with pytest.raises(Missing) as raised:
        ensure([old, silent])
    version = sys.version.split()[0]
    assert str(raised.value) == (
        "The tests of other SDKs cannot run: "
        f"Python 99 or later is needed and {version} is installed, true does not tell a version."
    )
