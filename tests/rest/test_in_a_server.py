"""The HTTP API in the process of a server: what it commits goes straight to waiting polls and long polls."""

import time
from collections.abc import Iterator

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, HistoryEventFilterType
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryResponse,
    PollWorkflowTaskQueueRequest,
    PollWorkflowTaskQueueResponse,
)

from tests.rest.api import Api
from tests.support.engines import RunningEngine

SWEEP_S = 0.7
"""Less than the shortest pause between two sweeps."""


@pytest.fixture
def server(api: Api) -> Iterator[RunningEngine]:
    """A running engine over the database of the API."""
    with RunningEngine() as running:
        yield running


def test_a_start_reaches_a_waiting_poll(api: Api, server: RunningEngine) -> None:
    request = PollWorkflowTaskQueueRequest(namespace="default", task_queue=TaskQueue(name="orders"), identity="worker")
    quickest = SWEEP_S
    for number in range(3):
        poll = server.begin("PollWorkflowTaskQueue", request)
        time.sleep(0.1)
        run_id = api.start(f"a-{number}")["runId"]
        begun = time.monotonic()
        assert poll.get(PollWorkflowTaskQueueResponse).workflow_execution.run_id == run_id
        quickest = min(quickest, time.monotonic() - begun)
    assert quickest < SWEEP_S / 2


def test_a_termination_ends_a_wait_for_the_close(api: Api, server: RunningEngine) -> None:
    api.start("a")
    request = GetWorkflowExecutionHistoryRequest(
        namespace="default",
        execution=WorkflowExecution(workflow_id="a"),
        wait_new_event=True,
        history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
    )
    waiting = server.begin("GetWorkflowExecutionHistory", request)
    time.sleep(0.2)
    assert not waiting.arrived
    api.post("default/workflows/a/terminate")
    (event,) = waiting.get(GetWorkflowExecutionHistoryResponse).history.events
    assert event.event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED
