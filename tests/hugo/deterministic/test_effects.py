"""An effect runs until it has an outcome, which then comes back for good."""

import asyncio
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from uuid import UUID

import pytest
from hypothesis import settings
from hypothesis import strategies as some
from hypothesis.stateful import RuleBasedStateMachine, rule

from hugo.cancellation import CancelToken
from hugo.deterministic import (
    EFFECT,
    VERSION,
    Captured,
    DeterministicRecord,
    EffectStore,
    InMemoryStateStore,
    RunScope,
)
from hugo.diagnostics.memory import recording
from hugo.errors import Error, ErrorCode
from hugo.result import Err, Result, err, ok

SCOPE = RunScope("default", "order-1", "run-1")
NOW = datetime(2024, 1, 1, tzinfo=UTC)


class Effect:
    """An effect that counts how often it runs and returns what it is told, the last of it again and again."""

    def __init__(self, *results: Result[object]) -> None:
        self.results = list(results)
        self.runs = 0

    async def __call__(self) -> Result[object]:
        self.runs += 1
        return self.results[min(self.runs, len(self.results)) - 1]


def effects(store: InMemoryStateStore | None = None) -> EffectStore:
    return EffectStore(store or InMemoryStateStore(), SCOPE)


@pytest.mark.parametrize(
    "value",
    [None, True, 1, 1.5, "2024-01-01T00:00:00", [1, {"a": None}], {"$type": "x"}, b"\x00", NOW, UUID(int=1)],
)
async def test_a_value_comes_back_as_it_was_without_running_again(value: object) -> None:
    store, effect = effects(), Effect(ok(value))
    assert await store.capture("pay", effect) == ok(Captured(value, replayed=False))
    again = await store.capture("pay", effect)
    assert again == ok(Captured(value, replayed=True))
    assert type(again.unwrap().value) is type(value)
    assert effect.runs == 1


async def test_an_effect_may_return_a_plain_value() -> None:
    assert await effects().capture("pay", lambda: 3) == ok(Captured(3, replayed=False))


async def test_a_failure_comes_back_without_its_traces() -> None:
    store = effects()
    runs: list[int] = []

    def fail() -> int:
        runs.append(1)
        raise KeyError("gone")

    first = await store.capture("pay", fail)
    again = await store.capture("pay", fail)
    for result in (first, again):
        assert result.error is not None
        assert (result.error.code, result.error.get("exceptionType")) == (ErrorCode.EXCEPTION, "KeyError")
    assert isinstance(again, Err)
    assert again.error.cause is None
    assert "stackTrace" not in again.error.metadata
    assert runs == [1]


async def test_a_failure_that_is_not_final_is_tried_again_and_its_attempts_are_counted() -> None:
    records = InMemoryStateStore()
    store, effect = effects(records), Effect(err("busy"), err("busy"), ok("paid"))
    for _ in range(2):
        assert (await store.capture("pay", effect, record_failures=False)).is_err
    assert await store.capture("pay", effect, record_failures=False) == ok(Captured("paid", replayed=False))
    assert await store.capture("pay", effect) == ok(Captured("paid", replayed=True))
    record = await records.get(SCOPE.key(EFFECT, "pay"))
    assert record is not None
    assert (effect.runs, record.version) == (3, 3)


async def test_a_function_may_tell_which_failures_are_final() -> None:
    store, effect = effects(), Effect(err("busy", "busy"), err("refused", "refused"), ok("never"))

    def refused(error: Error) -> bool:
        return error.code == "refused"

    codes = [(await store.capture("pay", effect, record_failures=refused)).error for _ in range(3)]
    assert [error and error.code for error in codes] == ["busy", "refused", "refused"]
    assert effect.runs == 2


async def test_cancellation_is_never_remembered_be_it_returned_or_raised() -> None:
    store, token = effects(), CancelToken()

    async def stop() -> int:
        token.cancel()
        token.raise_if_cancelled()
        return 1

    for stopped in (
        await store.capture("pay", Effect(Err(Error.canceled()))),
        await store.capture("pay", stop, token=token),
    ):
        assert stopped.error is not None
        assert stopped.error.code == ErrorCode.CANCELED
    with pytest.raises(asyncio.CancelledError):
        await store.capture("pay", stop)
    assert await store.capture("pay", lambda: "paid") == ok(Captured("paid", replayed=False))


async def test_of_several_at_once_the_first_to_end_counts_for_all() -> None:
    records = InMemoryStateStore()
    meeting = asyncio.Barrier(3)

    async def pay(number: int) -> int:
        await meeting.wait()
        return number

    results = await asyncio.gather(*(effects(records).capture("pay", partial(pay, n)) for n in range(3)))
    outcomes = [result.unwrap() for result in results]
    assert len({outcome.value for outcome in outcomes}) == 1
    assert sorted(outcome.replayed for outcome in outcomes) == [False, True, True]


async def test_a_success_replaces_a_failure_that_was_noted_meanwhile() -> None:
    records = InMemoryStateStore()
    other = effects(records)

    async def pay() -> str:
        await other.capture("pay", Effect(err("busy")), record_failures=False)
        return "paid"

    assert await effects(records).capture("pay", pay) == ok(Captured("paid", replayed=False))
    assert await other.capture("pay", Effect(err("never"))) == ok(Captured("paid", replayed=True))


