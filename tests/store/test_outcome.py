"""`was_applied`: what became of a commit whose answer was lost, in every situation a writer can find afterwards."""

from collections.abc import Callable

import pytest

from orchestrator.store.ports import Changes, RunKey
from tests.store.conftest import Opened
from tests.store.rows import creation, node, run_key, task, update, wake, workflow_key


@pytest.fixture
def run(opened: Opened) -> RunKey:
    """A run at version 1, with two events."""
    run = run_key()
    opened.write(creation(run))
    return run


def heartbeat(run: RunKey) -> Changes:
    return update(run, 2, b"mine")


def transition(run: RunKey) -> Changes:
    return update(run, 2, b"mine", nodes=[(run, node(3, 4, b"mine"))], wakes=[wake(run, 9)])


def start(run: RunKey) -> Changes:
    changes = creation(run_key())
    changes.nodes = [(changes.created[0][0], node(1, 2, b"mine"))]
    return changes


def start_beside(run: RunKey) -> Changes:
    changes, beside = transition(run), start(run)
    changes.current, changes.created = beside.current, beside.created
    changes.nodes = beside.nodes + changes.nodes
    return changes


KINDS = [heartbeat, transition, start, start_beside]
kinds = pytest.mark.parametrize("kind", KINDS)


@kinds
def test_applied(opened: Opened, run: RunKey, kind: Callable[[RunKey], Changes]) -> None:
    changes = kind(run)
    opened.write(changes)
    assert opened.store.was_applied(changes) is True


@kinds
def test_not_applied(opened: Opened, run: RunKey, kind: Callable[[RunKey], Changes]) -> None:
    changes = kind(run)
    assert opened.store.was_applied(changes) is False
    opened.write(changes)
    assert opened.store.was_applied(changes) is True


@kinds
def test_somebody_else_wrote_the_same_version(opened: Opened, run: RunKey, kind: Callable[[RunKey], Changes]) -> None:
    changes = kind(run)
    opened.write(update(run, 2, b"theirs", nodes=[(run, node(3, 4, b"theirs"))]))
    assert opened.store.was_applied(changes) is False


@pytest.mark.parametrize("kind", [transition, start_beside])
def test_somebody_else_came_to_the_same_state(opened: Opened, run: RunKey, kind: Callable[[RunKey], Changes]) -> None:
    changes = kind(run)
    opened.write(update(run, 2, b"mine", nodes=[(run, node(3, 4, b"other"))]))
    assert opened.store.was_applied(changes) is False


@pytest.mark.parametrize("kind", [transition, start_beside])
def test_applied_and_the_run_went_on(opened: Opened, run: RunKey, kind: Callable[[RunKey], Changes]) -> None:
    changes = kind(run)
    opened.write(changes)
    opened.write(update(run, 3, nodes=[(run, node(5, 5))]))
    assert opened.store.was_applied(changes) is True


def test_not_applied_and_the_run_went_on_without_it(opened: Opened, run: RunKey) -> None:
    changes = transition(run)
    opened.write(update(run, 2, b"theirs", nodes=[(run, node(3, 3, b"theirs"))]))
    opened.write(update(run, 3, b"theirs", nodes=[(run, node(4, 4, b"theirs"))]))
    assert opened.store.was_applied(changes) is False


def buffered(run: RunKey, state: bytes) -> Changes:
    """A signal that waits for its event, with the events that had to be written before: they are the same for any."""
    return update(run, 2, state, nodes=[(run, node(3, 4, b"of earlier"))], buffering={run})


@pytest.mark.parametrize(("state", "outcome"), [(b"mine", True), (b"theirs", False)])
def test_equal_events_do_not_tell_what_was_buffered(opened: Opened, run: RunKey, state: bytes, outcome: bool) -> None:
    opened.write(buffered(run, state))
    assert opened.store.was_applied(buffered(run, b"mine")) is outcome


def test_nobody_can_tell_what_was_buffered_once_the_run_went_on(opened: Opened, run: RunKey) -> None:
    opened.write(buffered(run, b"theirs"))
    opened.write(update(run, 3, nodes=[(run, node(5, 5))]))
    assert opened.store.was_applied(buffered(run, b"mine")) is None


def test_events_of_somebody_else_follow_the_same_earlier_ones(opened: Opened, run: RunKey) -> None:
    theirs = update(run, 2, b"theirs", nodes=[(run, node(3, 4, b"of earlier")), (run, node(5, 6))])
    opened.write(theirs)
    assert opened.store.was_applied(buffered(run, b"mine")) is False


def test_nobody_can_tell_when_a_change_without_events_was_overwritten(opened: Opened, run: RunKey) -> None:
    changes = heartbeat(run)
    opened.write(changes)
    opened.write(update(run, 3))
    assert opened.store.was_applied(changes) is None


def test_another_run_of_the_batch_can_tell(opened: Opened, run: RunKey) -> None:
    other = run_key()
    opened.write(creation(other))
    changes = heartbeat(run)
    changes.updated.append((other, 2, b"mine"))
    opened.write(changes)
    opened.write(update(run, 3))
    assert opened.store.was_applied(changes) is True


def test_the_run_is_gone(opened: Opened) -> None:
    assert opened.store.was_applied(update(run_key(), 2)) is False


def test_a_start_without_events_is_told_by_its_run(opened: Opened) -> None:
    run = run_key()
    changes = Changes(created=[(run, workflow_key(), b"state")], tasks={(run, 1, 2): task(run)})
    assert opened.store.was_applied(changes) is False
    opened.write(changes)
    assert opened.store.was_applied(changes) is True


def test_nothing_tells_of_nothing(opened: Opened) -> None:
    assert opened.store.was_applied(Changes()) is None
