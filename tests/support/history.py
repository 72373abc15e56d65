"""Earlier versions of the code, from the history of the repository."""

import shutil
import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from tests.support.databases import ROOT

PRESENT = shutil.ignore_patterns(".*", "__pycache__", "build", "node_modules")


def check_out_before(directory: Path, changed: str = ".") -> Path:
    """Writes the files of an earlier version into a directory, and returns it.

    Args:
        directory: not there yet.
        changed: the version is that before the latest change of this path.

    Where there is no history, as in an export of the present version, that one is its own predecessor.
    """
    try:
        latest = _git("log", "-1", "--format=%H", "--", changed).decode().strip()
        archive = _git("archive", "--format=tar", f"{latest}~1")
    except (FileNotFoundError, subprocess.CalledProcessError) as error:
        print(f"the present version stands in for the one before: {error}")
        shutil.copytree(ROOT, directory, ignore=PRESENT)
        return directory
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(directory, filter="data")
    return directory


def _git(*arguments: str) -> bytes:
    return subprocess.run(
        # The checkout may belong to somebody else than who tests it.
        ["git", "-c", "safe.directory=*", *arguments],
        cwd=ROOT,
        capture_output=True,
        check=True,
        stdin=subprocess.DEVNULL,
    ).stdout
