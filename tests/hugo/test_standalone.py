"""The library needs the standard library alone."""

import os
import subprocess
import sys
from pathlib import Path

IMPORT_ALL = """
import importlib, pkgutil, sys
import hugo

for module in pkgutil.walk_packages(hugo.__path__, "hugo."):
    importlib.import_module(module.name)
foreign = {name.partition(".")[0] for name in sys.modules} - sys.stdlib_module_names - {"hugo", "__main__"}
assert not foreign, foreign
print("imported")
"""


def test_every_module_can_be_imported_without_any_other_distribution() -> None:
    repository = Path(__file__).parents[2]
    imported = subprocess.run(
        [sys.executable, "-S", "-c", IMPORT_ALL],
        env={**os.environ, "PYTHONPATH": str(repository)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert imported.stdout == "imported\n", imported.stderr


def test_its_types_are_published() -> None:
    assert (Path(__file__).parents[2] / "hugo" / "py.typed").exists()
