"""What can be read: descriptions, histories by page and as they grow, lists, counts, task queues."""

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import EventType, HistoryEventFilterType, TaskQueueType
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import (
    DescribeTaskQueueRequest,
    GetWorkflowExecutionHistoryRequest,
    GetWorkflowExecutionHistoryReverseRequest,
)
from temporalio.client import Client, WorkflowExecutionStatus
from temporalio.common import SearchAttributeKey, SearchAttributePair, TypedSearchAttributes

from tests.functional.workers import all_of, events_of, eventually, names, new_worker, only

COLOUR = SearchAttributeKey.for_keyword("Colour")
SIZE = SearchAttributeKey.for_int("Size")


@activity.defn
async def nothing() -> None:
    """Does nothing."""


@workflow.defn
class Steps:
    """Runs so many activities, one after another."""

    def __init__(self) -> None:
        self._done = 0

    @workflow.run
    async def run(self, steps: int) -> None:
        for _ in range(steps):
            await workflow.execute_activity(nothing, start_to_close_timeout=timedelta(seconds=30))
            self._done += 1

    @workflow.query
    def done(self) -> int:
        return self._done


@workflow.defn
class Upserts:
    """Changes its memo and its search attributes, then waits for the end."""

    def __init__(self) -> None:
        self._end = False

    @workflow.run
    async def run(self) -> dict[str, str]:
        workflow.upsert_memo({"kept": "new", "dropped": None, "added": "too"})
        workflow.upsert_search_attributes([COLOUR.value_set("blue"), SIZE.value_unset()])
        await workflow.wait_condition(lambda: self._end)
        return {key: workflow.memo_value(key, "gone") for key in ("kept", "dropped", "added")}

    @workflow.signal
    def end(self) -> None:
        self._end = True


async def add_search_attributes(client: Client) -> None:
    """Makes Colour and Size known, unless they are."""
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(
            namespace="default",
            search_attributes={COLOUR.name: COLOUR.indexed_value_type, SIZE.name: SIZE.indexed_value_type},
        )
    )


async def test_a_description_tells_what_runs(client: Client, task_queue: str, workflow_id: str) -> None:
    handle = await client.start_workflow(Steps.run, 1, id=workflow_id, task_queue=task_queue, memo={"note": "x"})
    described = await handle.describe()
    assert described.status == WorkflowExecutionStatus.RUNNING
    assert (described.id, described.run_id) == (workflow_id, handle.result_run_id)
    assert (described.workflow_type, described.task_queue) == ("Steps", task_queue)
    assert described.history_length == 2
    assert described.execution_time == described.start_time
    assert await described.memo() == {"note": "x"}
    assert described.raw_description.pending_workflow_task.attempt == 1
    async with new_worker(client, task_queue, workflows=[Steps], activities=[nothing]):
        await handle.result()
    described = await handle.describe()
    assert described.status == WorkflowExecutionStatus.COMPLETED
    assert described.close_time is not None
    assert described.close_time >= described.start_time
    assert described.history_length == len(await events_of(handle))
    assert not described.raw_description.HasField("pending_workflow_task")


@pytest.mark.parametrize("size", [1, 3, 1000])
async def test_pages_make_the_whole_history(size: int, client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Steps], activities=[nothing]):
        handle = await client.start_workflow(Steps.run, 5, id=workflow_id, task_queue=task_queue)
        await handle.result()
    whole = await events_of(handle)
    execution = WorkflowExecution(workflow_id=workflow_id, run_id=handle.result_run_id or "")
    forward: list[HistoryEvent] = []
    token, pages = b"", 0
    while pages == 0 or token:
        reply = await client.workflow_service.get_workflow_execution_history(
            GetWorkflowExecutionHistoryRequest(
                namespace="default", execution=execution, maximum_page_size=size, next_page_token=token
            )
        )
        forward.extend(reply.history.events)
        token, pages = reply.next_page_token, pages + 1
    assert forward == whole
    assert (pages == 1) == (size == 1000)
    backward: list[HistoryEvent] = []
    token, pages = b"", 0
    while pages == 0 or token:
        back = await client.workflow_service.get_workflow_execution_history_reverse(
            GetWorkflowExecutionHistoryReverseRequest(
                namespace="default", execution=execution, maximum_page_size=size, next_page_token=token
            )
        )
        backward.extend(back.history.events)
        token, pages = back.next_page_token, pages + 1
    assert backward == whole[::-1]


async def test_a_reader_that_waits_sees_events_as_they_come(client: Client, task_queue: str, workflow_id: str) -> None:
    handle = await client.start_workflow(Steps.run, 2, id=workflow_id, task_queue=task_queue)
    stream: AsyncIterator[HistoryEvent] = aiter(handle.fetch_history_events(wait_new_event=True, page_size=1))
    first = [await anext(stream), await anext(stream)]
    assert names(first) == ["WORKFLOW_EXECUTION_STARTED", "WORKFLOW_TASK_SCHEDULED"]
    following = asyncio.ensure_future(anext(stream))
    async with new_worker(client, task_queue, workflows=[Steps], activities=[nothing]):
        assert names([await following]) == ["WORKFLOW_TASK_STARTED"]
        rest = [event async for event in stream]
    assert rest[-1].event_type == EventType.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED
    assert [*first, await following, *rest] == await events_of(handle)


