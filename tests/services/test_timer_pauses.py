"""How long the loop of the timers waits for a database that is away."""

from orchestrator.services.timers import RETRY, RETRY_READING, pause_after


def test_pauses_grow_and_end_at_the_longest() -> None:
    pauses = [pause_after(failures) for failures in range(1, 6)]
    assert pauses[:3] == [RETRY, 2 * RETRY, 4 * RETRY]
    assert pauses[-1] == RETRY_READING


def test_a_database_may_be_away_for_hours() -> None:
    assert pause_after(100_000) == RETRY_READING
