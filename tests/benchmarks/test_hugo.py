"""The comparison of hugo's primitives runs to its end."""

import pytest

from benchmarks.hugo import comparisons, main


def test_it_prints_a_line_for_each_comparison(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--rounds", "1", "--operations", "100"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert [line[:40].strip() for line in lines[1:]] == [comparison.name for comparison in comparisons()]
