"""The program in the description of the library runs."""

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_the_program_prints_what_it_should() -> None:
    (program,) = re.findall(
        r"^```python\n(.*?)^```$", (ROOT / "docs/reference/concurrency.md").read_text(), re.M | re.S
    )
    ran = subprocess.run([sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ran.stdout.splitlines()[0] == "6", ran.stderr
    assert ran.stdout.splitlines()[1].startswith("Ok("), ran.stderr
