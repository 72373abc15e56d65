"""The version of the code, as members of a cluster tell it."""

import tomllib

from orchestrator import __version__
from tests.support.databases import ROOT


def test_the_code_knows_the_version_of_its_package() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    assert __version__ == project["version"]