async def test_a_value_of_another_type_is_a_mismatch() -> None:
    store = effects()
    await store.capture("pay", lambda: 1)
    error = (await store.capture("pay", lambda: "one", type_=str)).error
    assert error is not None
    assert error.code == ErrorCode.DETERMINISTIC_REPLAY
    assert (error.get("effectId"), error.get("storedType"), error.get("requestedType")) == ("pay", "int", "str")
    assert (await store.capture("pay", lambda: 2, type_=int)).unwrap().value == 1


async def test_a_record_of_another_kind_is_a_mismatch() -> None:
    records = InMemoryStateStore()
    await records.put(SCOPE.key(EFFECT, "pay"), DeterministicRecord(VERSION, 1, b"", NOW))
    error = (await effects(records).capture("pay", lambda: 1)).error
    assert error is not None
    assert (error.code, error.get("kind")) == (ErrorCode.DETERMINISTIC_REPLAY, VERSION)


async def test_another_run_remembers_nothing_of_it() -> None:
    records, effect = InMemoryStateStore(), Effect(ok("paid"))
    for run_id in ("run-1", "run-2"):
        await EffectStore(records, RunScope("default", "order-1", run_id)).capture("pay", effect)
    assert effect.runs == 2


@dataclass
class Unknown:
    number: int


@pytest.mark.parametrize("value", [Unknown(1), (1, 2), [Unknown(1)], {1: "a"}, float("nan")])
async def test_a_value_that_would_come_back_as_another_is_refused(value: object) -> None:
    with pytest.raises((TypeError, ValueError)):
        await effects().capture("pay", lambda: value)


async def test_a_blank_id_is_refused() -> None:
    with pytest.raises(ValueError):
        await effects().capture(" ", lambda: 1)


async def test_scopes_never_share_a_key() -> None:
    scopes = [
        RunScope("a", "b/c", "d"),
        RunScope("a/b", "c", "d"),
        RunScope("a", "b", "c/d"),
        RunScope("a", "b%2Fc", "d"),
    ]
    keys = {scope.key(kind, id_) for scope in scopes for kind in (EFFECT, VERSION) for id_ in ("x", "x/y")}
    assert len(keys) == len(scopes) * 4


async def test_a_span_tells_what_was_captured() -> None:
    store = effects()
    with recording() as (_, traced):
        await store.capture("pay", Effect(err("no", "refused")))
    (span,) = traced.spans
    assert (span.name, span.error) == ("Deterministic.effect.capture", "no")
    assert span.attributes == {
        "deterministic.stage": "effect.capture",
        "deterministic.effect_id": "pay",
        "deterministic.error.code": "refused",
    }


async def test_a_span_ends_whatever_is_raised() -> None:
    with recording() as (_, traced), pytest.raises(TypeError):
        await effects().capture("pay", lambda: Unknown(1))
    (span,) = traced.spans
    assert span.ended
    assert "not registered" in (span.error or "")


class Captures(RuleBasedStateMachine):
    """An effect store beside a model: a dictionary of final outcomes and counted attempts."""

    def __init__(self) -> None:
        super().__init__()
        self.records = InMemoryStateStore()
        self.outcomes: dict[tuple[str, str], object] = {}
        self.attempts: dict[tuple[str, str], int] = {}

    @rule(
        run=some.sampled_from(["1", "2"]),
        id_=some.sampled_from(["a", "b"]),
        value=some.integers(),
        final=some.booleans(),
    )
    def succeed(self, run: str, id_: str, value: int, final: bool) -> None:
        known = (run, id_) in self.outcomes
        expected = self.outcomes.setdefault((run, id_), value)
        self.attempts[run, id_] = self.attempts.get((run, id_), 0) + (not known)
        result = self.capture(run, id_, ok(value), final)
        if isinstance(expected, str):
            assert result.error is not None
            assert result.error.message == expected
        else:
            assert result == ok(Captured(expected, replayed=known))

    @rule(
        run=some.sampled_from(["1", "2"]), id_=some.sampled_from(["a", "b"]), message=some.text(), final=some.booleans()
    )
    def fail(self, run: str, id_: str, message: str, final: bool) -> None:
        known = (run, id_) in self.outcomes
        expected = self.outcomes.get((run, id_), message)
        if final:
            self.outcomes[run, id_] = expected
        self.attempts[run, id_] = self.attempts.get((run, id_), 0) + (not known)
        result = self.capture(run, id_, err(message), final)
        if isinstance(expected, str):
            assert result.error is not None
            assert result.error.message == expected
        else:
            assert result == ok(Captured(expected, replayed=True))

    @rule(run=some.sampled_from(["1", "2"]), id_=some.sampled_from(["a", "b"]))
    def cancel(self, run: str, id_: str) -> None:
        if (run, id_) not in self.outcomes:
            result = self.capture(run, id_, Err(Error.canceled()), True)
            assert result.error is not None
            assert result.error.code == ErrorCode.CANCELED

    def capture(self, run: str, id_: str, result: Result[int], final: bool) -> Result[Captured[int]]:
        store = EffectStore(self.records, RunScope("default", "order", run))
        captured = asyncio.run(store.capture(id_, lambda: result, record_failures=final))
        record = asyncio.run(self.records.get(RunScope("default", "order", run).key(EFFECT, id_)))
        assert (record.version if record else 0) == self.attempts.get((run, id_), 0)
        return captured


TestCaptures = Captures.TestCase
TestCaptures.settings = settings(max_examples=50, stateful_step_count=20, deadline=None)
