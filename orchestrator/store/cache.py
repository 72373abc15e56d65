"""The states a lane has seen lately (`docs/adr/0004-cached-states-verified-by-the-commit.md`)."""

from collections import OrderedDict
from collections.abc import Iterable

from orchestrator.store.loaded import Loaded
from orchestrator.store.ports import RunKey, WorkflowKey


class Cache:
    """The states of runs a lane has seen lately, with their histories; only its lane touches it.

    Args:
        size: runs kept, at most.
        weight: bytes of states and histories kept, at most.
    """

    def __init__(self, size: int, weight: int) -> None:
        self._size = size
        self._limit = weight
        self._weight = 0
        self._runs: OrderedDict[RunKey, tuple[Loaded, int]] = OrderedDict()
        self._current: dict[WorkflowKey, RunKey] = {}

    def get(self, key: RunKey) -> Loaded | None:
        """The run as last seen; its version must be compared with the stored one."""
        found = self._runs.get(key)
        return found[0] if found is not None else None

    def current(self, key: WorkflowKey) -> str:
        """The open run of a workflow, as last seen; empty when there is none.

        A run that is open is the current one, so it still is as long as its version is the stored one.
        """
        found = self._current.get(key)
        return found.run_id if found is not None else ""

    def kept(self) -> list[RunKey]:
        """The runs it has."""
        return list(self._runs)

    def keep(self, runs: Iterable[Loaded]) -> None:
        """Remembers open runs, and forgets the ones not used for longest."""
        for run in runs:
            self._forget(run.key)
            if run.state.running:
                weight = run.weight
                self._runs[run.key] = (run, weight)
                self._current[run.workflow] = run.key
                self._weight += weight
        while self._runs and (len(self._runs) > self._size or self._weight > self._limit):
            self._forget(next(iter(self._runs)))

    def drop(self, keys: Iterable[RunKey]) -> None:
        """Forgets runs."""
        for key in keys:
            self._forget(key)

    def _forget(self, key: RunKey) -> None:
        found = self._runs.pop(key, None)
        if found is not None:
            run, weight = found
            self._weight -= weight
            if self._current.get(run.workflow) == key:
                del self._current[run.workflow]
