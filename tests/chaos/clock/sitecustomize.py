"""Moves the wall clock of a Python process by what a file says: PYTHONPATH names this directory, CHAOS_CLOCK the file.

The file holds nanoseconds, a signed integer of eight bytes in the machine's order. The monotonic clock stays as it is,
as it does when somebody sets the clock of a host.
"""

import mmap
import os
import struct
import time

if path := os.environ.get("CHAOS_CLOCK"):
    with open(path, "rb") as _file:
        _shift = mmap.mmap(_file.fileno(), 8, access=mmap.ACCESS_READ)
    _read, _true = struct.Struct("=q").unpack_from, time.time_ns

    def time_ns() -> int:
        """The moved time, nanoseconds since the epoch."""
        return _true() + int(_read(_shift)[0])

    def _time() -> float:
        """The moved time, seconds since the epoch."""
        return time_ns() / 1e9

    time.time_ns = time_ns
    time.time = _time
