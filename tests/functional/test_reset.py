"""Reset: a workflow goes back to one of its workflow tasks, and what later events brought is taken over or not."""

import uuid
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from temporalio import activity, workflow
from temporalio.api.enums.v1 import ResetReapplyExcludeType, ResetReapplyType
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowFailureError, WorkflowHandle, WorkflowUpdateStage
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.account import ADMITTED, Account, opened, stage_of
from tests.functional.resets import completed_tasks, reset
from tests.functional.workers import all_of, events_of, eventually, has_event, names, new_worker, only

ALL, SIGNALS, NOTHING = (
    ResetReapplyType.Value(f"RESET_REAPPLY_TYPE_{name}") for name in ("ALL_ELIGIBLE", "SIGNAL", "NONE")
)
NO_SIGNALS, NO_UPDATES = (
    ResetReapplyExcludeType.Value(f"RESET_REAPPLY_EXCLUDE_TYPE_{name}") for name in ("SIGNAL", "UPDATE")
)


@activity.defn
async def draw() -> str:
    """Something new each time."""
    return str(uuid.uuid4())


@workflow.defn
class Draws:
    """Draws twice, then collects signals and updates until one says `end`; returns all."""

    def __init__(self) -> None:
        self._seen: list[str] = []

    @workflow.run
    async def run(self) -> list[str]:
        drawn = [await workflow.execute_activity(draw, start_to_close_timeout=timedelta(seconds=30)) for _ in "12"]
        await workflow.wait_condition(lambda: "end" in self._seen)
        return drawn + self._seen

    @workflow.signal
    def add(self, what: str) -> None:
        self._seen.append(what)

    @workflow.update
    def put(self, what: str) -> int:
        self._seen.append(what)
        return len(self._seen)


@workflow.defn
class Child:
    """Ends by a signal."""

    def __init__(self) -> None:
        self._end = False

    @workflow.run
    async def run(self) -> str:
        await workflow.wait_condition(lambda: self._end)
        return workflow.info().run_id

    @workflow.signal
    def end(self) -> None:
        self._end = True


@workflow.defn
class Parent:
    """Runs a child, after a signal when it is told to wait for one."""

    def __init__(self) -> None:
        self._go = False

    @workflow.run
    async def run(self, wait: bool) -> str:
        await workflow.wait_condition(lambda: self._go or not wait)
        child = await workflow.start_child_workflow(Child.run, id=f"{workflow.info().workflow_id}-child")
        await workflow.sleep(0.01)
        return await child

    @workflow.signal
    def go(self) -> None:
        self._go = True


async def drawn_twice(client: Client, task_queue: str, workflow_id: str) -> WorkflowHandle[Any, Any]:
    """A workflow that has drawn and waits."""
    handle = await client.start_workflow(Draws.run, id=workflow_id, task_queue=task_queue)

    async def waits() -> bool:
        return len(await completed_tasks(handle)) == 3

    await eventually(waits)
    return client.get_workflow_handle(workflow_id, run_id=handle.result_run_id)


@pytest.mark.parametrize("closed", [False, True], ids=["open", "closed"])
async def test_a_workflow_goes_back_to_one_of_its_tasks(
    closed: bool, client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Draws], activities=[draw]):
        base = await drawn_twice(client, task_queue, workflow_id)
        tasks = await completed_tasks(base)
        if closed:
            await base.signal(Draws.add, "end")
            await base.result()
        fresh = await reset(client, base, tasks[1])
        if not closed:
            await fresh.signal(Draws.add, "end")
        first, second, _ = await fresh.result()
    before, after = await events_of(base), await events_of(fresh)
    kept = tasks[1] - 1
    assert [each.SerializeToString() for each in after[:kept]] == [each.SerializeToString() for each in before[:kept]]
    drawn = [
        str(each.activity_task_completed_event_attributes.result.payloads[0].data, "utf-8").strip('"')
        for each in all_of(before, "ACTIVITY_TASK_COMPLETED")
    ]
    assert first == drawn[0]
    assert second != drawn[1]
    failed = only(after, "WORKFLOW_TASK_FAILED").workflow_task_failed_event_attributes
    assert (failed.base_run_id, failed.new_run_id, failed.failure.message) == (base.run_id, fresh.run_id, "try again")
    status = (await base.describe()).status
    assert status == (WorkflowExecutionStatus.COMPLETED if closed else WorkflowExecutionStatus.TERMINATED)
    assert (await client.get_workflow_handle(workflow_id).describe()).run_id == fresh.run_id


