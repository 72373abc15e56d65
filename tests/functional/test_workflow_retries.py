"""Workflows that are tried again: the runs of a retry policy, what they know of each other, and when they stop."""

from datetime import timedelta
from typing import Any

import pytest
from temporalio import workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import ContinueAsNewInitiator, HistoryEventFilterType, RetryState
from temporalio.api.workflowservice.v1 import GetWorkflowExecutionHistoryRequest
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError, TimeoutError

from tests.functional.workers import events_of, names, new_worker

# A run does not begin within a second of the one before, however short the interval is.
QUICK, LATER = timedelta(milliseconds=10), timedelta(seconds=1.2)


@workflow.defn
class Tries:
    """Fails until its third attempt; tells the attempt and what the one before failed with."""

    @workflow.run
    async def run(self, how: str) -> list[Any]:
        attempt = workflow.info().attempt
        if how == "hopeless":
            raise ApplicationError("no use", non_retryable=True)
        if how == "fail" or attempt < 3:
            if how == "time out":
                await workflow.wait_condition(lambda: False)
            raise ApplicationError(f"attempt {attempt}", type="Failed")
        failure = workflow.get_last_failure()
        return [attempt, str(failure), workflow.memo_value("kept")]


async def runs_of(client: Client, handle: WorkflowHandle[Any, Any]) -> list[WorkflowHandle[Any, Any]]:
    """All runs of a chain, the first one first."""
    runs, run_id = [], handle.first_execution_run_id
    while run_id:
        run = client.get_workflow_handle(handle.id, run_id=run_id)
        runs.append(run)
        end = (await events_of(run))[-1]
        run_id = getattr(end, str(end.WhichOneof("attributes"))).new_execution_run_id
    return runs


async def test_a_failed_workflow_is_tried_again(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Tries]):
        handle = await client.start_workflow(
            Tries.run,
            "fail twice",
            id=workflow_id,
            task_queue=task_queue,
            memo={"kept": "by all"},
            retry_policy=RetryPolicy(initial_interval=LATER, backoff_coefficient=1),
        )
        assert await handle.result() == [3, "Failed: attempt 2", "by all"]
    runs = await runs_of(client, handle)
    assert len(runs) == 3
    statuses = [(await run.describe()).status for run in runs]
    failed, completed = WorkflowExecutionStatus.FAILED, WorkflowExecutionStatus.COMPLETED
    assert statuses == [failed, failed, completed]
    begun = [(await events_of(run))[0].workflow_execution_started_event_attributes for run in runs]
    assert [each.attempt for each in begun] == [1, 2, 3]
    assert [each.continued_failure.message for each in begun] == ["", "attempt 1", "attempt 2"]
    assert {each.initiator for each in begun[1:]} == {ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_RETRY}
    assert [each.first_workflow_task_backoff.ToTimedelta() for each in begun] == [timedelta(), LATER, LATER]
    ends = [(await events_of(run))[-1].workflow_execution_failed_event_attributes for run in runs[:-1]]
    assert {each.retry_state for each in ends} == {RetryState.RETRY_STATE_IN_PROGRESS}


@pytest.mark.parametrize(
    ("features", "told"),
    [("follows-next-run-id", "WORKFLOW_EXECUTION_FAILED"), ("", "WORKFLOW_EXECUTION_CONTINUED_AS_NEW")],
)
async def test_the_close_event_leads_every_client_to_the_next_run(
    client: Client, task_queue: str, workflow_id: str, features: str, told: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Tries]):
        handle = await client.start_workflow(
            Tries.run, "fail", id=workflow_id, task_queue=task_queue, retry_policy=RetryPolicy(initial_interval=LATER)
        )
        request = GetWorkflowExecutionHistoryRequest(
            namespace="default",
            execution=WorkflowExecution(workflow_id=workflow_id, run_id=handle.first_execution_run_id or ""),
            wait_new_event=True,
            history_event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT,
        )
        reply = await client.workflow_service.get_workflow_execution_history(
            request, metadata={"supported-features": features}
        )
        await handle.terminate()
    (close,) = reply.history.events
    assert names([close]) == [told]
    stored = (await events_of(client.get_workflow_handle(workflow_id, run_id=handle.first_execution_run_id)))[-1]
    next_run = stored.workflow_execution_failed_event_attributes.new_execution_run_id
    assert getattr(close, str(close.WhichOneof("attributes"))).new_execution_run_id == next_run


async def test_a_run_that_is_out_of_time_is_tried_again(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Tries]):
        handle = await client.start_workflow(
            Tries.run,
            "time out",
            id=workflow_id,
            task_queue=task_queue,
            memo={"kept": "by all"},
            run_timeout=timedelta(seconds=1),
            retry_policy=RetryPolicy(initial_interval=QUICK),
        )
        attempt, failure, _ = await handle.result()
    # On a slow machine, later attempts may be out of time too.
    assert attempt >= 3
    assert failure == "workflow timeout"
    first, *_ = await runs_of(client, handle)
    assert names(await events_of(first))[-1] == "WORKFLOW_EXECUTION_TIMED_OUT"


@pytest.mark.parametrize(
    ("how", "policy", "runs", "why"),
    [
        ("fail", RetryPolicy(initial_interval=QUICK, maximum_attempts=2), 2, "MAXIMUM_ATTEMPTS_REACHED"),
        ("hopeless", RetryPolicy(initial_interval=QUICK), 1, "NON_RETRYABLE_FAILURE"),
        (
            "fail",
            RetryPolicy(initial_interval=QUICK, non_retryable_error_types=["Failed"]),
            1,
            "NON_RETRYABLE_FAILURE",
        ),
        ("fail", None, 1, "RETRY_POLICY_NOT_SET"),
    ],
    ids=["attempts used up", "no use", "a type that is not retried", "no policy"],
)
async def test_retries_stop(
    how: str, policy: RetryPolicy | None, runs: int, why: str, client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Tries]):
        handle = await client.start_workflow(Tries.run, how, id=workflow_id, task_queue=task_queue, retry_policy=policy)
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert isinstance(raised.value.cause, ApplicationError)
    chain = await runs_of(client, handle)
    assert len(chain) == runs
    end = (await events_of(chain[-1]))[-1].workflow_execution_failed_event_attributes
    assert RetryState.Name(end.retry_state) == f"RETRY_STATE_{why}"


async def test_retries_end_with_the_time_of_the_whole_chain(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Tries]):
        handle = await client.start_workflow(
            Tries.run,
            "time out",
            id=workflow_id,
            task_queue=task_queue,
            execution_timeout=timedelta(seconds=3.5),
            run_timeout=timedelta(seconds=1.2),
            retry_policy=RetryPolicy(initial_interval=QUICK),
        )
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert isinstance(raised.value.cause, TimeoutError)
    first, *_, last = await runs_of(client, handle)
    assert first.run_id != last.run_id
    assert (await first.describe()).status == (await last.describe()).status == WorkflowExecutionStatus.TIMED_OUT
    begun = [(await events_of(run))[0].workflow_execution_started_event_attributes for run in (first, last)]
    assert begun[0].workflow_execution_expiration_time == begun[1].workflow_execution_expiration_time
