"""One server for one SQLite file."""

import fcntl
import os
import time
from pathlib import Path

from orchestrator.management.refusal import Refusal

PATIENCE = 2.0
"""Seconds to wait for a server that was killed a moment ago: its serving child outlives it by an instant."""

_PACE = 0.05


class FileLock:
    """An exclusive lock that lasts until every process that holds its descriptor is gone, however it ends.

    Args:
        path: the lock file; made when missing, and never deleted, because two processes could then lock two files.

    Attributes:
        descriptor: for a child process to inherit, so that it holds the lock as long as it lives.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.descriptor = -1

    def take(self, guarded: Path) -> None:
        """Takes the lock.

        Args:
            guarded: the file it is about, for the sentence.

        Raises:
            Refusal: another process holds it.
            OSError: the lock file cannot be opened.
        """
        descriptor = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        deadline = time.monotonic() + PATIENCE
        while not _try(descriptor):
            if time.monotonic() > deadline:
                owner = os.pread(descriptor, 32, 0).decode("ascii", "replace").strip()
                os.close(descriptor)
                raise Refusal(
                    f"Another server (process {owner or 'unknown'}) uses {guarded}: a SQLite file is for one server; "
                    "stop that one, name another directory with --data, or set DATABASE_URL to a PostgreSQL database."
                )
            time.sleep(_PACE)
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        self.descriptor = descriptor


def _try(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
