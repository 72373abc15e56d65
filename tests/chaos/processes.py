"""The processes of a cluster under chaos: each can be killed, frozen, started again, and none outlives the harness."""

import os
import signal
import struct
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.databases import ROOT
from tests.support.processes import dying_with_parent

CLOCK = Path(__file__).parent / "clock"


class Process:
    """A process and its children, which are one group.

    Args:
        name: of its log.
        command: what is run.
        directory: where its log is.
        environment: all of its variables.

    Attributes:
        name: as given.
        restarts: how often it was started again.
    """

    def __init__(self, name: str, command: Sequence[str], directory: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.restarts = -1
        self.log = directory / f"{name}.log"
        self._command = command
        self._clock = directory / f"{name}.clock"
        self._clock.write_bytes(struct.pack("=q", 0))
        self._environment = {**environment, "PYTHONPATH": str(CLOCK), "CHAOS_CLOCK": str(self._clock)}
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def alive(self) -> bool:
        """Whether it was started and has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Starts it; from the main thread, to whose life its own is tied."""
        self.restarts += 1
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                dying_with_parent(self._command),
                cwd=ROOT,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def kill(self) -> None:
        """SIGKILL to all of it."""
        self._signal(signal.SIGKILL)
        if self._process is not None:
            self._process.wait()

    def freeze(self) -> None:
        """Lets none of it run."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it run on, as if no time had passed for it."""
        self._signal(signal.SIGCONT)

    def shift(self, seconds: float) -> None:
        """Sets its wall clock so much off the true time."""
        with self._clock.open("r+b") as file:
            file.write(struct.pack("=q", round(seconds * 1e9)))

    def stop(self, patience: float = 20.0) -> None:
        """SIGTERM, and SIGKILL when that does not help."""
        if self._process is None:
            return
        self.thaw()
        self._process.terminate()
        try:
            self._process.wait(patience)
        except subprocess.TimeoutExpired:
            print(f"{self.name} does not end; it is killed", flush=True)
        self.kill()

    def _signal(self, number: signal.Signals) -> None:
        if self._process is not None:
            try:
                os.killpg(self._process.pid, number)
            except ProcessLookupError:
                pass
