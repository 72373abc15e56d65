"""What is said about work, and how urgent it is: carried by every event, description and task it belongs to."""

import asyncio
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.api.sdk.v1 import UserMetadata
from temporalio.client import Client
from temporalio.common import Priority
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.workers import all_of, events_of, eventually, new_worker, only

OWN = Priority(priority_key=2, fairness_key="tenant", fairness_weight=1.5)
WANTED = Priority(priority_key=4, fairness_key="tenant", fairness_weight=2.5)


@workflow.defn
class Described:
    """Says something about everything it does."""

    def __init__(self) -> None:
        self._end = False

    @workflow.run
    async def run(self) -> None:
        workflow.set_current_details("in the middle")
        await workflow.execute_activity(
            priority_seen, start_to_close_timeout=timedelta(seconds=30), summary="about the activity"
        )
        await workflow.sleep(0.01, summary="about the timer")
        await workflow.execute_child_workflow(
            Seen.run,
            id=f"{workflow.info().workflow_id}-child",
            static_summary="about the child",
            static_details="more about the child",
        )
        await workflow.wait_condition(lambda: self._end)

    @workflow.signal
    def end(self) -> None:
        self._end = True


@activity.defn
async def priority_seen() -> Priority:
    """The priority its task came with."""
    return activity.info().priority


@workflow.defn
class Seen:
    """Tells its priority and that of its activities: one with a priority of its own, one without; then continues."""

    @workflow.run
    async def run(self, continued: bool = True) -> list[Priority]:
        if not continued:
            workflow.continue_as_new(True)
        own, inherited = await asyncio.gather(
            workflow.execute_activity(priority_seen, start_to_close_timeout=timedelta(seconds=30), priority=WANTED),
            workflow.execute_activity(priority_seen, start_to_close_timeout=timedelta(seconds=30)),
        )
        return [workflow.info().priority, own, inherited]


@workflow.defn
class HasChildren:
    """Runs a child with a priority of its own and one that inherits."""

    @workflow.run
    async def run(self) -> list[list[Priority]]:
        name = workflow.info().workflow_id
        return list(
            await asyncio.gather(
                workflow.execute_child_workflow(Seen.run, id=f"{name}-own", priority=WANTED),
                workflow.execute_child_workflow(Seen.run, id=f"{name}-inherited"),
            )
        )


async def text(client: Client, metadata: UserMetadata) -> tuple[str, str]:
    """The summary and the details of some metadata; empty when there is none."""
    summary, details = [
        (await client.data_converter.decode([payload]))[0] if payload.metadata else ""
        for payload in (metadata.summary, metadata.details)
    ]
    return summary, details


async def test_summaries_are_kept_with_what_they_are_about(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Described, Seen], activities=[priority_seen]):
        handle = await client.start_workflow(
            Described.run,
            id=workflow_id,
            task_queue=task_queue,
            static_summary="about the workflow",
            static_details="more about it",
        )
        child = client.get_workflow_handle(f"{workflow_id}-child")

        async def has_child() -> bool:
            return bool(all_of(await events_of(handle), "CHILD_WORKFLOW_EXECUTION_COMPLETED"))

        await eventually(has_child)
        described, of_child = await handle.describe(), await child.describe()
        assert (await described.static_summary(), await described.static_details()) == (
            "about the workflow",
            "more about it",
        )
        assert (await of_child.static_summary(), await of_child.static_details()) == (
            "about the child",
            "more about the child",
        )
        await handle.signal(Described.end)
        await handle.result()
    events = await events_of(handle)
    said = {
        name: await text(client, only(events, name).user_metadata)
        for name in (
            "WORKFLOW_EXECUTION_STARTED",
            "ACTIVITY_TASK_SCHEDULED",
            "TIMER_STARTED",
            "START_CHILD_WORKFLOW_EXECUTION_INITIATED",
        )
    }
    assert said == {
        "WORKFLOW_EXECUTION_STARTED": ("about the workflow", "more about it"),
        "ACTIVITY_TASK_SCHEDULED": ("about the activity", ""),
        "TIMER_STARTED": ("about the timer", ""),
        "START_CHILD_WORKFLOW_EXECUTION_INITIATED": ("about the child", "more about the child"),
    }


@pytest.mark.parametrize("continued", [True, False], ids=["first run", "next run"])
async def test_a_priority_reaches_every_task(
    continued: bool, client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Seen], activities=[priority_seen]):
        handle = await client.start_workflow(Seen.run, continued, id=workflow_id, task_queue=task_queue, priority=OWN)
        assert await handle.result() == [OWN, WANTED, OWN]
    described = (await handle.describe()).raw_info.priority
    assert (described.priority_key, described.fairness_key, described.fairness_weight) == (2, "tenant", 1.5)
    scheduled = all_of(await events_of(client.get_workflow_handle(workflow_id)), "ACTIVITY_TASK_SCHEDULED")
    asked = [each.activity_task_scheduled_event_attributes.priority.priority_key for each in scheduled]
    assert asked == [4, 0]


async def test_a_priority_is_inherited_by_children(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[HasChildren, Seen], activities=[priority_seen]):
        handle = await client.start_workflow(HasChildren.run, id=workflow_id, task_queue=task_queue, priority=OWN)
        own, inherited = await handle.result()
    assert own == [WANTED, WANTED, WANTED]
    assert inherited == [OWN, WANTED, OWN]


async def test_a_fairness_key_that_is_too_long_is_refused(client: Client, task_queue: str, workflow_id: str) -> None:
    with pytest.raises(RPCError, match="fairness key length exceeds limit") as raised:
        await client.start_workflow(
            Seen.run, id=workflow_id, task_queue=task_queue, priority=Priority(fairness_key="x" * 65)
        )
    assert raised.value.status == RPCStatusCode.INVALID_ARGUMENT
