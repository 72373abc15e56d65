"""Signals and timers: order, signals before and during a workflow task, timers that fire and are cancelled."""

import asyncio
from datetime import timedelta

from temporalio import activity, workflow
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest
from temporalio.client import Client

from tests.functional.workers import all_of, events_of, eventually, has_event, names, new_worker, only


@workflow.defn
class Collect:
    """Returns what signals brought, once `done` came."""

    def __init__(self) -> None:
        self._seen: list[str] = []
        self._done = False

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.wait_condition(lambda: self._done)
        return self._seen

    @workflow.signal
    def add(self, what: str) -> None:
        self._seen.append(what)

    @workflow.signal
    def done(self) -> None:
        self._done = True


@workflow.defn
class HeldCollect(Collect):
    """Collects, after a local activity that holds the first workflow task."""

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.execute_local_activity("hold", start_to_close_timeout=timedelta(seconds=60))
        return await super().run()


@workflow.defn
class HeldShort:
    """Returns what signals brought while a local activity held the first workflow task."""

    def __init__(self) -> None:
        self._seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        await workflow.execute_local_activity("hold", start_to_close_timeout=timedelta(seconds=60))
        return self._seen

    @workflow.signal
    def add(self, what: str) -> None:
        self._seen.append(what)


class Gate:
    """A local activity that a test lets end."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()

    @activity.defn(name="hold")
    async def hold(self) -> None:
        self.entered.set()
        await self.opened.wait()


@workflow.defn
class Sleep:
    """Sleeps."""

    @workflow.run
    async def run(self, seconds: float) -> float:
        before = workflow.now()
        await asyncio.sleep(seconds)
        return (workflow.now() - before).total_seconds()


@workflow.defn
class Impatient:
    """Waits for a signal, with a timer as its patience, and says which came."""

    def __init__(self) -> None:
        self._called = False

    @workflow.run
    async def run(self, patience: float) -> str:
        try:
            await workflow.wait_condition(lambda: self._called, timeout=timedelta(seconds=patience))
        except TimeoutError:
            return "timer"
        return "signal"

    @workflow.signal
    def call(self) -> None:
        self._called = True


@workflow.defn
class Timers:
    """Starts timers of several lengths at once and returns them in the order they fired."""

    @workflow.run
    async def run(self, lengths: list[float]) -> list[float]:
        fired: list[float] = []

        async def one(length: float) -> None:
            await asyncio.sleep(length)
            fired.append(length)

        await asyncio.gather(*(one(length) for length in lengths))
        return fired


async def test_signals_arrive_in_order(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Collect]):
        handle = await client.start_workflow(Collect.run, id=workflow_id, task_queue=task_queue)
        for number in range(20):
            await handle.signal(Collect.add, str(number))
        await handle.signal(Collect.done)
        assert await handle.result() == [str(number) for number in range(20)]


async def test_signals_sent_before_a_worker_exists_are_in_the_first_workflow_task(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    handle = await client.start_workflow(Collect.run, id=workflow_id, task_queue=task_queue)
    await handle.signal(Collect.add, "early")
    await handle.signal(Collect.done)
    async with new_worker(client, task_queue, workflows=[Collect]):
        assert await handle.result() == ["early"]
    assert names(await events_of(handle)) == [
        "WORKFLOW_EXECUTION_STARTED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_EXECUTION_SIGNALED",
        "WORKFLOW_EXECUTION_SIGNALED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "WORKFLOW_EXECUTION_COMPLETED",
    ]


async def test_a_signal_during_a_workflow_task_follows_it(client: Client, task_queue: str, workflow_id: str) -> None:
    gate = Gate()
    async with new_worker(client, task_queue, workflows=[HeldCollect], activities=[gate.hold]):
        handle = await client.start_workflow(HeldCollect.run, id=workflow_id, task_queue=task_queue)
        await gate.entered.wait()
        await handle.signal(Collect.add, "meanwhile")
        assert not await has_event(handle, "WORKFLOW_EXECUTION_SIGNALED")
        gate.opened.set()
        await handle.signal(Collect.done)
        assert await handle.result() == ["meanwhile"]
    assert names(await events_of(handle))[:6] == [
        "WORKFLOW_EXECUTION_STARTED",
        "WORKFLOW_TASK_SCHEDULED",
        "WORKFLOW_TASK_STARTED",
        "WORKFLOW_TASK_COMPLETED",
        "MARKER_RECORDED",
        "WORKFLOW_EXECUTION_SIGNALED",
    ]


async def test_a_workflow_does_not_complete_past_a_signal_it_has_not_seen(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    gate = Gate()
    async with new_worker(client, task_queue, workflows=[HeldShort], activities=[gate.hold]):
        handle = await client.start_workflow(HeldShort.run, id=workflow_id, task_queue=task_queue)
        await gate.entered.wait()
        await handle.signal(HeldShort.add, "last word")
        gate.opened.set()
        assert await handle.result() == ["last word"]
    failed = only(await events_of(handle), "WORKFLOW_TASK_FAILED").workflow_task_failed_event_attributes
    assert failed.failure.message == "UnhandledCommand"


async def test_a_signal_with_a_known_request_id_counts_once(client: Client, task_queue: str, workflow_id: str) -> None:
    handle = await client.start_workflow(Collect.run, id=workflow_id, task_queue=task_queue)
    request = SignalWorkflowExecutionRequest(
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id=workflow_id),
        signal_name="done",
        request_id="the same",
    )
    await client.workflow_service.signal_workflow_execution(request)
    await client.workflow_service.signal_workflow_execution(request)
    async with new_worker(client, task_queue, workflows=[Collect]):
        assert await handle.result() == []
    assert len(all_of(await events_of(handle), "WORKFLOW_EXECUTION_SIGNALED")) == 1


async def test_a_timer_fires(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Sleep]):
        handle = await client.start_workflow(Sleep.run, 0.2, id=workflow_id, task_queue=task_queue)
        assert await handle.result() >= 0.2
    events = await events_of(handle)
    started, fired = only(events, "TIMER_STARTED"), only(events, "TIMER_FIRED")
    length = started.timer_started_event_attributes.start_to_fire_timeout.ToTimedelta()
    assert length == timedelta(seconds=0.2)
    assert fired.event_time.ToDatetime() - started.event_time.ToDatetime() >= length
    assert fired.timer_fired_event_attributes.started_event_id == started.event_id


async def test_timers_fire_in_the_order_of_their_times(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Timers]):
        handle = await client.start_workflow(Timers.run, [0.4, 0.1, 0.3, 0.2], id=workflow_id, task_queue=task_queue)
        assert await handle.result() == [0.1, 0.2, 0.3, 0.4]


async def test_a_timer_that_is_not_needed_any_more_is_cancelled(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Impatient, Sleep]):
        handle = await client.start_workflow(Impatient.run, 3600.0, id=workflow_id, task_queue=task_queue)
        await eventually(lambda: has_event(handle, "TIMER_STARTED"))
        await handle.signal(Impatient.call)
        assert await handle.result() == "signal"
        other = await client.start_workflow(Impatient.run, 0.1, id=f"{workflow_id}-2", task_queue=task_queue)
        assert await other.result() == "timer"
    assert not all_of(await events_of(handle), "TIMER_FIRED")


async def test_a_timer_goes_on_without_a_worker(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Sleep]):
        handle = await client.start_workflow(Sleep.run, 0.5, id=workflow_id, task_queue=task_queue)
        await eventually(lambda: has_event(handle, "TIMER_STARTED"))
    await eventually(lambda: has_event(handle, "TIMER_FIRED"))
    async with new_worker(client, task_queue, workflows=[Sleep]):
        assert await handle.result() >= 0.5
