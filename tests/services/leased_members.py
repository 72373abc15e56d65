"""Members of a cluster as processes of their own, whose leases are short; see `leased_process`."""

import json
import signal
import subprocess
import sys
from typing import Self

from orchestrator.store.members_sql import SqlClusterStore
from tests.store.process import ALIAS
from tests.support.databases import ROOT, server_environment
from tests.support.processes import dying_with_parent

LEASE_S = 2


class Member:
    """A process."""

    def __init__(self, url: str, role: str = "worker") -> None:
        self._process = subprocess.Popen(
            dying_with_parent([sys.executable, "-m", "tests.services.leased_process", role]),
            cwd=ROOT,
            env=server_environment(url) | {"PATH": "", "HUGO_SHARD_LEASE": str(LEASE_S)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self.name = ""

    def __enter__(self) -> Self:
        self.name = self.line()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.kill()
        self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            assert pipe is not None
            pipe.close()

    def say(self, text: str) -> None:
        assert self._process.stdin is not None
        self._process.stdin.write(f"{text}\n")
        self._process.stdin.flush()

    def line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().strip()

    def owned(self) -> list[int]:
        self.say("owned")
        found: list[int] = json.loads(self.line())
        return found

    def signal(self, how: signal.Signals) -> None:
        self._process.send_signal(how)

    def leave(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0


def shared(*members: Member) -> bool:
    """Whether these own all shards, each his part, by the rows and by their own word."""
    rows = SqlClusterStore(ALIAS).shards()
    parts = {member: sorted(shard for shard in rows if rows[shard].owner == member.name) for member in members}
    sizes = [len(part) for part in parts.values()]
    return sum(sizes) == len(rows) and max(sizes) - min(sizes) <= 1 and all(m.owned() == p for m, p in parts.items())
