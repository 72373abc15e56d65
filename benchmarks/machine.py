"""What the figures were taken on: goes into every JSON file and into RESULTS.md."""

from __future__ import annotations

import os
import platform
from importlib import metadata
from pathlib import Path
from typing import Any

PACKAGES = ("Django", "grpcio", "protobuf", "psycopg", "pyvoy", "temporalio", "uvloop")


def describe(work_dir: Path) -> dict[str, Any]:
    """CPU, cores, memory, kernel, file system of the data directory, versions."""
    versions = {}
    for package in PACKAGES:
        try:
            versions[package] = metadata.version(package)
        except metadata.PackageNotFoundError:
            continue
    pages, page_size = os.sysconf("SC_PHYS_PAGES"), os.sysconf("SC_PAGE_SIZE")
    return {
        "cpu": cpu_model(),
        "cores": len(os.sched_getaffinity(0)),
        "memory_gb": round(pages * page_size / 2**30, 1),
        "system": f"{platform.system()} {platform.release()}",
        "file_system": file_system(work_dir),
        "python": platform.python_version(),
        "packages": versions,
        "load_average": [round(x, 2) for x in os.getloadavg()],
    }


def cpu_model() -> str:
    """The model name the kernel gives the first core."""
    try:
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.machine()


def file_system(path: Path) -> str:
    """Type of the file system that holds `path`. On tmpfs a flush to disk costs nothing, so figures flatter."""
    best, kind = "", "unknown"
    real = str(path.resolve())
    try:
        mounts = Path("/proc/mounts").read_text().splitlines()
    except OSError:
        return kind
    for line in mounts:
        _, mount, fs_type, *_ = line.split()
        inside = real == mount or real.startswith(mount.rstrip("/") + "/")
        if inside and len(mount) >= len(best):
            best, kind = mount, fs_type
    return kind
