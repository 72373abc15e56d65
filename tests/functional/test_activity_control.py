"""What operators do to a pending activity: pause it, let it go on, begin it again, change its options."""

import asyncio
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from google.protobuf.field_mask_pb2 import FieldMask
from temporalio import activity, workflow
from temporalio.api.activity.v1 import ActivityOptions
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import PendingActivityState
from temporalio.api.workflowservice.v1 import (
    PauseActivityRequest,
    RecordActivityTaskHeartbeatRequest,
    ResetActivityRequest,
    UnpauseActivityRequest,
    UpdateActivityOptionsRequest,
)
from temporalio.client import Client, WorkflowFailureError, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import ActivityError, ApplicationError, RetryState
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.workers import events_of, eventually, new_worker, only, pending_activity

NEVER = timedelta(hours=1)
"""The interval of an activity whose next attempt only an operator brings."""


@workflow.defn
class Fragile:
    """Runs one activity that is tried again after an interval in seconds, so often at most (0: always)."""

    @workflow.run
    async def run(self, interval: float, attempts: int = 0) -> Any:
        return await workflow.execute_activity(
            "fragile",
            activity_id="fragile",
            start_to_close_timeout=timedelta(minutes=5),
            heartbeat_timeout=timedelta(minutes=5),
            retry_policy=RetryPolicy(
                initial_interval=timedelta(seconds=interval), backoff_coefficient=1, maximum_attempts=attempts
            ),
        )


class Attempts:
    """An activity whose attempts fail with a heartbeat behind them until it is mended."""

    def __init__(self) -> None:
        self.mended = False
        self.seen: list[int] = []

    @activity.defn(name="fragile")
    async def fragile(self) -> list[Any]:
        attempt = activity.info().attempt
        self.seen.append(attempt)
        if not self.mended:
            activity.heartbeat(attempt)
            raise ApplicationError(f"attempt {attempt}")
        return [attempt, list(activity.info().heartbeat_details)]


async def failed_once(
    client: Client, task_queue: str, workflow_id: str, interval: timedelta = NEVER
) -> WorkflowHandle[Any, Any]:
    """A workflow whose activity has failed, and waits."""
    handle = await client.start_workflow(Fragile.run, interval.total_seconds(), id=workflow_id, task_queue=task_queue)
    await pending(handle, lambda seen: bool(seen.last_failure.message))
    return handle


async def pending(handle: WorkflowHandle[Any, Any], fits: Callable[[Any], bool]) -> Any:
    """The pending activity, once it is as wanted."""

    async def look() -> Any:
        seen = await pending_activity(handle)
        return seen if seen is not None and fits(seen) else None

    return await eventually(look)


def about(client: Client, workflow_id: str) -> dict[str, Any]:
    """The fields that every one of these requests has."""
    return {
        "namespace": client.namespace,
        "execution": WorkflowExecution(workflow_id=workflow_id),
        "identity": "operator",
        "id": "fragile",
    }


