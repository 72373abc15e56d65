"""The processes of a cluster under chaos: besides being killed, they can be frozen, and their clocks moved."""

import os
import signal
import struct
from collections.abc import Mapping, Sequence
from pathlib import Path

from tests.support.cluster import Cluster, Process

CLOCK = Path(__file__).parent / "clock"


class Victim(Process):
    """See Process.

    Attributes:
        restarts: how often it was started again.
    """

    def __init__(
        self, name: str, command: Sequence[str], ready: str, directory: Path, environment: Mapping[str, str]
    ) -> None:
        self.restarts = 0
        self._clock = directory / f"{name}.clock"
        self.shift(0)
        moved = {"PYTHONPATH": str(CLOCK), "CHAOS_CLOCK": str(self._clock)}
        super().__init__(name, command, ready, directory, {**environment, **moved})

    def again(self) -> None:
        """Starts it after it was killed, and does not wait."""
        self.restarts += 1
        self.launch()

    def freeze(self) -> None:
        """Lets nothing of it and its children run."""
        self._tell(signal.SIGSTOP)

    def thaw(self) -> None:
        """Lets it run on, as if no time had passed for it."""
        self._tell(signal.SIGCONT)

    def shift(self, seconds: float) -> None:
        """Sets its wall clock so much off the true time; the file is mapped by the process, and must keep its place."""
        with self._clock.open("r+b" if self._clock.exists() else "wb") as file:
            file.write(struct.pack("=q", round(seconds * 1e9)))

    def _tell(self, number: signal.Signals) -> None:
        try:
            os.killpg(self.pid, number)
        except ProcessLookupError:
            pass  # it was killed, and is about to be started again


class Victims(Cluster):
    """Makes them; see Cluster."""

    def process(self, name: str, command: Sequence[str], ready: str) -> Victim:
        """See Cluster."""
        made = Victim(name, command, ready, self._directory, self._environment)
        self.processes.append(made)
        return made
