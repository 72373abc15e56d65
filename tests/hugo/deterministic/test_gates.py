"""A run keeps the version it was first given, and a branch has one outcome."""

import asyncio
from collections.abc import Callable

import pytest

from hugo.cancellation import CancelToken
from hugo.clock import FakeClock
from hugo.deterministic import (
    DEFAULT_VERSION,
    EFFECT,
    VERSION,
    BranchContext,
    DeterministicGate,
    DeterministicRecord,
    EffectStore,
    InMemoryStateStore,
    RunScope,
    VersionGate,
)
from hugo.deterministic.version_gate import VersionDecision
from hugo.diagnostics.memory import recording
from hugo.errors import Error, ErrorCode
from hugo.result import Result, err, ok

SCOPE = RunScope("default", "order-1", "run-1")
CLOCK = FakeClock()


def gate_over(records: InMemoryStateStore) -> DeterministicGate:
    return DeterministicGate(VersionGate(records, SCOPE), EffectStore(records, SCOPE))


def failure(result: Result[object]) -> Error:
    assert result.error is not None
    return result.error


async def test_the_first_decision_is_the_newest_version_and_stays() -> None:
    gate = VersionGate(InMemoryStateStore(), SCOPE, clock=CLOCK)
    assert await gate.require("tax", 1, 2) == ok(VersionDecision(2, is_new=True, recorded_at=CLOCK.utcnow()))
    assert await gate.require("tax", 1, 3) == ok(VersionDecision(2, is_new=False, recorded_at=CLOCK.utcnow()))


async def test_a_provider_may_decide() -> None:
    gate = VersionGate(InMemoryStateStore(), SCOPE)
    assert (await gate.require("tax", 1, 5, initial=lambda asked: asked.min_version + 1)).unwrap().version == 2


async def test_a_version_outside_the_range_is_a_conflict() -> None:
    gate = VersionGate(InMemoryStateStore(), SCOPE)
    first = failure(await gate.require("tax", 1, 2, initial=lambda _: 3))
    assert (first.code, first.get("initialVersion")) == (ErrorCode.VERSION_CONFLICT, 3)
    await gate.require("tax", 1, 2)
    later = failure(await gate.require("tax", 3, 4))
    assert later.code == ErrorCode.VERSION_CONFLICT
    assert {key: later.get(key) for key in ("changeId", "persistedVersion", "minVersion", "maxVersion")} == {
        "changeId": "tax",
        "persistedVersion": 2,
        "minVersion": 3,
        "maxVersion": 4,
    }


async def test_what_is_asked_wrongly_is_refused() -> None:
    gate = VersionGate(InMemoryStateStore(), SCOPE)
    assert failure(await gate.require("tax", 2, 1)).code == ErrorCode.VALIDATION
    with pytest.raises(ValueError):
        await gate.require(" ", 1, 2)


async def test_a_provider_that_raises_decides_nothing() -> None:
    gate = VersionGate(InMemoryStateStore(), SCOPE)

    def break_down(_: object) -> int:
        raise KeyError("gone")

    error = failure(await gate.require("tax", 1, 2, initial=break_down))
    assert (error.code, error.get("changeId")) == (ErrorCode.EXCEPTION, "tax")
    assert (await gate.require("tax", 1, 2)).unwrap().is_new


async def test_a_run_that_passed_before_there_was_a_gate_keeps_the_default_version() -> None:
    replaying = True
    gate = VersionGate(InMemoryStateStore(), SCOPE, replaying=lambda: replaying)
    assert failure(await gate.require("tax", 1, 2)).code == ErrorCode.VERSION_CONFLICT
    assert (await gate.require("tax", DEFAULT_VERSION, 2)).unwrap().version == DEFAULT_VERSION
    replaying = False
    assert (await gate.require("tax", DEFAULT_VERSION, 2)).unwrap().version == DEFAULT_VERSION
    assert (await gate.require("new", DEFAULT_VERSION, 2)).unwrap().version == 2


async def test_of_several_that_decide_at_once_the_first_counts() -> None:
    records = InMemoryStateStore()
    gates = [VersionGate(records, SCOPE) for _ in range(5)]
    choosers: list[Callable[[object], int]] = [lambda _: 0, *[lambda _: 9] * 4]
    decided = await asyncio.gather(*(gate.require("tax", 0, 9, initial=choosers[n]) for n, gate in enumerate(gates)))
    decisions = [result.unwrap() for result in decided]
    assert {decision.version for decision in decisions} == {0}
    assert sum(decision.is_new for decision in decisions) == 1


async def test_a_lost_race_reads_the_winner() -> None:
    class Late(InMemoryStateStore):
        """A store in which somebody else is always first."""

        async def add(self, key: str, record: DeterministicRecord) -> bool:
            await super().add(key, DeterministicRecord(VERSION, 1, b"", record.recorded_at))
            return await super().add(key, record)

    decision = (await VersionGate(Late(), SCOPE).require("tax", 1, 2)).unwrap()
    assert (decision.version, decision.is_new) == (1, False)


async def test_a_record_of_another_kind_is_a_mismatch() -> None:
    records = InMemoryStateStore()
    await records.put(SCOPE.key(VERSION, "tax"), DeterministicRecord(EFFECT, 1, b"", CLOCK.utcnow()))
    error = failure(await VersionGate(records, SCOPE).require("tax", 1, 2))
    assert (error.code, error.get("kind")) == (ErrorCode.DETERMINISTIC_REPLAY, EFFECT)


