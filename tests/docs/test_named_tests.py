"""The tests that pages of the documentation name are there."""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

from tests.support.databases import ROOT

PAGES = sorted((ROOT / "docs" / "explanation").glob("*.md"))
NAMED = re.compile(r"(tests/[\w/]+\.py)(?:::(\w+))?")


def named(text: str) -> list[tuple[str, str]]:
    """The files a page names, each with the test in it, if it names one."""
    return NAMED.findall(text)


@cache
def functions(file: str) -> set[str]:
    """The functions of a file, in classes too; none of one that is not there."""
    path = ROOT / file
    if not path.exists():
        return set()
    tree = ast.parse(path.read_text())
    return {each.name for each in ast.walk(tree) if isinstance(each, ast.FunctionDef | ast.AsyncFunctionDef)}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_they_are_there(page: Path) -> None:
    assert [each for each in named(page.read_text()) if not _exists(*each)] == []


def _exists(file: str, test: str) -> bool:
    return test in functions(file) if test else (ROOT / file).exists()


def test_each_promise_names_tests() -> None:
    promises = (ROOT / "docs/explanation/guarantees.md").read_text().split("\n## ")[1:]
    assert len(promises) > 5
    assert [each.splitlines()[0] for each in promises if not any(test for _, test in named(each))] == []


def test_each_of_the_twenty_checks_names_tests_or_says_why_not() -> None:
    rows = re.findall(r"^\| (\d+) \| (.+) \| (.+) \|$", (ROOT / "docs/explanation/reliability.md").read_text(), re.M)
    assert [int(number) for number, _, _ in rows] == list(range(1, 21))
    assert all(named(by) for _, _, by in rows)
