"""Activities of real workers: results, attempts, timeouts, heartbeats, cancellation, completion from elsewhere."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.client import AsyncActivityCancelledError, Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import (
    ActivityError,
    ApplicationError,
    CancelledError,
    TimeoutType,
)
from temporalio.exceptions import (
    TimeoutError as ActivityTimeout,
)
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.workers import events_of, eventually, names, new_worker, only, pending_activity


@workflow.defn
class RunActivity:
    """Runs one activity with the options it is given; cancels it on a signal."""

    def __init__(self) -> None:
        self._cancel = False

    @workflow.run
    async def run(self, name: str, options: dict[str, Any]) -> Any:
        policy = options.pop("attempts", None)
        seconds = {key: timedelta(seconds=value) for key, value in options.items()}
        handle = workflow.start_activity(
            name,
            activity_id="the-activity",
            retry_policy=RetryPolicy(initial_interval=timedelta(milliseconds=10), maximum_attempts=policy or 1),
            cancellation_type=workflow.ActivityCancellationType.WAIT_CANCELLATION_COMPLETED,
            **seconds,
        )
        cancelled = asyncio.ensure_future(workflow.wait_condition(lambda: self._cancel))
        await workflow.wait([handle, cancelled], return_when=asyncio.FIRST_COMPLETED)
        if self._cancel:
            handle.cancel()
        return await handle

    @workflow.signal
    def cancel(self) -> None:
        self._cancel = True


@activity.defn
async def hello(name: str) -> str:
    """Greets."""
    return f"Hello, {name}!"


@workflow.defn
class Hello:
    """Greets with an activity."""

    @workflow.run
    async def run(self, name: str) -> str:
        return await workflow.execute_activity(hello, name, start_to_close_timeout=timedelta(seconds=30))


async def start(
    client: Client, task_queue: str, workflow_id: str, name: str, **options: Any
) -> WorkflowHandle[Any, Any]:
    """Starts a workflow that runs one activity."""
    return await client.start_workflow(RunActivity.run, args=[name, options], id=workflow_id, task_queue=task_queue)


async def failure_of(handle: WorkflowHandle[Any, Any]) -> ActivityError:
    """Why the activity of a workflow failed."""
    with pytest.raises(WorkflowFailureError) as raised:
        await handle.result()
    assert isinstance(raised.value.cause, ActivityError)
    return raised.value.cause


async def test_hello(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Hello], activities=[hello]):
        handle = await client.start_workflow(Hello.run, "Ada", id=workflow_id, task_queue=task_queue)
        assert await handle.result() == "Hello, Ada!"
    assert names(await events_of(handle)) == [
        "WORKFLOW_EXECUTION_STARTED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "ACTIVITY_TASK_SCHEDULED",
        "ACTIVITY_TASK_STARTED",
        "ACTIVITY_TASK_COMPLETED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "WORKFLOW_EXECUTION_COMPLETED",
    ]


async def test_an_activity_is_tried_again_until_it_succeeds(client: Client, task_queue: str, workflow_id: str) -> None:
    @activity.defn(name="flaky")
    async def flaky() -> int:
        attempt = activity.info().attempt
        if attempt < 3:
            raise ApplicationError(f"attempt {attempt}")
        return attempt

    async with new_worker(client, task_queue, workflows=[RunActivity], activities=[flaky]):
        handle = await start(client, task_queue, workflow_id, "flaky", attempts=5, start_to_close_timeout=30)
        assert await handle.result() == 3
    events = await events_of(handle)
    started = only(events, "ACTIVITY_TASK_STARTED").activity_task_started_event_attributes
    assert (started.attempt, started.last_failure.message) == (3, "attempt 2")


async def test_an_activity_fails_for_good_after_its_last_attempt(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    @activity.defn(name="broken")
    async def broken() -> None:
        raise ApplicationError(f"attempt {activity.info().attempt}", type="Broken")

    async with new_worker(client, task_queue, workflows=[RunActivity], activities=[broken]):
        handle = await start(client, task_queue, workflow_id, "broken", attempts=2, start_to_close_timeout=30)
        error = await failure_of(handle)
    assert isinstance(error.cause, ApplicationError)
    assert (error.cause.message, error.cause.type) == ("attempt 2", "Broken")
    assert error.retry_state is not None and error.retry_state.name == "MAXIMUM_ATTEMPTS_REACHED"


async def test_a_failure_may_say_that_another_attempt_is_useless(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    @activity.defn(name="hopeless")
    async def hopeless() -> None:
        raise ApplicationError("no", non_retryable=True)

    async with new_worker(client, task_queue, workflows=[RunActivity], activities=[hopeless]):
        handle = await start(client, task_queue, workflow_id, "hopeless", attempts=5, start_to_close_timeout=30)
        error = await failure_of(handle)
    assert error.retry_state is not None and error.retry_state.name == "NON_RETRYABLE_FAILURE"
    events = await events_of(handle)
    assert only(events, "ACTIVITY_TASK_STARTED").activity_task_started_event_attributes.attempt == 1


async def test_a_failure_may_choose_when_the_next_attempt_is(client: Client, task_queue: str, workflow_id: str) -> None:
    @activity.defn(name="patient")
    async def patient() -> None:
        raise ApplicationError("later", next_retry_delay=timedelta(hours=1))

    async with new_worker(client, task_queue, workflows=[RunActivity], activities=[patient]):
        handle = await start(client, task_queue, workflow_id, "patient", attempts=5, start_to_close_timeout=30)

        async def waits() -> Any:
            seen = await pending_activity(handle)
            return seen if seen is not None and seen.attempt == 2 else None

        seen = await eventually(waits)
    assert seen.state == PendingActivityState.PENDING_ACTIVITY_STATE_SCHEDULED
    assert seen.last_failure.message == "later"
    assert seen.current_retry_interval.ToTimedelta() == timedelta(hours=1)
    await handle.terminate()


TIMEOUTS = {
    "start to close": ({"start_to_close_timeout": 0.2}, TimeoutType.START_TO_CLOSE, "MAXIMUM_ATTEMPTS_REACHED"),
    "schedule to close": ({"schedule_to_close_timeout": 0.2}, TimeoutType.SCHEDULE_TO_CLOSE, "NON_RETRYABLE_FAILURE"),
    "heartbeat": (
        {"start_to_close_timeout": 60, "heartbeat_timeout": 0.2},
        TimeoutType.HEARTBEAT,
        "MAXIMUM_ATTEMPTS_REACHED",
    ),
}


@pytest.mark.parametrize("case", TIMEOUTS)
async def test_a_worker_that_keeps_silent_is_timed_out(
    case: str, client: Client, task_queue: str, workflow_id: str
) -> None:
    options, kind, retry_state = TIMEOUTS[case]
    over = asyncio.Event()

    @activity.defn(name="silent")
    async def silent() -> None:
        await over.wait()

    async with new_worker(client, task_queue, workflows=[RunActivity], activities=[silent]):
        handle = await start(client, task_queue, workflow_id, "silent", **options)
        error = await failure_of(handle)
        over.set()
    assert isinstance(error.cause, ActivityTimeout)
    assert error.cause.type == kind
    assert error.retry_state is not None and error.retry_state.name == retry_state
    assert names(await events_of(handle)).count("ACTIVITY_TASK_TIMED_OUT") == 1


async def test_an_activity_nobody_takes_is_timed_out(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[RunActivity]):
        handle = await start(
            client, task_queue, workflow_id, "absent", schedule_to_start_timeout=0.2, start_to_close_timeout=60
        )
        error = await failure_of(handle)
    assert isinstance(error.cause, ActivityTimeout)
    assert error.cause.type == TimeoutType.SCHEDULE_TO_START
    events = await events_of(handle)
    assert "ACTIVITY_TASK_STARTED" not in names(events)
    assert only(events, "ACTIVITY_TASK_TIMED_OUT").activity_task_timed_out_event_attributes.started_event_id == 0


async def test_a_timed_out_attempt_is_followed_by_another(client: Client, task_queue: str, workflow_id: str) -> None:
    over = asyncio.Event()

    @activity.defn(name="late")
    async def late() -> int:
        if activity.info().attempt == 1:
            await over.wait()
        return activity.info().attempt

    async with new_worker(client, task_queue, workflows=[RunActivity], activities=[late]):
        handle = await start(client, task_queue, workflow_id, "late", attempts=2, start_to_close_timeout=0.3)
        assert await handle.result() == 2
        over.set()
    events = await events_of(handle)
    started = only(events, "ACTIVITY_TASK_STARTED").activity_task_started_event_attributes
    assert started.last_failure.timeout_failure_info.timeout_type == TimeoutType.START_TO_CLOSE


async def test_heartbeat_details_reach_the_next_attempt(client: Client, task_queue: str, workflow_id: str) -> None:
    @activity.defn(name="progress")
    async def progress() -> list[int]:
        info = activity.info()
        if info.attempt == 1:
            activity.heartbeat(7, 8)
            raise ApplicationError("again")
        return list(info.heartbeat_details)

    async with new_worker(client, task_queue, workflows=[RunActivity], activities=[progress]):
        handle = await start(client, task_queue, workflow_id, "progress", attempts=2, start_to_close_timeout=30)
        assert await handle.result() == [7, 8]


async def test_a_cancel_request_reaches_an_activity_through_its_heartbeat(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    running = asyncio.Event()

    @activity.defn(name="beating")
    async def beating() -> None:
        running.set()
        while True:
            activity.heartbeat()
            await asyncio.sleep(0.05)

    async with new_worker(client, task_queue, workflows=[RunActivity], activities=[beating]):
        handle = await start(client, task_queue, workflow_id, "beating", start_to_close_timeout=60, heartbeat_timeout=1)
        await running.wait()
        await handle.signal(RunActivity.cancel)
        error = await failure_of(handle)
    assert isinstance(error.cause, CancelledError)
    events = await events_of(handle)
    requested = only(events, "ACTIVITY_TASK_CANCEL_REQUESTED")
    canceled = only(events, "ACTIVITY_TASK_CANCELED").activity_task_canceled_event_attributes
    assert canceled.latest_cancel_requested_event_id == requested.event_id


async def test_an_activity_no_worker_has_is_cancelled_at_once(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[RunActivity]):
        handle = await start(client, task_queue, workflow_id, "absent", start_to_close_timeout=60)
        await eventually(lambda: pending_activity(handle))
        await handle.signal(RunActivity.cancel)
        error = await failure_of(handle)
    assert isinstance(error.cause, CancelledError)
    assert "ACTIVITY_TASK_STARTED" not in names(await events_of(handle))


class Elsewhere:
    """An activity that is completed by somebody else."""

    def __init__(self) -> None:
        self.tokens: asyncio.Queue[bytes] = asyncio.Queue()

    @activity.defn(name="elsewhere")
    async def elsewhere(self) -> None:
        self.tokens.put_nowait(activity.info().task_token)
        activity.raise_complete_async()


@pytest.mark.parametrize("by_id", [False, True], ids=["by token", "by id"])
@pytest.mark.parametrize("how", ["complete", "fail", "cancel", "heartbeat"])
async def test_an_activity_is_finished_from_elsewhere(
    how: str, by_id: bool, client: Client, task_queue: str, workflow_id: str
) -> None:
    there = Elsewhere()
    async with new_worker(client, task_queue, workflows=[RunActivity], activities=[there.elsewhere]):
        handle = await start(client, task_queue, workflow_id, "elsewhere", start_to_close_timeout=60)
        token = await there.tokens.get()
        if by_id:
            outside = client.get_async_activity_handle(workflow_id=workflow_id, run_id=None, activity_id="the-activity")
        else:
            outside = client.get_async_activity_handle(task_token=token)
        if how == "complete":
            await outside.complete("done")
            assert await handle.result() == "done"
        elif how == "fail":
            await outside.fail(ApplicationError("not done"))
            error = await failure_of(handle)
            assert isinstance(error.cause, ApplicationError)
            assert error.cause.message == "not done"
        elif how == "heartbeat":
            await outside.heartbeat("half")
            assert (await pending_activity(handle)).heartbeat_details.payloads[0].data == b'"half"'
            await outside.complete("done")
            assert await handle.result() == "done"
        else:
            await handle.signal(RunActivity.cancel)

            async def cancelled() -> bool:
                try:
                    await outside.heartbeat()
                except AsyncActivityCancelledError:
                    return True
                return False

            await eventually(cancelled)
            await outside.report_cancellation()
            assert isinstance((await failure_of(handle)).cause, CancelledError)
        with pytest.raises(RPCError) as raised:
            await outside.complete("again")
        assert raised.value.status == RPCStatusCode.NOT_FOUND