async def test_the_close_event_alone(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Steps], activities=[nothing]):
        handle = await client.start_workflow(Steps.run, 1, id=workflow_id, task_queue=task_queue)
        close = [
            event
            async for event in handle.fetch_history_events(
                wait_new_event=True, event_filter_type=HistoryEventFilterType.HISTORY_EVENT_FILTER_TYPE_CLOSE_EVENT
            )
        ]
    assert names(close) == ["WORKFLOW_EXECUTION_COMPLETED"]


async def test_a_long_history_reaches_its_worker_in_pages(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Steps], activities=[nothing]):
        handle = await client.start_workflow(Steps.run, 100, id=workflow_id, task_queue=task_queue)
        await handle.result()
    assert len(await events_of(handle)) == 605
    async with new_worker(client, task_queue, workflows=[Steps], max_cached_workflows=0):
        assert await handle.query(Steps.done) == 100


async def test_memo_and_search_attributes_change(client: Client, task_queue: str, workflow_id: str) -> None:
    await add_search_attributes(client)
    async with new_worker(client, task_queue, workflows=[Upserts]):
        handle = await client.start_workflow(
            Upserts.run,
            id=workflow_id,
            task_queue=task_queue,
            memo={"kept": "old", "dropped": "old"},
            search_attributes=TypedSearchAttributes([SearchAttributePair(COLOUR, "red"), SearchAttributePair(SIZE, 7)]),
        )
        before = [each.id async for each in client.list_workflows(f'Colour = "blue" AND WorkflowId = "{workflow_id}"')]
        assert before in ([], [workflow_id])

        async def changed() -> bool:
            return (await handle.describe()).typed_search_attributes.get(COLOUR) == "blue"

        await eventually(changed)
        described = await handle.describe()
        assert described.typed_search_attributes.get(SIZE) is None
        assert await described.memo() == {"kept": "new", "added": "too"}
        query = f'Colour = "blue" AND WorkflowId = "{workflow_id}"'
        (listed,) = [each async for each in client.list_workflows(query)]
        assert await listed.memo() == {"kept": "new", "added": "too"}
        await handle.signal(Upserts.end)
        assert await handle.result() == {"kept": "new", "dropped": "gone", "added": "too"}
    events = await events_of(handle)
    only(events, "UPSERT_WORKFLOW_SEARCH_ATTRIBUTES")
    only(events, "WORKFLOW_PROPERTIES_MODIFIED")


async def test_lists_and_counts(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Steps], activities=[nothing]):
        for number in range(7):
            await client.execute_workflow(Steps.run, 0, id=f"{workflow_id}-{number}", task_queue=task_queue)
    open_one = await client.start_workflow(Steps.run, 0, id=f"{workflow_id}-open", task_queue=task_queue)
    ours = f'TaskQueue = "{task_queue}"'
    seen = [each async for each in client.list_workflows(ours, page_size=3)]
    assert [each.id for each in seen] == [f"{workflow_id}-open"] + [f"{workflow_id}-{n}" for n in range(6, -1, -1)]
    assert {each.status for each in seen[1:]} == {WorkflowExecutionStatus.COMPLETED}
    assert (await client.count_workflows(ours)).count == 8
    assert (await client.count_workflows(f'{ours} AND ExecutionStatus = "Running"')).count == 1
    grouped = await client.count_workflows(f"{ours} GROUP BY ExecutionStatus")
    assert {(group.group_values[0], group.count) for group in grouped.groups} == {("Running", 1), ("Completed", 7)}
    await open_one.terminate()
    assert (await client.count_workflows(f'{ours} AND ExecutionStatus = "Terminated"')).count == 1


async def test_a_task_queue_tells_who_polls_it(client: Client, task_queue: str) -> None:
    async def pollers(kind: TaskQueueType.ValueType) -> list[str]:
        reply = await client.workflow_service.describe_task_queue(
            DescribeTaskQueueRequest(namespace="default", task_queue=TaskQueue(name=task_queue), task_queue_type=kind)
        )
        return [poller.identity for poller in reply.pollers]

    for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
        assert await pollers(kind) == []
    async with new_worker(client, task_queue, workflows=[Steps], activities=[nothing], identity="who"):
        for kind in (TaskQueueType.TASK_QUEUE_TYPE_WORKFLOW, TaskQueueType.TASK_QUEUE_TYPE_ACTIVITY):
            assert await eventually(lambda kind=kind: pollers(kind)) == ["who"]


async def test_a_list_of_histories(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Steps], activities=[nothing]):
        for number in range(3):
            await client.execute_workflow(Steps.run, 1, id=f"{workflow_id}-{number}", task_queue=task_queue)
    histories = [history async for history in client.list_workflows(f'TaskQueue = "{task_queue}"').map_histories()]
    assert len(histories) == 3
    assert all(len(all_of(history.events, "ACTIVITY_TASK_COMPLETED")) == 1 for history in histories)
