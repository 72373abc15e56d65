"""The latest of a run's history in memory."""

import pytest
from temporalio.api.history.v1 import History, HistoryEvent

from orchestrator.store.loaded import NODES_KEPT, TAIL_KEPT, Loaded
from orchestrator.store.ports import Node, RunKey
from tests.core.simulation import Simulation


@pytest.fixture
def loaded() -> Loaded:
    return Loaded(RunKey(1, "run"), Simulation().state, 1, b"")


def ids(nodes: list[Node] | None) -> list[int] | None:
    return None if nodes is None else [node.first_event_id for node in nodes]


def test_a_range_is_at_hand_when_its_beginning_is(loaded: Loaded) -> None:
    assert loaded.kept(1, 2) is None
    loaded.append([Node(4, 6, b"a"), Node(7, 7, b"b")])
    loaded.append([Node(8, 10, b"c")])
    assert ids(loaded.kept(3, 10)) is None
    assert ids(loaded.kept(4, 10)) == [4, 7, 8]
    assert ids(loaded.kept(5, 7)) == [4, 7]
    assert ids(loaded.kept(9, 9)) == [8]
    assert ids(loaded.kept(7, 6)) == []


def test_a_long_history_loses_its_beginning(loaded: Loaded) -> None:
    size = NODES_KEPT // 100
    for event_id in range(1, 101):
        loaded.append([Node(event_id, event_id, bytes(size))])
    assert ids(loaded.kept(1, 1)) == [1]
    loaded.append([Node(101, 101, bytes(size))])
    assert loaded.kept(1, 101) is None
    assert loaded.size == len(loaded.nodes) * size <= TAIL_KEPT
    assert ids(loaded.kept(100, 101)) == [100, 101]


def test_a_node_that_is_too_long_is_not_kept(loaded: Loaded) -> None:
    loaded.append([Node(1, 9, bytes(NODES_KEPT + 1))])
    assert (loaded.nodes, loaded.size) == ([], 0)
    loaded.append([Node(10, 10, b"a")])
    assert ids(loaded.kept(10, 10)) == [10]


def test_the_events_of_a_node_are_parsed_once(loaded: Loaded) -> None:
    assert loaded.event(5) is None
    events = [HistoryEvent(event_id=event_id) for event_id in (5, 6, 7)]
    loaded.open(Node(5, 7, History(events=events).SerializeToString()))
    assert [getattr(loaded.event(event_id), "event_id", None) for event_id in range(4, 9)] == [None, 5, 6, 7, None]
    assert loaded.event(6) is loaded.event(6)
