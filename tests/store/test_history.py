"""History nodes: ranges, limits and directions."""

import pytest

from orchestrator.store.ports import Node, RunKey, Store
from tests.store.conftest import Opened
from tests.store.rows import creation, node, run_key, update

NODES = [node(1, 2, b"a"), node(3, 3, b"b"), node(4, 9, b"c"), node(10, 10, b"d"), node(11, 14, b"e")]


@pytest.fixture(scope="module")
def run(opened: Opened) -> RunKey:
    """A run of 14 events in five nodes, written by three commits, and its neighbour."""
    run, neighbour = run_key(), run_key()
    first = creation(run)
    first.nodes = [(run, NODES[0])]
    opened.write(first)
    opened.write(creation(neighbour))
    opened.write(update(run, 2, nodes=[(run, each) for each in NODES[1:4]]))
    opened.write(update(run, 3, nodes=[(run, NODES[4])]))
    return run


@pytest.mark.parametrize(
    ("first", "last", "limit", "found"),
    [
        (1, 14, 0, "abcde"),
        (1, 2**62, 0, "abcde"),
        (1, 1, 0, "a"),
        (2, 3, 0, "ab"),
        (5, 8, 0, "c"),
        (9, 10, 0, "cd"),
        (10, 10, 0, "d"),
        (15, 20, 0, ""),
        (1, 14, 1, "a"),
        (3, 14, 2, "bc"),
        (4, 10, 9, "cd"),
    ],
)
def test_reads_a_range(opened: Opened, run: RunKey, first: int, last: int, limit: int, found: str) -> None:
    expected = [each for each in NODES if each.events.decode() in found]
    assert opened.store.read_nodes(run, first, last, limit) == expected
    with opened.store.transaction() as session:
        assert session.read_nodes(run, first, last, limit) == expected


@pytest.mark.parametrize(
    ("last", "limit", "found"),
    [(14, 10, "edcba"), (13, 2, "ed"), (10, 1, "d"), (9, 5, "cba"), (3, 1, "b"), (1, 5, "a"), (0, 5, "")],
)
def test_reads_backwards(opened: Opened, run: RunKey, last: int, limit: int, found: str) -> None:
    nodes = opened.store.read_nodes_backwards(run, last, limit)
    assert "".join(each.events.decode() for each in nodes) == found


@pytest.mark.parametrize(
    ("first", "limit", "size", "found"),
    [
        (1, 0, 1, "a"),
        (1, 0, 3, "abc"),
        (1, 2, 5, "ab"),
        (5, 0, 2, "cd"),
        (11, 0, 1, "e"),
        (15, 0, 1, ""),
    ],
)
def test_reads_no_more_bytes_than_asked_for_but_one_node(
    opened: Opened, run: RunKey, first: int, limit: int, size: int, found: str
) -> None:
    nodes = opened.store.read_nodes(run, first, 14, limit, size)
    assert "".join(each.events.decode() for each in nodes) == found


@pytest.mark.parametrize(("limit", "size", "found"), [(10, 1, "e"), (10, 3, "edc"), (2, 3, "ed"), (10, 0, "edcba")])
def test_reads_no_more_bytes_backwards(opened: Opened, run: RunKey, limit: int, size: int, found: str) -> None:
    nodes = opened.store.read_nodes_backwards(run, 14, limit, size)
    assert "".join(each.events.decode() for each in nodes) == found


def test_a_run_without_history_has_none(store: Store) -> None:
    assert store.read_nodes(run_key(), 1, 100) == []
    assert store.read_nodes_backwards(run_key(), 100, 10) == []


def test_events_are_bytes_of_any_kind_and_size(opened: Opened) -> None:
    run = run_key()
    big = bytes(range(256)) * 12_000
    changes = creation(run, blob=big)
    changes.nodes = [(run, Node(1, 1, b"")), (run, Node(2, 5, big)), (run, Node(6, 6, b"\x00" * 10))]
    opened.write(changes)
    nodes = opened.store.read_nodes(run, 1, 6)
    assert [each.events for each in nodes] == [b"", big, b"\x00" * 10]
    assert all(isinstance(each.events, bytes) for each in nodes)
    with opened.store.transaction() as session:
        assert bytes(session.lock_runs({run: 0})[run].blob or b"") == big
