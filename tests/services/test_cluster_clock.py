"""The clock of the cluster: it follows the database, whatever happens to that of the host."""

import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.services.cluster_clock import ClusterClock

SECOND = 10**9
DATABASE = 1_700_000_000 * SECOND


class Host:
    """A monotonic clock that is moved by hand."""

    def __init__(self) -> None:
        self.now = 5 * SECOND

    def __call__(self) -> int:
        return self.now


@pytest.fixture
def host() -> Host:
    return Host()


@pytest.fixture
def clock(host: Host) -> ClusterClock:
    """A clock that has asked the database once, which took no time."""
    made = ClusterClock(host)
    made.follow(DATABASE, host.now, host.now)
    return made


def test_it_goes_on_by_the_monotonic_clock(host: Host, clock: ClusterClock) -> None:
    assert clock() == DATABASE
    host.now += 3 * SECOND
    assert clock() == DATABASE + 3 * SECOND


def test_a_jump_of_the_clock_of_the_host_changes_nothing(
    host: Host, clock: ClusterClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 0)
    assert clock() == DATABASE


def test_before_the_first_look_it_is_that_of_the_host(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 42)
    assert ClusterClock()() == 42


def test_the_first_look_may_set_it_back(monkeypatch: pytest.MonkeyPatch, host: Host) -> None:
    clock = ClusterClock(host)
    assert clock() > DATABASE
    clock.follow(DATABASE, host.now, host.now)
    assert clock() == DATABASE


def test_a_slow_answer_moves_it_only_as_far_as_it_proves(host: Host, clock: ClusterClock) -> None:
    clock.follow(DATABASE + 2 * SECOND, host.now, host.now + 3 * SECOND)
    assert clock() == DATABASE  # the answer may have been given two seconds after it was asked for
    clock.follow(DATABASE + 4 * SECOND, host.now, host.now + 3 * SECOND)
    assert clock() == DATABASE + 1 * SECOND


def test_it_stands_still_until_a_database_that_is_behind_has_caught_up(host: Host, clock: ClusterClock) -> None:
    clock.follow(DATABASE - 2 * SECOND, host.now, host.now)
    host.now += SECOND
    assert clock() == DATABASE
    host.now += 2 * SECOND
    assert clock() == DATABASE + SECOND


@given(st.lists(st.tuples(st.integers(0, SECOND), st.integers(-SECOND, SECOND), st.integers(0, SECOND)), max_size=30))
def test_it_never_goes_back_and_ends_within_what_the_last_look_allows(looks: list[tuple[int, int, int]]) -> None:
    host = Host()
    clock = ClusterClock(host)
    clock.follow(DATABASE, host.now, host.now)
    last = clock()
    for passed, shift, trip in looks:
        host.now += passed
        asked = host.now
        answered = host.now = asked + trip
        said = DATABASE + asked + shift
        clock.follow(said, asked, answered)
        assert clock() >= max(last, said)
        last = clock()
