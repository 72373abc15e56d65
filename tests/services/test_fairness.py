"""Turns of fairness keys, as passes of tasks say them."""

from collections import Counter

from orchestrator.core.priority import Share
from orchestrator.services.fairness import FORGET_FROM, STRIDE, Level

NOW = 1_700_000_000_000_000_000


def order(passes: list[tuple[int, str]]) -> str:
    """The keys in the order in which their tasks are handed out."""
    return "".join(key for _, key in sorted(passes, key=lambda each: each[0]))


def test_keys_take_turns_whatever_was_first() -> None:
    level = Level(NOW)
    passes = [(level.place(Share(key=key)), key) for key in "aaaaabbb"]
    assert order(passes) == "abababaa"


def test_a_greater_weight_has_more_turns() -> None:
    level = Level(NOW)
    passes = [(level.place(Share(key="a", weight=3000)), "a") for _ in range(60)]
    passes += [(level.place(Share(key="b")), "b") for _ in range(60)]
    first = Counter(order(passes)[:40])
    assert first["a"] == 30
    assert first["b"] == 10


def test_a_key_that_was_silent_has_no_credit_and_no_debt() -> None:
    level = Level(NOW)
    for _ in range(100):
        level.place(Share(key="a"))
    level.handed_out(NOW + 50 * STRIDE)
    assert level.place(Share(key="b")) == NOW + 50 * STRIDE
    assert level.place(Share(key="b")) == NOW + 51 * STRIDE


def test_tasks_without_keys_that_wait_already_keep_their_order() -> None:
    level = Level(NOW + 100, [NOW + 5, NOW])
    assert level.place(Share(key="a")) == NOW
    assert level.place(Share()) > NOW + 5


def test_keys_without_debts_are_forgotten() -> None:
    level = Level(NOW)
    for number in range(5 * FORGET_FROM):
        level.handed_out(level.place(Share(key=str(number))) + 2 * STRIDE)
    assert len(level._next) <= FORGET_FROM
