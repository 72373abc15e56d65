"""Starting child processes that never outlive the one that started them."""

import ctypes
import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

PR_SET_PDEATHSIG = 1


@dataclass(frozen=True, slots=True)
class Account:
    """The user a process runs as; database servers refuse to run as root."""

    uid: int
    gid: int

    @classmethod
    def of_first(cls, *names: str) -> "Account | None":
        """The first of these users that exists when we are root; None when we are not, and stay who we are."""
        if os.geteuid() != 0:
            return None
        for name in names:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            return cls(entry.pw_uid, entry.pw_gid)
        raise LookupError(f"None of the users {', '.join(names)} exists, and a database server must not run as root.")


def start(
    command: Sequence[str | Path], *, account: Account | None, log: Path, directory: Path, death_signal: signal.Signals
) -> subprocess.Popen[bytes]:
    """Starts `command` in a session of its own, so that Ctrl-C in the terminal reaches the tests first."""
    with log.open("ab") as output:
        return subprocess.Popen(
            [str(part) for part in command],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=_environment(directory),
            user=account.uid if account else None,
            group=account.gid if account else None,
            extra_groups=[] if account else None,
            start_new_session=True,
            preexec_fn=die_with_parent(death_signal),
        )


def stop(process: subprocess.Popen[bytes], how: signal.Signals, patience: float = 20.0) -> None:
    """Asks a process to end, waits, and kills it when it does not listen."""
    if process.poll() is None:
        process.send_signal(how)
        try:
            process.wait(patience)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def free_port() -> int:
    """A TCP port of the loopback interface that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def tail(log: Path, lines: int = 25) -> str:
    """The end of a log, for an error message."""
    if not log.exists():
        return "(no output)"
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])


def _environment(directory: Path) -> dict[str, str]:
    """Enough to run, and nothing of ours: PGDATA or MYSQL_HOST of the caller must not lead elsewhere."""
    kept = {name: value for name in ("PATH", "TZ", "LD_LIBRARY_PATH") if (value := os.environ.get(name))}
    return kept | {"HOME": str(directory), "TMPDIR": str(directory), "LC_ALL": "C"}


def die_with_parent(how: signal.Signals) -> Callable[[], None] | None:
    """On Linux the kernel signals the child when we are gone, even by SIGKILL; elsewhere only an orderly end does."""
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None, use_errno=True).prctl

    def ask_kernel() -> None:
        prctl(PR_SET_PDEATHSIG, int(how))

    return ask_kernel


def dying_with_parent(command: Sequence[str]) -> list[str]:
    """The command, killed by the kernel when we are gone, for processes that use gRPC.

    A fork that runs Python in between, as `preexec_fn` does, runs gRPC's fork handlers too, and now and then they abort
    the child.
    """
    setpriv = shutil.which("setpriv") if sys.platform == "linux" else None
    return [setpriv, "--pdeathsig", "KILL", "--", *command] if setpriv else list(command)
