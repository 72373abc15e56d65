"""Continue as new: what the next run inherits, and how readers find the end of the chain."""

import asyncio
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn

import pytest
from temporalio import activity, workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import ContinueAsNewInitiator
from temporalio.api.operatorservice.v1 import AddSearchAttributesRequest
from temporalio.client import Client, WorkflowContinuedAsNewError, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import RetryPolicy, SearchAttributeKey, SearchAttributePair, TypedSearchAttributes
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import (
    ContinueAsNewInput,
    Interceptor,
    WorkflowInboundInterceptor,
    WorkflowInterceptorClassInput,
    WorkflowOutboundInterceptor,
)

from tests.functional.workers import all_of, events_of, names, new_worker, only

LEG = SearchAttributeKey.for_keyword("Leg")


@workflow.defn
class Relay:
    """Runs so many legs, each in a run of its own; returns the ids of all runs."""

    @workflow.run
    async def run(self, legs: int, runs: list[str]) -> list[str]:
        runs.append(workflow.info().run_id)
        if len(runs) < legs:
            workflow.continue_as_new(args=[legs, runs])
        return runs


@workflow.defn
class Changes:
    """Continues once with other options, then tells what it has."""

    @workflow.run
    async def run(self, first: bool) -> list[str]:
        if first:
            workflow.continue_as_new(
                False,
                memo={"kept": "changed"},
                task_timeout=timedelta(seconds=7),
                run_timeout=timedelta(minutes=7),
                retry_policy=RetryPolicy(maximum_attempts=7),
                search_attributes=TypedSearchAttributes([SearchAttributePair(LEG, "second")]),
            )
        info = workflow.info()
        return [workflow.memo_value("kept"), info.typed_search_attributes[LEG]]


@workflow.defn
class Drains:
    """Continues after a local activity, and ends with the signal it got meanwhile."""

    def __init__(self) -> None:
        self._seen: list[str] = []

    @workflow.run
    async def run(self, last: bool) -> list[str]:
        if last:
            await workflow.wait_condition(lambda: bool(self._seen))
        else:
            await workflow.execute_local_activity("hold", start_to_close_timeout=timedelta(seconds=60))
        if not self._seen:
            workflow.continue_as_new(True)
        return self._seen

    @workflow.signal
    def add(self, what: str) -> None:
        self._seen.append(what)


class Tracing(Interceptor):
    """Gives each next run a header."""

    def workflow_interceptor_class(self, input: WorkflowInterceptorClassInput) -> type[WorkflowInboundInterceptor]:
        return Traced


class Traced(WorkflowInboundInterceptor):
    """See Tracing."""

    def init(self, outbound: WorkflowOutboundInterceptor) -> None:
        super().init(Traces(outbound))


class Traces(WorkflowOutboundInterceptor):
    """See Tracing."""

    def continue_as_new(self, input: ContinueAsNewInput) -> NoReturn:
        super().continue_as_new(replace(input, headers={"tracer": Payload(data=b"span")}))


async def make_leg_known(client: Client) -> None:
    """Makes Leg a search attribute, unless it is one."""
    await client.operator_service.add_search_attributes(
        AddSearchAttributesRequest(namespace="default", search_attributes={LEG.name: LEG.indexed_value_type})
    )


async def begun(client: Client, workflow_id: str, run_id: str) -> Any:
    """The attributes of the first event of a run."""
    events = await events_of(client.get_workflow_handle(workflow_id, run_id=run_id))
    return events[0].workflow_execution_started_event_attributes


async def test_a_chain_of_runs_is_one_workflow(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Relay]):
        handle = await client.start_workflow(Relay.run, args=[3, []], id=workflow_id, task_queue=task_queue)
        first, second, third = await handle.result()
    assert handle.result_run_id == first
    for run_id, before in ((second, first), (third, second)):
        attributes = await begun(client, workflow_id, run_id)
        assert attributes.first_execution_run_id == first
        assert attributes.continued_execution_run_id == before
        assert attributes.original_execution_run_id == run_id
        assert attributes.initiator == ContinueAsNewInitiator.CONTINUE_AS_NEW_INITIATOR_WORKFLOW
    described = await client.get_workflow_handle(workflow_id).describe()
    assert (described.run_id, described.status) == (third, WorkflowExecutionStatus.COMPLETED)
    ended = (await events_of(client.get_workflow_handle(workflow_id, run_id=first)))[-1]
    assert ended.workflow_execution_continued_as_new_event_attributes.new_execution_run_id == second


