"""The library needs the standard library alone: there are no other distributions with `-S`, only its neighbours."""

import os
import subprocess
import sys
from pathlib import Path

IMPORT_ALL = """
import importlib, pkgutil, sys
import hugo

for module in pkgutil.walk_packages(hugo.__path__, "hugo."):
    importlib.import_module(module.name)
neighbours = {"benchmarks", "config", "examples", "orchestrator", "tests", "visibility", "workflows"} & set(sys.modules)
assert not neighbours, neighbours
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
