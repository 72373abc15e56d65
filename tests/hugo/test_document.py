"""The programs in the descriptions of the library run and print what they should."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize(
    ("page", "printed"),
    [
        ("concurrency.md", r"6\nOk\(.*"),
        ("results.md", r"3\nreleased seat 7\nexample.odd: 3 is odd"),
    ],
)
def test_the_program_prints_what_it_should(page: str, printed: str) -> None:
    text = (ROOT / "docs" / "reference" / page).read_text()
    (program,) = re.findall(r"^```python\n(.*?)^```$", text, re.M | re.S)
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert re.fullmatch(printed, ran.stdout.rstrip()), ran.stdout + ran.stderr