async def test_a_reader_may_stop_at_the_first_run(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Relay]):
        handle = await client.start_workflow(Relay.run, args=[2, []], id=workflow_id, task_queue=task_queue)
        _, second = await handle.result()
        with pytest.raises(WorkflowContinuedAsNewError) as raised:
            await handle.result(follow_runs=False)
    assert raised.value.new_execution_run_id == second


async def test_the_handle_of_a_chain_reaches_its_current_run(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Relay]):
        first = await client.start_workflow(Relay.run, args=[2, []], id=workflow_id, task_queue=task_queue)
        await first.result()
        other = await client.start_workflow("Nobody", id=workflow_id, task_queue=f"{task_queue}-nobody")
    with pytest.raises(RPCError) as raised:
        await first.terminate()
    assert raised.value.status == RPCStatusCode.NOT_FOUND
    chain: WorkflowHandle[Any, Any] = client.get_workflow_handle(
        workflow_id, first_execution_run_id=other.first_execution_run_id
    )
    await chain.terminate()
    assert (await other.describe()).status == WorkflowExecutionStatus.TERMINATED


async def test_the_next_run_has_what_the_first_was_given(client: Client, task_queue: str, workflow_id: str) -> None:
    policy = RetryPolicy(initial_interval=timedelta(seconds=3), maximum_attempts=5)
    await make_leg_known(client)
    async with new_worker(client, task_queue, workflows=[Relay]):
        handle = await client.start_workflow(
            Relay.run,
            args=[2, []],
            id=workflow_id,
            task_queue=task_queue,
            memo={"kept": "as it was"},
            search_attributes=TypedSearchAttributes([SearchAttributePair(LEG, "each")]),
            retry_policy=policy,
            execution_timeout=timedelta(hours=1),
            run_timeout=timedelta(minutes=30),
            task_timeout=timedelta(seconds=9),
        )
        first, second = await handle.result()
    before, after = [await begun(client, workflow_id, run_id) for run_id in (first, second)]
    for name in ("memo", "retry_policy", "workflow_run_timeout", "workflow_task_timeout", "workflow_type"):
        assert getattr(after, name) == getattr(before, name), name
        assert after.HasField(name)
    assert after.search_attributes.indexed_fields["Leg"].data == b'"each"'
    # The time of the whole chain is not begun anew.
    assert after.workflow_execution_expiration_time == before.workflow_execution_expiration_time
    assert before.HasField("workflow_execution_expiration_time")


async def test_the_next_run_may_be_given_something_else(client: Client, task_queue: str, workflow_id: str) -> None:
    await make_leg_known(client)
    async with new_worker(client, task_queue, workflows=[Changes]):
        handle = await client.start_workflow(
            Changes.run,
            True,
            id=workflow_id,
            task_queue=task_queue,
            memo={"kept": "as it was"},
            search_attributes=TypedSearchAttributes([SearchAttributePair(LEG, "first")]),
        )
        assert await handle.result() == ["changed", "second"]
    attributes = (await events_of(client.get_workflow_handle(workflow_id)))[
        0
    ].workflow_execution_started_event_attributes
    assert attributes.workflow_task_timeout.ToTimedelta() == timedelta(seconds=7)
    assert attributes.workflow_run_timeout.ToTimedelta() == timedelta(minutes=7)
    assert attributes.retry_policy.maximum_attempts == 7


async def test_headers_are_passed_on(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Relay], interceptors=[Tracing()]):
        handle = await client.start_workflow(Relay.run, args=[2, []], id=workflow_id, task_queue=task_queue)
        first, second = await handle.result()
    assert "tracer" not in (await begun(client, workflow_id, first)).header.fields
    assert (await begun(client, workflow_id, second)).header.fields["tracer"].data == b"span"


async def test_no_signal_is_lost_between_two_runs(client: Client, task_queue: str, workflow_id: str) -> None:
    entered, opened = asyncio.Event(), asyncio.Event()

    @activity.defn(name="hold")
    async def hold() -> None:
        entered.set()
        await opened.wait()

    async with new_worker(client, task_queue, workflows=[Drains], activities=[hold]):
        handle = await client.start_workflow(Drains.run, False, id=workflow_id, task_queue=task_queue)
        await entered.wait()
        await handle.signal(Drains.add, "meanwhile")
        opened.set()
        assert await handle.result() == ["meanwhile"]
    events = await events_of(handle)
    failed = only(events, "WORKFLOW_TASK_FAILED").workflow_task_failed_event_attributes
    assert failed.failure.message == "UnhandledCommand"
    assert names(events)[-1] == "WORKFLOW_EXECUTION_COMPLETED"
    assert len(all_of(events, "WORKFLOW_EXECUTION_SIGNALED")) == 1
