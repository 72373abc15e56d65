"""Branches of code by version, each with one outcome for each run."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Generic, Never, TypeAlias, TypeVar

from hugo.cancellation import CancelToken
from hugo.deterministic.effects import Captured, EffectStore, Final
from hugo.deterministic.tracing import stage
from hugo.deterministic.version_gate import VersionDecision, VersionGate, VersionGateContext
from hugo.errors import Error, ErrorCode
from hugo.result.awaiting import MaybeAwaitable
from hugo.result.core import Result, err
from hugo.result.failure import Err

T = TypeVar("T")
U = TypeVar("U")

Initial: TypeAlias = Callable[[VersionGateContext], int] | None


@dataclass(frozen=True, slots=True)
class BranchContext:
    """What a branch gets to know: the decision it was chosen by, and the token that stops it."""

    change_id: str
    decision: VersionDecision
    token: CancelToken | None
    _effects: EffectStore

    @property
    def version(self) -> int:
        """The version that was decided on."""
        return self.decision.version

    @property
    def is_new(self) -> bool:
        """Whether that was decided just now."""
        return self.decision.is_new

    @property
    def recorded_at(self) -> datetime:
        """When it was."""
        return self.decision.recorded_at

    def create_effect_id(self, step_id: str) -> str:
        """The id of an effect within this branch; raises ValueError for a blank one."""
        if not step_id.strip():
            raise ValueError("A step has an id.")
        return f"{self.change_id}::v{self.version}::{step_id.strip()}"

    async def capture(
        self, step_id: str, effect: Callable[[], MaybeAwaitable[Result[U]]], *, record_failures: Final = True
    ) -> Result[Captured[U]]:
        """As `EffectStore.capture`, for one step of this branch."""
        id_ = self.create_effect_id(step_id)
        return await self._effects.capture(id_, effect, record_failures=record_failures, token=self.token)


Branch: TypeAlias = Callable[[BranchContext], MaybeAwaitable[Result[T]]]


class DeterministicGate:
    """Runs the branch of code a run has to take, once."""

    def __init__(self, versions: VersionGate, effects: EffectStore) -> None:
        """`versions` decides, `effects` remembers the outcome."""
        self._versions = versions
        self._effects = effects

    async def execute(
        self,
        change_id: str,
        min_version: int,
        max_version: int,
        *,
        upgraded: Branch[T],
        legacy: Branch[T],
        initial: Initial = None,
        record_failures: Final = True,
        token: CancelToken | None = None,
    ) -> Result[T]:
        """The outcome of `upgraded` if the run uses the newest version, otherwise that of `legacy`.

        It is remembered as `EffectStore.capture` says.
        """
        wanted = VersionGateContext(change_id, min_version, max_version)
        builder: GateBuilder[T] = GateBuilder(self._versions, self._effects, wanted, initial)
        newest = builder.when(lambda decision: decision.version >= max_version, upgraded)
        return await newest.fallback(legacy).execute(record_failures=record_failures, token=token)

    def workflow(
        self, change_id: str, min_version: int, max_version: int, *, initial: Initial = None
    ) -> "GateBuilder[Never]":
        """Branches to be named one by one; raises ValueError unless 0 < min_version <= max_version."""
        if not 0 < min_version <= max_version:
            raise ValueError("Versions are positive, and the smallest is not above the largest.")
        return GateBuilder(
            self._versions, self._effects, VersionGateContext(change_id, min_version, max_version), initial
        )


@dataclass(frozen=True)
class GateBuilder(Generic[T]):
    """Branches in the order in which they are asked; immutable."""

    _versions: VersionGate
    _effects: EffectStore
    _wanted: VersionGateContext
    _initial: Initial = None
    _branches: tuple[tuple[Callable[[VersionDecision], bool], Branch[T]], ...] = ()
    _fallback: Branch[T] | None = None

    def when(self, holds: Callable[[VersionDecision], bool], branch: Branch[U]) -> "GateBuilder[T | U]":
        """Takes the branch if `holds` is true for the decision."""
        branches = (*self._branches, (holds, branch))
        return GateBuilder(self._versions, self._effects, self._wanted, self._initial, branches, self._fallback)

    def for_version(self, version: int, branch: Branch[U]) -> "GateBuilder[T | U]":
        """Takes the branch for one version; raises ValueError for one outside the range."""
        return self.for_range(version, version, branch)

    def for_range(self, first: int, last: int, branch: Branch[U]) -> "GateBuilder[T | U]":
        """Takes the branch for the versions from `first` to `last`; raises ValueError if not all are in the range."""
        if not self._wanted.min_version <= first <= last <= self._wanted.max_version:
            raise ValueError(f"{first} to {last} is not within the versions of {self._wanted.change_id}.")
        return self.when(lambda decision: first <= decision.version <= last, branch)

    def fallback(self, branch: Branch[U]) -> "GateBuilder[T | U]":
        """Takes the branch if no other is taken."""
        return GateBuilder(self._versions, self._effects, self._wanted, self._initial, self._branches, branch)

    async def execute(self, *, record_failures: Final = True, token: CancelToken | None = None) -> Result[T]:
        """The outcome of the first branch that fits the run's version, remembered as `EffectStore.capture` says.

        Without one that fits, the error is `error.version.conflict`.
        """
        with stage("workflow.execute", {"deterministic.change_id": self._wanted.change_id}) as tell:
            return tell(await self._execute(record_failures, token))

    async def _execute(self, record_failures: Final, token: CancelToken | None) -> Result[T]:
        wanted = self._wanted
        decided = await self._versions.require(
            wanted.change_id, wanted.min_version, wanted.max_version, initial=self._initial
        )
        if isinstance(decided, Err):
            return decided
        decision = decided.value
        branch = next((branch for holds, branch in self._branches if holds(decision)), self._fallback)
        if branch is None:
            message = f"No workflow branch was registered for version {decision.version}."
            details = {"changeId": wanted.change_id, "version": decision.version}
            return err(Error(message, ErrorCode.VERSION_CONFLICT, metadata=details))
        context = BranchContext(wanted.change_id, decision, token, self._effects)
        captured: Result[Captured[T]] = await self._effects.capture(
            f"{wanted.change_id}::v{decision.version}",
            lambda: branch(context),
            record_failures=record_failures,
            token=token,
        )
        return captured.map(lambda outcome: outcome.value)
