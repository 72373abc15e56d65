"""Finding the programs of the database servers, and installing them where that is possible."""

import os
import re
import shutil
import subprocess
from collections.abc import Iterable
from pathlib import Path

PACKAGES = {
    "PostgreSQL": "postgresql",
    "MariaDB": "mariadb-server",
    "Redis": "redis-server",
    "PgBouncer": "pgbouncer",
}
NEEDED = {
    "PostgreSQL": ("initdb", "postgres"),
    "MariaDB": ("mariadb-install-db", "mariadbd"),
    "Redis": ("redis-server",),
    "PgBouncer": ("pgbouncer",),
}


class Missing(Exception):
    """A server the tests need cannot be had on this machine."""


def find(program: str) -> Path | None:
    """The program on PATH, or where Debian and Homebrew keep servers off it; the newest version wins."""
    if found := shutil.which(program):
        return Path(found)
    return next((path for each in _directories() if os.access(path := each / program, os.X_OK)), None)


def need(program: str) -> Path:
    """The program, which `ensure` has seen before."""
    if found := find(program):
        return found
    raise Missing(f"The program {program} is not installed.")


def ensure(*wanted: str) -> None:
    """Makes sure that servers are installed, all unless some are named; as root it installs Debian packages by apt."""
    if not (names := _missing(wanted or NEEDED)):
        return
    if can_install():
        install([PACKAGES[name] for name in names])
    if names := _missing(wanted or NEEDED):
        packages = " ".join(PACKAGES[name] for name in names)
        raise Missing(
            f"This needs {' and '.join(names)}, which is not installed: install it (Debian: apt-get install "
            f"{packages}) and run make again; it need not be running."
        )


def _missing(wanted: Iterable[str]) -> list[str]:
    return [name for name in wanted if not all(find(program) for program in NEEDED[name])]


def can_install() -> bool:
    """Whether we may install Debian packages."""
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def install(packages: Iterable[str]) -> None:
    """Installs packages without a question and without starting what they bring (RUNLEVEL=1 says: not now)."""
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    print(f"installing {' '.join(packages)} ...", flush=True)
    for command in (["update", "-qq"], ["install", "-qq", "-y", "--no-install-recommends", *packages]):
        done = subprocess.run(
            ["apt-get", *command],
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            check=False,
        )
        if done.returncode:
            print(done.stdout[-2000:], flush=True)
            print(f"apt-get {command[0]} failed with status {done.returncode}", flush=True)


def _directories() -> list[Path]:
    versioned = [
        *Path("/usr/lib/postgresql").glob("*/bin"),
        *Path("/opt/homebrew/opt").glob("postgresql@*/bin"),
        *Path("/usr/local/opt").glob("postgresql@*/bin"),
    ]
    versioned.sort(key=_version, reverse=True)
    plain = ("/usr/sbin", "/usr/local/sbin", "/usr/local/bin", "/opt/homebrew/bin", "/opt/homebrew/opt/mariadb/bin")
    return [*versioned, *map(Path, plain)]


def _version(path: Path) -> int:
    numbers = re.findall(r"\d+", str(path))
    return int(numbers[-1]) if numbers else 0