@pytest.mark.parametrize(("version", "expected"), [(2, "new"), (1, "old"), (0, "old")])
async def test_only_the_newest_version_takes_the_upgraded_branch_and_each_runs_once(
    version: int, expected: str
) -> None:
    records = InMemoryStateStore()
    runs: list[str] = []

    def branch(name: str) -> Callable[[BranchContext], Result[str]]:
        def run(_: BranchContext) -> Result[str]:
            runs.append(name)
            return ok(name)

        return run

    for _ in range(2):
        result = await gate_over(records).execute(
            "tax", 0, 2, upgraded=branch("new"), legacy=branch("old"), initial=lambda _: version
        )
        assert result == ok(expected)
    assert runs == [expected]
    assert await records.get(SCOPE.key(EFFECT, f"tax::v{version}")) is not None


@pytest.mark.parametrize(("version", "expected"), [(1, "one"), (2, "small"), (3, "small"), (4, "even"), (5, "other")])
async def test_the_first_branch_that_fits_is_taken(version: int, expected: str) -> None:
    builder = (
        gate_over(InMemoryStateStore())
        .workflow("tax", 1, 5, initial=lambda _: version)
        .for_version(1, lambda _: ok("one"))
        .for_range(1, 3, lambda _: ok("small"))
        .when(lambda decision: decision.version % 2 == 0, lambda _: ok("even"))
        .fallback(lambda _: ok("other"))
    )
    assert await builder.execute() == ok(expected)


async def test_without_a_branch_that_fits_it_is_a_conflict() -> None:
    builder = gate_over(InMemoryStateStore()).workflow("tax", 1, 2).for_version(1, lambda _: ok(1))
    error = failure(await builder.execute())
    assert error.code == ErrorCode.VERSION_CONFLICT
    assert error.message == "No workflow branch was registered for version 2."


async def test_branches_outside_the_range_are_refused() -> None:
    gate = gate_over(InMemoryStateStore())
    for low, high in ((0, 1), (2, 1)):
        with pytest.raises(ValueError):
            gate.workflow("tax", low, high)
    for first, last in ((0, 1), (1, 4), (3, 2)):
        with pytest.raises(ValueError):
            gate.workflow("tax", 1, 3).for_range(first, last, lambda _: ok(1))


async def test_a_branch_knows_its_decision_and_captures_steps_of_its_own() -> None:
    records = InMemoryStateStore()

    async def branch(context: BranchContext) -> Result[int]:
        assert (context.change_id, context.version, context.is_new) == ("tax", 2, True)
        assert context.recorded_at == context.decision.recorded_at
        with pytest.raises(ValueError):
            context.create_effect_id(" ")
        return (await context.capture(" rate ", lambda: ok(19))).map(lambda captured: captured.value)

    assert await gate_over(records).workflow("tax", 1, 2).for_version(2, branch).execute() == ok(19)
    assert await records.get(SCOPE.key(EFFECT, "tax::v2::rate")) is not None


async def test_a_branch_that_was_cancelled_runs_again() -> None:
    records, token = InMemoryStateStore(), CancelToken()

    async def stop(_: BranchContext) -> Result[int]:
        token.cancel()
        token.raise_if_cancelled()
        return ok(1)

    gate = gate_over(records)
    stopped = failure(await gate.workflow("tax", 1, 1).for_version(1, stop).execute(token=token))
    assert stopped.code == ErrorCode.CANCELED
    assert await gate.workflow("tax", 1, 1).for_version(1, lambda _: ok(2)).execute() == ok(2)


async def test_a_branch_that_failed_for_now_runs_again() -> None:
    gate = gate_over(InMemoryStateStore()).workflow("tax", 1, 1)
    assert failure(await gate.for_version(1, lambda _: err("busy")).execute(record_failures=False)).message == "busy"
    assert await gate.for_version(1, lambda _: ok(2)).execute() == ok(2)


async def test_the_ids_of_changes_and_effects_may_be_the_same() -> None:
    records = InMemoryStateStore()
    assert (await VersionGate(records, SCOPE).require("tax", 1, 2)).is_ok
    assert (await EffectStore(records, SCOPE).capture("tax", lambda: 1)).is_ok


async def test_a_span_tells_what_was_decided() -> None:
    with recording() as (_, traced):
        gate = VersionGate(InMemoryStateStore(), SCOPE, clock=CLOCK)
        await gate.require("tax", 1, 2)
        await gate.require("tax", 3, 4)
    decided, conflict = traced.spans
    assert decided.attributes == {
        "deterministic.stage": "version_gate.require",
        "deterministic.change_id": "tax",
        "deterministic.version": 2,
        "deterministic.is_new": True,
        "deterministic.recorded_at": CLOCK.utcnow().isoformat(),
    }
    assert (decided.error, conflict.error) == (None, "Version 2 of tax is not between 3 and 4.")


async def test_a_span_is_around_a_branch_and_what_it_needs() -> None:
    with recording() as (_, traced):
        await gate_over(InMemoryStateStore()).workflow("tax", 1, 1).for_version(1, lambda _: err("no")).execute()
    assert [(span.name, span.error) for span in traced.spans] == [
        ("Deterministic.workflow.execute", "no"),
        ("Deterministic.version_gate.require", None),
        ("Deterministic.effect.capture", "no"),
    ]