@pytest.mark.parametrize(
    ("reapply", "excluded", "kept"),
    [
        (ALL, [], ["signal", "update"]),
        (SIGNALS, [], ["signal"]),
        (NOTHING, [], []),
        (ALL, [NO_SIGNALS], ["update"]),
        (ALL, [NO_UPDATES], ["signal"]),
        (ALL, [NO_SIGNALS, NO_UPDATES], []),
    ],
    ids=["all", "signals", "nothing", "without signals", "without updates", "without both"],
)
async def test_what_came_later_is_taken_over_as_asked(
    reapply: int, excluded: Sequence[int], kept: list[str], client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Draws], activities=[draw]):
        base = await drawn_twice(client, task_queue, workflow_id)
        await base.signal(Draws.add, "signal")
        await base.execute_update(Draws.put, "update", id="the-update")
        fresh = await reset(
            client,
            base,
            (await completed_tasks(base))[0],
            reset_reapply_type=reapply,
            reset_reapply_exclude_types=excluded,
        )
        await fresh.signal(Draws.add, "end")
        seen = (await fresh.result())[2:]
    assert seen == [*kept, "end"]
    assert names(await events_of(fresh)).count("WORKFLOW_EXECUTION_UPDATE_ADMITTED") == kept.count("update")


async def test_a_reset_reaches_back_through_a_reset(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Draws], activities=[draw]):
        base = await drawn_twice(client, task_queue, workflow_id)
        await base.signal(Draws.add, "first")
        once = await reset(client, base, (await completed_tasks(base))[0])
        await once.signal(Draws.add, "second")
        twice = await reset(client, once, (await completed_tasks(base))[0])
        await twice.signal(Draws.add, "end")
        assert (await twice.result())[2:] == ["first", "second", "end"]
    started = (await events_of(twice))[0].workflow_execution_started_event_attributes
    assert started.original_execution_run_id == base.run_id


async def test_a_repeated_request_resets_once(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Draws], activities=[draw]):
        base = await drawn_twice(client, task_queue, workflow_id)
        tasks = await completed_tasks(base)
        one = await reset(client, base, tasks[0], request_id="the same")
        other = await reset(client, base, tasks[0], request_id="the same")
        assert one.run_id == other.run_id
        await one.terminate()


@pytest.mark.parametrize("event_id", [0, 1, 1000])
async def test_an_event_that_ends_no_task_is_refused(
    event_id: int, client: Client, task_queue: str, workflow_id: str
) -> None:
    handle = await client.start_workflow(Draws.run, id=workflow_id, task_queue=task_queue)
    with pytest.raises(RPCError, match="Workflow task finish ID must be") as raised:
        await reset(client, handle, event_id)
    assert raised.value.status == RPCStatusCode.INVALID_ARGUMENT
    assert (await handle.describe()).status == WorkflowExecutionStatus.RUNNING
    await handle.terminate()


async def test_updates_that_wait_are_answered_by_the_new_run(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        base = client.get_workflow_handle_for(Account.run, workflow_id, run_id=handle.result_run_id)
        await base.execute_update(Account.deposit, 1)
        await base.start_update(Account.transfer, 5, id="accepted", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        fresh = await reset(client, base, (await completed_tasks(base))[0])
        await fresh.signal(Account.clear)
        assert await fresh.get_update_handle("accepted", result_type=int).result() == 6
        await fresh.signal(Account.close)
        assert await fresh.result() == 6


async def test_an_update_a_reset_took_over_waits_for_a_worker(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        assert await handle.execute_update(Account.deposit, 1, id="again") == 1
    base: WorkflowHandle[Any, Any] = client.get_workflow_handle(workflow_id, run_id=handle.result_run_id)
    fresh = await reset(client, base, (await completed_tasks(base))[0])
    assert await stage_of(client, workflow_id, "again") == ADMITTED
    async with new_worker(client, task_queue, workflows=[Account]):
        assert await fresh.get_update_handle("again", result_type=int).result() == 1
        await fresh.terminate()


async def test_a_child_from_before_the_reset_answers_the_new_run(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Parent, Child]):
        handle = await client.start_workflow(Parent.run, False, id=workflow_id, task_queue=task_queue)
        child = client.get_workflow_handle(f"{workflow_id}-child")
        await eventually(lambda: has_event(handle, "TIMER_FIRED"))
        base: WorkflowHandle[Any, Any] = client.get_workflow_handle(workflow_id, run_id=handle.result_run_id)
        child_run = (await child.describe()).run_id
        fresh = await reset(client, base, (await completed_tasks(base))[-1])
        await child.signal(Child.end)
        assert await fresh.result() == child_run
    assert len(all_of(await events_of(fresh), "CHILD_WORKFLOW_EXECUTION_STARTED")) == 1


async def test_a_child_from_after_the_reset_keeps_its_id(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Parent, Child]):
        handle = await client.start_workflow(Parent.run, True, id=workflow_id, task_queue=task_queue)
        await eventually(lambda: has_event(handle, "WORKFLOW_TASK_COMPLETED"))
        await handle.signal(Parent.go)
        await eventually(lambda: has_event(handle, "TIMER_FIRED"))
        base: WorkflowHandle[Any, Any] = client.get_workflow_handle(workflow_id, run_id=handle.result_run_id)
        fresh = await reset(client, base, (await completed_tasks(base))[0])
        with pytest.raises(WorkflowFailureError):
            await fresh.result()
    only(await events_of(fresh), "START_CHILD_WORKFLOW_EXECUTION_FAILED")
    child = client.get_workflow_handle(f"{workflow_id}-child")
    assert (await child.describe()).status == WorkflowExecutionStatus.RUNNING
    await child.terminate()
