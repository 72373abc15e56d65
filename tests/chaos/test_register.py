"""The search for an order: it finds the one there is, and none where a promise was broken."""

import random
from itertools import count

import pytest

from tests.chaos.register import (
    NEVER,
    Attempt,
    Conflict,
    Describe,
    Outcome,
    Register,
    Reuse,
    Run,
    Start,
    Terminate,
    order,
)


def start(number: int, conflict: Conflict = Conflict.FAIL, reuse: Reuse = Reuse.ALLOW) -> Start:
    return Start(f"request-{number}", reuse, conflict)


def runs(*reasons: str) -> dict[str, Run]:
    """Runs `a`, `b`, ... of the requests 0, 1, ..., ended for these reasons."""
    return {chr(ord("a") + number): Run(f"request-{number}", reason) for number, reason in enumerate(reasons)}


def test_overlapping_calls_are_put_in_order() -> None:
    attempts = [
        Attempt(0, 9, start(1, Conflict.USE), Outcome.USED, "a"),
        Attempt(1, 2, start(0), Outcome.BEGAN, "a"),
        Attempt(3, 9, Terminate("end"), Outcome.ENDED),
    ]
    found = order(attempts, runs("end"))
    assert found is not None
    assert [each.outcome for each in found] == [Outcome.BEGAN, Outcome.USED, Outcome.ENDED]


def test_two_open_runs_are_found_out() -> None:
    attempts = [
        Attempt(0, 1, start(0), Outcome.BEGAN, "a"),
        Attempt(0, 1, start(1), Outcome.BEGAN, "b"),
    ]
    assert order(attempts, runs("", "")) is None


def test_a_refusal_for_a_run_that_had_ended_is_found_out() -> None:
    attempts = [
        Attempt(0, 1, start(0), Outcome.BEGAN, "a"),
        Attempt(2, 3, Terminate("end"), Outcome.ENDED),
        Attempt(4, 5, start(1), Outcome.REFUSED, "a"),
    ]
    assert order(attempts, runs("end")) is None
    assert order([*attempts[:2], Attempt(1, 5, start(1), Outcome.REFUSED, "a")], runs("end")) is not None


def test_a_lost_start_is_found_out() -> None:
    attempts = [Attempt(0, 1, start(0), Outcome.BEGAN, "a")]
    assert order(attempts, {}) is None


def test_a_run_nobody_asked_for_is_found_out() -> None:
    attempts = [Attempt(0, 1, start(0), Outcome.BEGAN, "a")]
    assert order(attempts, runs("", "")) is None


def test_a_stale_look_is_found_out() -> None:
    attempts = [
        Attempt(0, 1, start(0), Outcome.BEGAN, "a"),
        Attempt(2, 3, Terminate("end"), Outcome.ENDED),
        Attempt(4, 5, Describe(), Outcome.OPEN, "a"),
    ]
    assert order(attempts, runs("end")) is None


@pytest.mark.parametrize("took_effect", [True, False])
def test_a_call_without_an_answer_may_have_taken_effect_or_not(took_effect: bool) -> None:
    unheard = Attempt(0, NEVER, start(0))
    later = Attempt(5, 6, start(1), *((Outcome.REFUSED, "a") if took_effect else (Outcome.BEGAN, "b")))
    there = {"a": Run("request-0", "")} if took_effect else {"b": Run("request-1", "")}
    assert order([unheard, later], there) is not None
    assert order([unheard, later], {}) is None


def test_a_start_may_have_taken_effect_long_before_its_repetition_was_answered() -> None:
    attempts = [
        Attempt(0, NEVER, start(0)),
        Attempt(1, 2, start(1), Outcome.REFUSED, "a"),
        Attempt(3, 4, start(0), Outcome.BEGAN, "a"),
    ]
    assert order(attempts, runs("")) is not None
    assert order(attempts[1:], runs("")) is None


def test_a_repeated_start_after_another_run_may_begin_a_second_one() -> None:
    attempts = [
        Attempt(0, NEVER, start(0)),
        Attempt(2, 3, Terminate("end"), Outcome.ENDED),
        Attempt(4, 5, start(1), Outcome.BEGAN, "b"),
        Attempt(6, 7, Terminate("end too"), Outcome.ENDED),
        Attempt(8, 9, start(0), Outcome.BEGAN, "c"),
    ]
    there = {"a": Run("request-0", "end"), "b": Run("request-1", "end too"), "c": Run("request-0", "")}
    assert order(attempts, there) is not None


@pytest.mark.parametrize("seed", range(20))
def test_histories_of_a_true_register_have_an_order_and_damaged_ones_have_none(seed: int) -> None:
    chance = random.Random(seed)
    attempts, there = _life(chance)
    assert order(attempts, there) is not None
    lost = chance.choice([each.run_id for each in attempts if each.outcome is Outcome.BEGAN])
    left = {run_id: run for run_id, run in there.items() if run_id != lost}
    assert order(attempts, left) is None


def _life(chance: random.Random) -> tuple[list[Attempt], dict[str, Run]]:
    """Forty calls that took effect one after the other, each seen by its caller as lasting longer."""
    attempts: list[Attempt] = []
    there: dict[str, Run] = {}
    register = Register()
    names = count()
    for moment in range(40):
        begun, ended = moment - chance.uniform(0, 3), moment + chance.uniform(0, 3)
        unheard = chance.random() < 0.1
        match chance.choice(["start", "start", "terminate", "describe"]):
            case "start":
                call = Start(f"r{moment}", chance.choice(list(Reuse)), chance.choice(list(Conflict)))
                run_id = register.run_id
                if register.is_open and call.conflict is not Conflict.TERMINATE:
                    outcome = Outcome.REFUSED if call.conflict is Conflict.FAIL else Outcome.USED
                elif register.run_id and not register.is_open and call.reuse is Reuse.REJECT:
                    outcome = Outcome.REFUSED
                else:
                    run_id, outcome = f"run-{next(names)}", Outcome.BEGAN
                    there[run_id] = Run(call.request_id, "")
                    register = register.begin(run_id)
                answer = (outcome, run_id)
                attempts.append(Attempt(begun, NEVER if unheard else ended, call, *(() if unheard else answer)))
            case "terminate":
                ends = Terminate(f"t{moment}")
                outcome = Outcome.ENDED if register.is_open else Outcome.ABSENT
                if register.is_open:
                    there[register.run_id] = Run(there[register.run_id].request_id, ends.reason)
                    register = register.end()
                attempts.append(Attempt(begun, NEVER if unheard else ended, ends, None if unheard else outcome))
            case _:
                seen = Outcome.OPEN if register.is_open else Outcome.CLOSED if register.run_id else Outcome.ABSENT
                attempts.append(Attempt(begun, ended, Describe(), seen, register.run_id))
    chance.shuffle(attempts)
    return attempts, there
