"""Close events as they are told to clients that follow no next run but that of continue-as-new."""

from collections.abc import Callable

import pytest
from temporalio.api.common.v1 import Payload, Payloads
from temporalio.api.enums.v1 import EventType
from temporalio.api.failure.v1 import Failure
from temporalio.api.history.v1 import (
    HistoryEvent,
    WorkflowExecutionCompletedEventAttributes,
    WorkflowExecutionFailedEventAttributes,
    WorkflowExecutionTerminatedEventAttributes,
    WorkflowExecutionTimedOutEventAttributes,
)

from orchestrator.core.closing import timeout_failure
from orchestrator.services.next_run import as_continued, follows_next_run

RESULT = Payloads(payloads=[Payload(data=b"1")])
FAILURE = Failure(message="no")


def completed(next_run: str) -> HistoryEvent:
    return HistoryEvent(
        event_id=5,
        version=2,
        task_id=7,
        event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED,
        workflow_execution_completed_event_attributes=WorkflowExecutionCompletedEventAttributes(
            result=RESULT, workflow_task_completed_event_id=4, new_execution_run_id=next_run
        ),
    )


def failed(next_run: str) -> HistoryEvent:
    return HistoryEvent(
        event_id=5,
        event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
        workflow_execution_failed_event_attributes=WorkflowExecutionFailedEventAttributes(
            failure=FAILURE, new_execution_run_id=next_run
        ),
    )


def timed_out(next_run: str) -> HistoryEvent:
    return HistoryEvent(
        event_id=5,
        event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT,
        workflow_execution_timed_out_event_attributes=WorkflowExecutionTimedOutEventAttributes(
            new_execution_run_id=next_run
        ),
    )


def test_a_run_with_a_successor_is_told_as_continued() -> None:
    told = [as_continued(event("next")) for event in (completed, failed, timed_out)]
    assert {each.event_type for each in told} == {EventType.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW}
    assert (told[0].event_id, told[0].version, told[0].task_id) == (5, 2, 7)
    attributes = [each.workflow_execution_continued_as_new_event_attributes for each in told]
    assert [each.new_execution_run_id for each in attributes] == ["next"] * 3
    assert attributes[0].last_completion_result == RESULT
    assert [each.failure for each in attributes[1:]] == [FAILURE, timeout_failure()]


@pytest.mark.parametrize("event", [completed, failed, timed_out])
def test_a_run_without_one_is_told_as_it_is(event: Callable[[str], HistoryEvent]) -> None:
    assert as_continued(event("")) == event("")


def test_no_other_event_is_changed() -> None:
    terminated = HistoryEvent(
        event_type=EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
        workflow_execution_terminated_event_attributes=WorkflowExecutionTerminatedEventAttributes(reason="enough"),
    )
    assert as_continued(terminated) == terminated


@pytest.mark.parametrize(
    ("metadata", "follows"),
    [
        ({}, False),
        ({"supported-features": ""}, False),
        ({"supported-features": "other"}, False),
        ({"supported-features": "other,follows-next-run-id"}, True),
    ],
)
def test_a_client_says_what_it_follows(metadata: dict[str, str | bytes], follows: bool) -> None:
    assert follows_next_run(metadata) is follows
