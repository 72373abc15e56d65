"""Pipelines type-check without casts, and wrong ones do not."""

from pathlib import Path

import pytest
from mypy import api

CASES = sorted(Path(__file__).parents[1].glob("*/inference.py"))


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_a_strict_type_checker_agrees_with_every_line(version: str, tmp_path: Path) -> None:
    report, problems, _ = api.run(
        ["--strict", "--config-file=", f"--python-version={version}", f"--cache-dir={tmp_path}", *map(str, CASES)]
    )
    assert report == f"Success: no issues found in {len(CASES)} source files\n", report + problems
