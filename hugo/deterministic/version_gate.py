"""Versions of code, decided once for each run."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

from hugo.clock import SYSTEM_CLOCK, Clock
from hugo.deterministic.record import VERSION, DeterministicRecord, RunScope
from hugo.deterministic.store import DeterministicStateStore
from hugo.deterministic.tracing import stage
from hugo.diagnostics.spans import Attribute
from hugo.errors import Error, ErrorCode
from hugo.result.capture import try_
from hugo.result.core import Result, err, ok
from hugo.result.failure import Err

DEFAULT_VERSION = -1
"""The version of code before there was a gate."""


@dataclass(frozen=True, slots=True)
class VersionDecision:
    """The version a run uses, whether that was decided just now, and when it was."""

    version: int
    is_new: bool
    recorded_at: datetime


@dataclass(frozen=True, slots=True)
class VersionGateContext:
    """What is to be decided: a version of the change, from `min_version` to `max_version`."""

    change_id: str
    min_version: int
    max_version: int


class VersionGate:
    """Decides, once for each change, which version of the code a run uses."""

    def __init__(
        self,
        store: DeterministicStateStore,
        scope: RunScope,
        *,
        clock: Clock | None = None,
        replaying: Callable[[], bool] = lambda: False,
    ) -> None:
        """`replaying` tells whether the run is only doing again what it did before: it passed an undecided gate when
        there was no gate, and so keeps DEFAULT_VERSION.
        """
        self._store = store
        self._scope = scope
        self._clock = clock or SYSTEM_CLOCK
        self._replaying = replaying

    async def require(
        self,
        change_id: str,
        min_version: int,
        max_version: int,
        *,
        initial: Callable[[VersionGateContext], int] | None = None,
    ) -> Result[VersionDecision]:
        """The version decided for this change in this run; undecided, what `initial` returns, by default the newest.

        A version outside the range is `error.version.conflict`, a range without versions `error.validation`, what
        `initial` raises `error.exception`. Of several that decide at once the first counts. Raises ValueError for a
        blank id.
        """
        if not change_id.strip():
            raise ValueError("A change has an id.")
        with stage("version_gate.require", {"deterministic.change_id": change_id}) as tell:
            wanted = VersionGateContext(change_id, min_version, max_version)
            return tell(await self._require(wanted, initial), _described)

    async def _require(
        self, wanted: VersionGateContext, initial: Callable[[VersionGateContext], int] | None
    ) -> Result[VersionDecision]:
        if wanted.min_version > wanted.max_version:
            return err(_error(wanted, "The range holds no version.", ErrorCode.VALIDATION))
        key = self._scope.key(VERSION, wanted.change_id)
        record = await self._store.get(key)
        if record is None:
            chosen = self._choose(wanted, initial)
            if isinstance(chosen, Err):
                return chosen
            new = DeterministicRecord(VERSION, chosen.value, b"", self._clock.utcnow())
            if await self._store.add(key, new):
                return ok(VersionDecision(new.version, is_new=True, recorded_at=new.recorded_at))
            record = await self._store.get(key)
        if record is None or record.kind != VERSION:
            kind = None if record is None else record.kind
            message = "Another kind of record has this key."
            return err(_error(wanted, message, ErrorCode.DETERMINISTIC_REPLAY).with_metadata(kind=kind))
        return _within(wanted, record.version, "persistedVersion").map(
            lambda version: VersionDecision(version, is_new=False, recorded_at=record.recorded_at)
        )

    def _choose(self, wanted: VersionGateContext, initial: Callable[[VersionGateContext], int] | None) -> Result[int]:
        if self._replaying():
            return _within(wanted, DEFAULT_VERSION, "initialVersion")
        if initial is None:
            return ok(wanted.max_version)
        chosen = try_(
            lambda: initial(wanted),
            on_error=lambda exception: Error.from_exception(exception).with_metadata(changeId=wanted.change_id),
        )
        return chosen.then(lambda version: _within(wanted, version, "initialVersion"))


def _described(decision: VersionDecision) -> dict[str, Attribute]:
    return {
        "deterministic.version": decision.version,
        "deterministic.is_new": decision.is_new,
        "deterministic.recorded_at": decision.recorded_at.isoformat(),
    }


def _within(wanted: VersionGateContext, version: int, what: str) -> Result[int]:
    if wanted.min_version <= version <= wanted.max_version:
        return ok(version)
    message = f"Version {version} of {wanted.change_id} is not between {wanted.min_version} and {wanted.max_version}."
    return err(_error(wanted, message, ErrorCode.VERSION_CONFLICT).with_metadata({what: version}))


def _error(wanted: VersionGateContext, message: str, code: ErrorCode) -> Error:
    details = {
        "changeId": wanted.change_id,
        "minVersion": wanted.min_version,
        "maxVersion": wanted.max_version,
    }
    return Error(message, code, metadata=details)