async def test_a_paused_activity_is_not_tried_again_until_it_goes_on(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    attempts, call = Attempts(), about(client, workflow_id)
    async with new_worker(client, task_queue, workflows=[Fragile], activities=[attempts.fragile]):
        handle = await failed_once(client, task_queue, workflow_id)
        await client.workflow_service.pause_activity(PauseActivityRequest(**call, reason="out of order"))
        seen = await pending(handle, lambda seen: seen.paused)
        assert seen.state == PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED
        assert (seen.pause_info.manual.identity, seen.pause_info.manual.reason) == ("operator", "out of order")
        attempts.mended = True
        await client.workflow_service.unpause_activity(UnpauseActivityRequest(**call))
        assert await handle.result() == [2, [1]]
    assert attempts.seen == [1, 2]


async def test_a_pause_reaches_an_activity_that_runs(client: Client, task_queue: str, workflow_id: str) -> None:
    running, told = asyncio.Event(), asyncio.Event()

    @activity.defn(name="fragile")
    async def fragile() -> str:
        if activity.info().attempt > 1:
            return "went on"
        running.set()
        try:
            while True:
                activity.heartbeat()
                await asyncio.sleep(0.05)
        except asyncio.CancelledError:
            details = activity.cancellation_details()
            assert details is not None and details.paused
            told.set()
            raise

    call = about(client, workflow_id)
    async with new_worker(
        client,
        task_queue,
        workflows=[Fragile],
        activities=[fragile],
        max_heartbeat_throttle_interval=timedelta(milliseconds=50),
        default_heartbeat_throttle_interval=timedelta(milliseconds=50),
    ):
        handle = await client.start_workflow(Fragile.run, 0.01, id=workflow_id, task_queue=task_queue)
        await running.wait()
        await client.workflow_service.pause_activity(PauseActivityRequest(**call))
        await told.wait()
        paused = PendingActivityState.PENDING_ACTIVITY_STATE_PAUSED
        await pending(handle, lambda seen: seen.state == paused)
        await client.workflow_service.unpause_activity(UnpauseActivityRequest(**call))
        assert await handle.result() == "went on"


@pytest.mark.parametrize("reset_heartbeat", [False, True], ids=["with its heartbeat", "without its heartbeat"])
async def test_an_activity_begins_again(
    reset_heartbeat: bool, client: Client, task_queue: str, workflow_id: str
) -> None:
    attempts, call = Attempts(), about(client, workflow_id)
    async with new_worker(client, task_queue, workflows=[Fragile], activities=[attempts.fragile]):
        handle = await failed_once(client, task_queue, workflow_id)
        attempts.mended = True
        await client.workflow_service.reset_activity(ResetActivityRequest(**call, reset_heartbeat=reset_heartbeat))
        assert await handle.result() == [1, [] if reset_heartbeat else [1]]
    assert attempts.seen == [1, 1]


@pytest.mark.parametrize(("reset_in", "seen"), [(1, [1, 2, 3]), (2, [1, 2, 2, 3])])
async def test_the_attempt_that_runs_becomes_the_first(
    reset_in: int, seen: list[int], client: Client, task_queue: str, workflow_id: str
) -> None:
    attempts: list[int] = []
    call = about(client, workflow_id)
    handle = client.get_workflow_handle(workflow_id)

    @activity.defn(name="fragile")
    async def fragile() -> None:
        info = activity.info()
        attempts.append(info.attempt)
        if len(attempts) == reset_in:
            await client.workflow_service.reset_activity(ResetActivityRequest(**call))
            assert (await pending_activity(handle)).attempt == 1
            beat = RecordActivityTaskHeartbeatRequest(namespace=client.namespace, task_token=info.task_token)
            assert (await client.workflow_service.record_activity_task_heartbeat(beat)).activity_reset
        raise ApplicationError(f"try {len(attempts)}")

    async with new_worker(client, task_queue, workflows=[Fragile], activities=[fragile]):
        await client.start_workflow(Fragile.run, args=[0.01, 3], id=workflow_id, task_queue=task_queue)
        with pytest.raises(WorkflowFailureError) as raised:
            await handle.result()
    assert isinstance(raised.value.cause, ActivityError)
    assert raised.value.cause.retry_state == RetryState.MAXIMUM_ATTEMPTS_REACHED
    assert attempts == seen
    assert str(raised.value.cause.cause) == f"try {len(seen)}"


async def test_a_reset_may_keep_the_pause(client: Client, task_queue: str, workflow_id: str) -> None:
    attempts, call = Attempts(), about(client, workflow_id)
    async with new_worker(client, task_queue, workflows=[Fragile], activities=[attempts.fragile]):
        handle = await failed_once(client, task_queue, workflow_id)
        await client.workflow_service.pause_activity(PauseActivityRequest(**call))
        await client.workflow_service.reset_activity(ResetActivityRequest(**call, keep_paused=True))
        seen = await pending(handle, lambda seen: seen.attempt == 1)
        assert seen.paused
        attempts.mended = True
        await client.workflow_service.unpause_activity(UnpauseActivityRequest(**call, reset_heartbeat=True))
        assert await handle.result() == [1, []]


async def test_new_options_are_those_of_the_next_attempt(client: Client, task_queue: str, workflow_id: str) -> None:
    attempts, call = Attempts(), about(client, workflow_id)
    async with new_worker(client, task_queue, workflows=[Fragile], activities=[attempts.fragile]):
        handle = await failed_once(client, task_queue, workflow_id)
        attempts.mended = True
        options = ActivityOptions()
        options.retry_policy.initial_interval.FromMilliseconds(10)
        options.retry_policy.maximum_interval.FromMilliseconds(20)
        options.heartbeat_timeout.FromSeconds(77)
        options.start_to_close_timeout.FromSeconds(88)
        mask = FieldMask(paths=["retry_policy.initial_interval", "retry_policy.maximum_interval", "heartbeat_timeout"])
        reply = await client.workflow_service.update_activity_options(
            UpdateActivityOptionsRequest(**call, activity_options=options, update_mask=mask)
        )
        assert reply.activity_options.retry_policy.initial_interval.ToTimedelta() == timedelta(milliseconds=10)
        assert reply.activity_options.heartbeat_timeout.ToTimedelta() == timedelta(seconds=77)
        assert reply.activity_options.start_to_close_timeout.ToTimedelta() == timedelta(minutes=5)
        assert await handle.result() == [2, [1]]
    scheduled = only(await events_of(handle), "ACTIVITY_TASK_SCHEDULED").activity_task_scheduled_event_attributes
    assert scheduled.heartbeat_timeout.ToTimedelta() == timedelta(minutes=5)


async def test_an_activity_moves_to_another_queue(client: Client, task_queue: str, workflow_id: str) -> None:
    attempts, call = Attempts(), about(client, workflow_id)
    attempts.mended = True
    async with new_worker(client, task_queue, workflows=[Fragile]):
        handle = await client.start_workflow(Fragile.run, 1, id=workflow_id, task_queue=task_queue)
        await eventually(lambda: pending_activity(handle))
        options = ActivityOptions()
        options.task_queue.name = f"{task_queue}-other"
        await client.workflow_service.update_activity_options(
            UpdateActivityOptionsRequest(
                **call, activity_options=options, update_mask=FieldMask(paths=["task_queue.name"])
            )
        )
        async with new_worker(client, f"{task_queue}-other", activities=[attempts.fragile]):
            assert await handle.result() == [1, []]


@pytest.mark.parametrize("verb", ["pause", "unpause", "reset", "options"])
async def test_an_activity_that_is_not_there_is_not_found(
    verb: str, client: Client, task_queue: str, workflow_id: str
) -> None:
    handle = await client.start_workflow(Fragile.run, 1, id=workflow_id, task_queue=task_queue)
    service, call = client.workflow_service, about(client, workflow_id)
    options = UpdateActivityOptionsRequest(
        **call, activity_options=ActivityOptions(), update_mask=FieldMask(paths=["heartbeat_timeout"])
    )
    asked = {
        "pause": lambda: service.pause_activity(PauseActivityRequest(**call)),
        "unpause": lambda: service.unpause_activity(UnpauseActivityRequest(**call)),
        "reset": lambda: service.reset_activity(ResetActivityRequest(**call)),
        "options": lambda: service.update_activity_options(options),
    }[verb]
    with pytest.raises(RPCError) as raised:
        await asked()
    assert raised.value.status == RPCStatusCode.NOT_FOUND
    await handle.terminate()
