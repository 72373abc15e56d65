"""Sagas: steps that all happen, or are taken back in reverse."""

from asyncio import CancelledError
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeVar, overload

from hugo.cancellation import CancelToken
from hugo.clock import Clock
from hugo.errors import Error, ErrorCode
from hugo.policies import DEFAULT_POLICY, CompensationScope, ExecutionPolicy, StepContext, execute
from hugo.result.awaiting import MaybeAwaitable, settled
from hugo.result.core import Result, err, ok
from hugo.result.failure import Err

S = TypeVar("S")


class SagaState(Mapping[str, Any]):
    """What the steps have returned, by key; keys are found in any case."""

    def __init__(self) -> None:
        self._values: dict[str, tuple[str, Any]] = {}

    def __getitem__(self, key: str) -> Any:
        return self._values[key.casefold()][1]

    def __iter__(self) -> Iterator[str]:
        return (key for key, _ in self._values.values())

    def __len__(self) -> int:
        return len(self._values)

    def set(self, key: str, value: object) -> None:
        """Puts a value under a key, in place of an earlier one."""
        self._values[key.casefold()] = key, value

    @overload
    def find(self, key: str) -> Any: ...
    @overload
    def find(self, key: str, type_: type[S]) -> S | None: ...
    def find(self, key: str, type_: type = object) -> Any:
        """The value under a key; None if there is none, or one of another type than `type_`."""
        value = self._values.get(key.casefold(), (key, None))[1]
        return value if isinstance(value, type_) else None


@dataclass(frozen=True, slots=True, kw_only=True)
class SagaContext(StepContext):
    """What a step gets to know: what every operation under a policy does, and what the steps before have returned."""

    state: SagaState


@dataclass(frozen=True, slots=True)
class _Step:
    name: str
    key: str
    run: Callable[[SagaContext], MaybeAwaitable[Result[Any]]]
    undo: Callable[[Any], object] | None


@dataclass(frozen=True, slots=True)
class Saga:
    """Steps in their order; immutable, so it may be run again."""

    _steps: tuple[_Step, ...] = field(default=(), repr=False)

    def step(
        self,
        name: str,
        run: Callable[[SagaContext], MaybeAwaitable[Result[S]]],
        *,
        undo: Callable[[S], object] | None = None,
        key: str | None = None,
    ) -> "Saga":
        """The same saga with one more step, whose value is kept under `key`, by default its name.

        `undo` takes the value back if a later step fails; it may return an awaitable. Raises ValueError for a blank
        name and for a key that is taken.
        """
        key = key or name
        if not name.strip() or not key.strip():
            raise ValueError("A step has a name.")
        if any(step.key.casefold() == key.casefold() for step in self._steps):
            raise ValueError(f"Two steps would keep their value under {key!r}.")
        return Saga((*self._steps, _Step(name, key, run, undo)))

    async def execute(
        self,
        *,
        policy: ExecutionPolicy | None = None,
        clock: Clock | None = None,
        token: CancelToken | None = None,
    ) -> Result[SagaState]:
        """Takes the steps one after the other, each under `policy`, and returns what they returned.

        When a step fails, or `token` fires, or the task is cancelled, the completed steps are taken back, latest first;
        if that fails, the error is an aggregate. Neither the token nor the cancellation stops that. A success carries
        the compensations of all steps, for a saga that is itself part of something.
        """
        policy = policy or DEFAULT_POLICY
        state, scope = SagaState(), CompensationScope()
        failure: Err | None = None
        if not self._steps:
            return err("Saga contains no steps.", ErrorCode.VALIDATION)
        try:
            for step in self._steps:
                result = await execute(_bound(step, state), policy=policy, name=step.name, clock=clock, token=token)
                if isinstance(result, Err):
                    failure = result
                    break
                state.set(step.key, result.value)
                scope.absorb(result.compensations)
                if step.undo is not None:
                    scope.register(step.undo, result.value)
        except CancelledError:
            await policy.take_back(scope.undos, clock)
            raise
        if failure is None:
            return ok(state).with_compensations(scope.undos)
        errors = await policy.take_back(scope.undos, clock)
        return err(Error.aggregate("Saga execution failed.", failure.error, *errors)) if errors else failure


def _bound(step: _Step, state: SagaState) -> Callable[[StepContext], MaybeAwaitable[Result[Any]]]:
    """The step as an operation."""

    async def run(context: StepContext) -> Result[Any]:
        known = SagaContext(context.name, context.token, context.clock, context.attempt, context.scope, state=state)
        result: Result[Any] = await settled(step.run(known))
        return result

    return run
