"""Times of runs: the timeout of a run and of a whole chain, and what a timeout leaves behind."""

from datetime import timedelta

import pytest
from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError
from temporalio.exceptions import TimeoutError, TimeoutType

from tests.functional.workers import all_of, events_of, eventually, has_event, names, new_worker, only


@workflow.defn
class Waits:
    """Waits for ever, beside an activity that nobody takes."""

    @workflow.run
    async def run(self, with_activity: bool) -> None:
        if with_activity:
            await workflow.execute_activity(
                "absent", task_queue="a queue nobody polls", start_to_close_timeout=timedelta(hours=1)
            )
        await workflow.wait_condition(lambda: False)


@workflow.defn
class Continues:
    """Continues as new for ever."""

    @workflow.run
    async def run(self) -> None:
        workflow.continue_as_new()


@pytest.mark.parametrize("kind", ["run_timeout", "execution_timeout"])
@pytest.mark.parametrize("worked_on", [True, False], ids=["with a worker", "without a worker"])
async def test_a_run_is_out_of_time(
    worked_on: bool, kind: str, client: Client, task_queue: str, workflow_id: str
) -> None:
    timeouts = {kind: timedelta(seconds=1.5)}
    async with new_worker(client, task_queue if worked_on else f"{task_queue}-other", workflows=[Waits]):
        handle = await client.start_workflow(Waits.run, True, id=workflow_id, task_queue=task_queue, **timeouts)
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert isinstance(raised.value.cause, TimeoutError)
    assert raised.value.cause.type == TimeoutType.START_TO_CLOSE
    assert (await handle.describe()).status == WorkflowExecutionStatus.TIMED_OUT
    events = await events_of(handle)
    begun, end = events[0], events[-1]
    # When a whole chain expires is told in milliseconds.
    assert end.event_time.ToDatetime() - begun.event_time.ToDatetime() > timeouts[kind] - timedelta(milliseconds=1)
    assert ("ACTIVITY_TASK_SCHEDULED" in names(events)) == worked_on
    raw = (await handle.describe()).raw_description
    assert not raw.pending_activities


async def test_the_time_of_a_run_begins_after_its_delay(client: Client, task_queue: str, workflow_id: str) -> None:
    delay, run_timeout = timedelta(seconds=1), timedelta(seconds=2)
    async with new_worker(client, task_queue, workflows=[Waits]):
        handle = await client.start_workflow(
            Waits.run, False, id=workflow_id, task_queue=task_queue, start_delay=delay, run_timeout=run_timeout
        )
        with pytest.raises(WorkflowFailureError):
            await handle.result()
    events = await events_of(handle)
    assert len(all_of(events, "WORKFLOW_TASK_COMPLETED")) == 1
    scheduled = only(events, "WORKFLOW_TASK_SCHEDULED")
    assert scheduled.event_time.ToDatetime() - events[0].event_time.ToDatetime() >= delay
    assert events[-1].event_time.ToDatetime() - events[0].event_time.ToDatetime() >= delay + run_timeout


async def test_a_delayed_run_is_cancelled_at_once(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Waits]):
        handle = await client.start_workflow(
            Waits.run, False, id=workflow_id, task_queue=task_queue, start_delay=timedelta(hours=1)
        )
        await handle.signal("is recorded, and does not end the delay")
        assert names(await events_of(handle)) == ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_EXECUTION_SIGNALED"]
        await handle.cancel()
        await eventually(lambda: has_event(handle, "WORKFLOW_EXECUTION_CANCELED"))


async def test_the_time_of_a_chain_ends_its_last_run(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Continues]):
        handle = await client.start_workflow(
            Continues.run, id=workflow_id, task_queue=task_queue, execution_timeout=timedelta(seconds=1.5)
        )
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert isinstance(raised.value.cause, TimeoutError)
    last = client.get_workflow_handle(workflow_id)
    assert (await last.describe()).run_id != handle.result_run_id
    begun = (await events_of(last))[0].workflow_execution_started_event_attributes
    assert begun.first_execution_run_id == handle.result_run_id
