"""Earlier versions of the code, from the history of the repository."""

import subprocess
import tarfile
from io import BytesIO
from pathlib import Path

from tests.support.databases import ROOT


class NoHistory(Exception):
    """The checkout does not have a commit; the text says what to do."""


def check_out(commit: str, directory: Path) -> Path:
    """Writes the files of a commit into a directory, and returns it.

    Raises:
        NoHistory: this is no clone, or one without the commit.
    """
    try:
        archive = subprocess.run(
            ["git", "archive", "--format=tar", commit],
            cwd=ROOT,
            capture_output=True,
            check=True,
            stdin=subprocess.DEVNULL,
        ).stdout
    except FileNotFoundError:
        raise NoHistory("an earlier version of the code is needed, and git is not installed") from None
    except subprocess.CalledProcessError as error:
        raise NoHistory(
            f"an earlier version of the code is needed, and {ROOT} does not have the commit {commit}: test in a clone "
            f"with its whole history (`git fetch --unshallow`). git says: {error.stderr.decode().strip()}"
        ) from None
    with tarfile.open(fileobj=BytesIO(archive)) as files:
        files.extractall(directory, filter="data")
    return directory
