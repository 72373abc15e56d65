"""The examples of `hugo` run, and print what their pages say; the names in its tables exist."""

import re
from keyword import iskeyword, issoftkeyword
from pathlib import Path
from typing import Any

import pytest

import hugo.go
from docs.hugo_reference import PAGES
from tests.docs.programs import blocks, run

EXAMPLES = PAGES.parent
TUTORIAL = EXAMPLES.parents[1] / "tutorial" / "hugo-alone.md"
TABLES = EXAMPLES / "from-go-and-dotnet.md"
WITHOUT_PROGRAMS = {EXAMPLES / "README.md", TABLES}

# Words in the tables that are Python's, or of the examples there.
OTHERS = {"n", "x", "f", "threading", "Lock", "contextvars"}


@pytest.mark.parametrize(
    "page", sorted({*EXAMPLES.glob("*.md"), TUTORIAL} - WITHOUT_PROGRAMS), ids=lambda page: page.stem
)
async def test_the_programs_of_a_page_print_what_it_says(page: Path) -> None:
    programs = blocks(page.read_text())  # noqa: ASYNC240
    assert programs
    names: dict[str, Any] = {}
    for number, (program, printed) in enumerate(programs):
        assert await run(program, names, f"{page.name}, block {number + 1}") == printed


def test_there_is_a_page_for_every_part_of_the_library() -> None:
    index = (EXAMPLES / "README.md").read_text()
    linked = {EXAMPLES / link for link in re.findall(r"\]\(([\w/-]+\.md)\)", index)}
    assert linked == {*EXAMPLES.glob("**/*.md")} - {EXAMPLES / "README.md"}


def test_the_names_in_the_tables_exist() -> None:
    reference = " ".join(page.read_text() for page in PAGES.glob("*.md"))
    known = {*re.findall(r"\w+", reference), *hugo.go.__all__}
    rows = [line.split("|")[2] for line in TABLES.read_text().splitlines() if line.startswith("| ")]
    named = {
        name for row in rows for code in re.findall(r"`([^`]+)`", row) for name in re.findall(r"[A-Za-z_]\w*", code)
    }
    assert {name for name in named - known - OTHERS if not iskeyword(name) and not issoftkeyword(name)} == set()
