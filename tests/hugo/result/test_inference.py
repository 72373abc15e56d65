"""Pipelines of results type-check without casts, and wrong ones do not."""

from pathlib import Path

import pytest
from mypy import api


@pytest.mark.parametrize("version", ["3.11", "3.13"])
def test_a_strict_type_checker_agrees_with_every_line(version: str, tmp_path: Path) -> None:
    cases = Path(__file__).with_name("inference.py")
    cache = str(tmp_path)
    report, problems, _ = api.run(
        ["--strict", "--config-file=", "--python-version", version, "--cache-dir", cache, str(cases)]
    )
    assert report == "Success: no issues found in 1 source file\n", report + problems
