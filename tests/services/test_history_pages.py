"""A page of a history holds whole nodes, and no more than a client accepts that was told nothing."""

from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.history.v1 import History, HistoryEvent, WorkflowExecutionSignaledEventAttributes

from orchestrator.services.history_pages import PAGE_SIZE, events_of
from orchestrator.store.ports import Node


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
