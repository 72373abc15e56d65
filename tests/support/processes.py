"""Starting child processes that never outlive the one that started them."""

import os
import pwd
import shutil
import signal
import socket
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path


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
            dying_with_parent([str(part) for part in command], death_signal, account),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=directory,
            env=_environment(directory),
            start_new_session=True,
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


def dying_with_parent(
    command: Sequence[str], how: signal.Signals = signal.SIGKILL, account: Account | None = None
) -> list[str]:
    """The command, run as `account` and signalled by the kernel when we are gone, even by SIGKILL.

    Where there is no `setpriv`, as on macOS, only an orderly end of ours ends it, and nobody may be root. Not by
    `preexec_fn` and `user` of subprocess: they fork, which runs gRPC's fork handlers, and those now and then abort the
    child.
    """
    setpriv = shutil.which("setpriv")
    if setpriv is None:
        if account is not None:
            raise LookupError("setpriv (util-linux) is missing: a database server must not run as root.")
        return list(command)
    become = [f"--reuid={account.uid}", f"--regid={account.gid}", "--clear-groups"] if account else []
    return [setpriv, *become, f"--pdeathsig={how.name.removeprefix('SIG')}", "--", *command]
