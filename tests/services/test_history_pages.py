"""A page of a history holds whole nodes, and no more than a client accepts that was told nothing."""

import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.history.v1 import History, HistoryEvent, WorkflowExecutionSignaledEventAttributes

from orchestrator.errors import NotFound
from orchestrator.services.history_pages import PAGE_SIZE, Extent, close_event, events_of, page, token_from
from orchestrator.store.ports import Node, RunKey, WorkflowKey


def node(first: int, *sizes: int) -> Node:
    """A node of events with payloads of these sizes."""
    events = [
        HistoryEvent(
            event_id=first + index,
            workflow_execution_signaled_event_attributes=WorkflowExecutionSignaledEventAttributes(
                input=Payloads(payloads=[Payload(data=bytes(size))])
            ),
        )
        for index, size in enumerate(sizes)
    ]
    return Node(first, first + len(sizes) - 1, History(events=events).SerializeToString())


def ids(history: History) -> list[int]:
    return [event.event_id for event in history.events]


def test_events_outside_the_range_are_left_out() -> None:
    nodes = [node(1, 1, 1, 1), node(4, 1, 1)]
    assert ids(events_of(nodes, 2, 4)) == [2, 3, 4]
    assert ids(events_of(nodes, 1, 5)) == [1, 2, 3, 4, 5]
    assert ids(events_of([], 1, 5)) == []


def test_a_large_node_is_cut_between_events() -> None:
    third = PAGE_SIZE // 3
    large = node(5, third, third, third, 10)
    assert ids(events_of([large], 5, 8)) == [5, 6]
    assert ids(events_of([large], 7, 8)) == [7, 8]


def test_an_event_larger_than_a_page_comes_alone() -> None:
    large = node(1, PAGE_SIZE, 10)
    assert ids(events_of([large], 1, 2)) == [1]
    assert ids(events_of([large], 2, 2)) == [2]


class Deleted:
    """Reads a run that was deleted after its extent was read."""

    def read_nodes(self, key: RunKey, first: int, last: int, limit: int = 0, size: int = 0) -> list[Node]:
        """See Reader."""
        return []


def test_a_run_that_is_deleted_between_two_pages_is_not_found() -> None:
    key, extent = WorkflowKey(1, "namespace", "w"), Extent("run", 3, 5, running=False)
    with pytest.raises(NotFound, match="workflow execution not found"):
        page(Deleted(), key, token_from(key, 4, extent, wait=False), 10)
    with pytest.raises(NotFound, match="workflow execution not found"):
        close_event(Deleted(), key, extent)
