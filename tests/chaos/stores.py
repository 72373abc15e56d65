"""PostgreSQL and Redis under chaos: they can be ended in several ways, and started again where they were."""

import os
import signal
import subprocess
from pathlib import Path
from typing import ClassVar

from tests.support import servers
from tests.support.processes import dying_with_parent


class _Restartable(servers.Server):
    """A server that comes back on its port."""

    def run(self, command: list[str | Path]) -> subprocess.Popen[bytes]:
        """As Server.run, from a process that uses gRPC."""
        with self.log.open("ab") as output:
            return subprocess.Popen(
                dying_with_parent([str(part) for part in command]),
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=self.directory,
                env={"PATH": os.environ["PATH"], "HOME": str(self.directory), "LC_ALL": "C"},
                user=self.account.uid if self.account else None,
                group=self.account.gid if self.account else None,
                extra_groups=[] if self.account else None,
                start_new_session=True,
            )

    def end(self, how: signal.Signals) -> None:
        """Ends it, and returns when it has ended."""
        assert self.process is not None
        self.process.send_signal(how)
        self.process.wait(60)

    def again(self) -> None:
        """Starts it on the port it had."""
        self.process = self.run(self.service())


class PostgreSQL(_Restartable, servers.PostgreSQL):
    """One that keeps what it has acknowledged when its processes die, as an operator's does."""

    ENDS: ClassVar = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT}

    def service(self) -> list[str | Path]:
        """See Server."""
        return [*super().service(), "-c", "synchronous_commit=on"]


class Redis(_Restartable, servers.Redis):
    """One that forgets everything whenever it ends."""
