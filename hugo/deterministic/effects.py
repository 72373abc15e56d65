"""Effects that happen once, however often the code around them runs."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Generic, TypeVar, overload

from hugo.cancellation import CancelToken
from hugo.clock import SYSTEM_CLOCK, Clock
from hugo.deterministic.codec import JsonCodec, PayloadCodec
from hugo.deterministic.outcome import Outcome
from hugo.deterministic.record import EFFECT, DeterministicRecord, RunScope
from hugo.deterministic.store import DeterministicStateStore
from hugo.deterministic.tracing import stage
from hugo.errors import Error, ErrorCode
from hugo.result.awaiting import MaybeAwaitable, settled
from hugo.result.capture import attempt
from hugo.result.core import Result, err, ok
from hugo.result.failure import Err
from hugo.result.success import Ok

T_co = TypeVar("T_co", covariant=True)
T = TypeVar("T")

Final = bool | Callable[[Error], bool]
"""Which failures are remembered for good: all, none, or those for which a function says so."""


@dataclass(frozen=True)
class Captured(Generic[T_co]):
    """An effect's value, and whether it was remembered from an earlier run."""

    value: T_co
    replayed: bool


class EffectStore:
    """Remembers what effects returned, for one run.

    An effect runs at least once and has one outcome: of several that run at once, in whatever process, the first to be
    remembered counts, and all get that.
    """

    def __init__(
        self,
        store: DeterministicStateStore,
        scope: RunScope,
        *,
        clock: Clock | None = None,
        codec: PayloadCodec | None = None,
    ) -> None:
        """`codec` writes the values; by default they are written as JSON."""
        self._store = store
        self._scope = scope
        self._clock = clock or SYSTEM_CLOCK
        self._codec = codec or JsonCodec()

    @overload
    async def capture(
        self,
        effect_id: str,
        effect: Callable[[], MaybeAwaitable[Result[T]]],
        *,
        type_: type[T] | None = ...,
        record_failures: Final = ...,
        token: CancelToken | None = ...,
    ) -> Result[Captured[T]]: ...
    @overload
    async def capture(
        self,
        effect_id: str,
        effect: Callable[[], Awaitable[T]],
        *,
        type_: type[T] | None = ...,
        record_failures: Final = ...,
        token: CancelToken | None = ...,
    ) -> Result[Captured[T]]: ...
    @overload
    async def capture(
        self,
        effect_id: str,
        effect: Callable[[], T],
        *,
        type_: type[T] | None = ...,
        record_failures: Final = ...,
        token: CancelToken | None = ...,
    ) -> Result[Captured[T]]: ...
    async def capture(
        self,
        effect_id: str,
        effect: Callable[[], Any],
        *,
        type_: type[Any] | None = None,
        record_failures: Final = True,
        token: CancelToken | None = None,
    ) -> Result[Captured[Any]]:
        """What the effect returned when it first ran under this id in this run; it runs now if it has not yet.

        What it raises is an error, remembered like a returned one. A failure that `record_failures` does not take for
        final is remembered with the number of its attempt, and the effect runs again the next time. Cancellation is
        never remembered. `type_` is what the value must be: if something else is remembered, the error is
        `error.deterministic.replay`. Raises ValueError for a blank id, TypeError for a value that cannot be written.
        """
        if not effect_id.strip():
            raise ValueError("An effect has an id.")
        with stage("effect.capture", {"deterministic.effect_id": effect_id}) as tell:
            return tell(await self._capture(effect_id, effect, type_, record_failures, token))

    async def _capture(
        self,
        effect_id: str,
        effect: Callable[[], Any],
        type_: type[Any] | None,
        final: Final,
        token: CancelToken | None,
    ) -> Result[Captured[Any]]:
        key = self._scope.key(EFFECT, effect_id)
        record = await self._store.get(key)
        if record is not None and (known := self._remembered(effect_id, record, type_)) is not None:
            return known

        async def run() -> Result[Any]:
            value = await settled(effect())
            return value if isinstance(value, Ok | Err) else ok(value)

        result = await attempt(run, token)
        if isinstance(result, Err) and result.error.code == ErrorCode.CANCELED:
            return result
        lasting = not isinstance(result, Err) or (final(result.error) if callable(final) else final)
        outcome = Outcome.of(result, self._codec, final=lasting)
        mine = result.map(lambda value: Captured(value, replayed=False))
        while not await self._keep(key, outcome, after=record):
            record = await self._store.get(key)
            known = None if record is None else self._remembered(effect_id, record, type_)
            if known is not None or not lasting:
                return known or mine
        return mine

    async def _keep(self, key: str, outcome: Outcome, *, after: DeterministicRecord | None) -> bool:
        """Remembers an outcome, unless another record than `after` is there by now."""
        number = 1 if after is None else after.version + 1
        record = DeterministicRecord(EFFECT, number, outcome.to_bytes(), self._clock.utcnow())
        if after is None:
            return await self._store.add(key, record)
        return await self._store.replace(key, record, expected=after.version)

    def _remembered(
        self, effect_id: str, record: DeterministicRecord, type_: type[Any] | None
    ) -> Result[Captured[Any]] | None:
        """The outcome of a record, or None if the effect may run again."""
        if record.kind != EFFECT:
            return _mismatch("Another kind of record has this key.", effectId=effect_id, kind=record.kind)
        outcome = Outcome.from_bytes(record.payload)
        if not outcome.final:
            return None
        if type_ is not None and outcome.error is None and outcome.type_tag != self._codec.tag(type_):
            return _mismatch(
                "A value of another type is remembered.",
                effectId=effect_id,
                storedType=outcome.type_tag,
                requestedType=self._codec.tag(type_),
            )
        return outcome.result(self._codec).map(lambda value: Captured(value, replayed=True))


def _mismatch(message: str, **details: object) -> Err:
    return err(Error(message, ErrorCode.DETERMINISTIC_REPLAY, metadata=details))
