"""Updates in the hard moments of a run: a server that restarts, a worker that stops, a run that closes or continues."""

import asyncio
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker
from temporalio import activity, workflow
from temporalio.client import Client, WorkflowUpdateFailedError, WorkflowUpdateStage
from temporalio.exceptions import ApplicationError
from temporalio.service import RPCError, RPCStatusCode

from tests.functional.account import ACCEPTED, ADMITTED, Account, opened, stage_of
from tests.functional.stored import check_stored
from tests.functional.workers import all_of, events_of, eventually, names, new_worker, only
from tests.support.processes import free_port
from tests.support.server import Server


@workflow.defn
class Closing:
    """Holds its first workflow task, then closes as it is told to; a run that was continued waits for an update."""

    def __init__(self) -> None:
        self._seen = ""

    @workflow.run
    async def run(self, how: str) -> str:
        if how == "continued":
            await workflow.wait_condition(lambda: bool(self._seen))
            return self._seen
        await workflow.execute_local_activity("hold", start_to_close_timeout=timedelta(hours=1))
        if how == "continue":
            workflow.continue_as_new("continued")
        if how == "fail":
            raise ApplicationError("as told")
        return how

    @workflow.update
    def quick(self, what: str) -> str:
        self._seen = what
        return f"{what} in {workflow.info().run_id}"


@workflow.defn
class Faulty:
    """Fails the task of its update a few times, as a bug in its code would."""

    left = 0

    @workflow.run
    async def run(self) -> None:
        await workflow.wait_condition(lambda: False)

    @workflow.update
    def mend(self) -> str:
        if Faulty.left:
            Faulty.left -= 1
            raise RuntimeError("a bug")
        return "mended"


class Gate:
    """A local activity that a test lets end."""

    def __init__(self) -> None:
        self.entered = asyncio.Event()
        self.opened = asyncio.Event()

    @activity.defn(name="hold")
    async def hold(self) -> None:
        self.entered.set()
        await self.opened.wait()


async def reaches(client: Client, workflow_id: str, update_id: str, stage: int) -> None:
    """Returns when an update has a stage."""

    async def there() -> bool:
        return await stage_of(client, workflow_id, update_id) == stage

    await eventually(there, f"stage {stage} of {update_id}")


@pytest.mark.parametrize("killed", [False, True], ids=["drained", "killed"])
async def test_an_admitted_update_survives_a_restart_of_the_server(
    killed: bool, fresh_database: str, tmp_path: Path, task_queue: str, django_db_blocker: DjangoDbBlocker
) -> None:
    server = Server(tmp_path, fresh_database, ("--grpc-port", str(free_port())))
    with server:
        client = await Client.connect(server.grpc)
        idle = await client.start_workflow(Account.run, id="idle", task_queue=task_queue)
        begun = await client.start_workflow(Account.run, id="begun", task_queue=task_queue)
        async with new_worker(client, task_queue, workflows=[Account]):
            await begun.execute_update(Account.deposit, 1)
            await begun.start_update(Account.transfer, 2, id="accepted", wait_for_stage=WorkflowUpdateStage.ACCEPTED)
            await idle.execute_update(Account.deposit, 1)
        calls = [asyncio.create_task(run.execute_update(Account.deposit, 5, id="admitted")) for run in (idle, begun)]
        for run in (idle, begun):
            await reaches(client, run.id, "admitted", ADMITTED)
        for call in calls:
            call.cancel()
        await asyncio.wait(calls)
        await asyncio.to_thread(server.kill if killed else server.stop)
        await asyncio.to_thread(server.start)
        client = await Client.connect(server.grpc)
        for run_id in ("idle", "begun"):
            assert await stage_of(client, run_id, "admitted") == ADMITTED
        assert await stage_of(client, "begun", "accepted") == ACCEPTED
        async with new_worker(client, task_queue, workflows=[Account]):
            idle, begun = (client.get_workflow_handle_for(Account.run, run_id) for run_id in ("idle", "begun"))
            assert await idle.get_update_handle("admitted", result_type=int).result() == 6
            assert await begun.get_update_handle("admitted", result_type=int).result() == 6
            await begun.signal(Account.clear)
            assert await begun.get_update_handle("accepted", result_type=int).result() == 8
    with django_db_blocker.unblock():
        await asyncio.to_thread(check_stored, fresh_database)


async def test_an_update_goes_to_the_worker_that_is_there(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        assert await handle.execute_update(Account.deposit, 5) == 5
    waiting = asyncio.create_task(handle.execute_update(Account.deposit, 6, id="between"))
    await reaches(client, workflow_id, "between", ADMITTED)
    async with new_worker(client, task_queue, workflows=[Account]):
        assert await waiting == 11
        await handle.terminate()


@pytest.mark.parametrize("how", ["complete", "fail", "terminate"])
async def test_an_update_no_worker_has_seen_is_refused_when_its_run_closes(
    how: str, client: Client, task_queue: str, workflow_id: str
) -> None:
    gate = Gate()
    async with new_worker(client, task_queue, workflows=[Closing], activities=[gate.hold]):
        handle = await client.start_workflow(Closing.run, how, id=workflow_id, task_queue=task_queue)
        await gate.entered.wait()
        waiting = asyncio.create_task(handle.execute_update(Closing.quick, "word", id="late"))
        await reaches(client, workflow_id, "late", ADMITTED)
        if how == "terminate":
            await handle.terminate()
        gate.opened.set()
        with pytest.raises(RPCError, match="workflow update was aborted by closing workflow") as raised:
            await waiting
    assert raised.value.status == RPCStatusCode.NOT_FOUND
    assert await stage_of(client, workflow_id, "late") is None


async def test_an_update_accepted_by_a_run_that_is_terminated_fails(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        update = await handle.start_update(Account.transfer, 5, wait_for_stage=WorkflowUpdateStage.ACCEPTED)
        await handle.terminate()
        with pytest.raises(WorkflowUpdateFailedError) as raised:
            await update.result()
    assert isinstance(raised.value.cause, ApplicationError)
    assert raised.value.cause.type == "AcceptedUpdateCompletedWorkflow"


async def test_an_update_admitted_by_a_run_that_continues_reaches_the_next_run(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    gate = Gate()
    async with new_worker(client, task_queue, workflows=[Closing], activities=[gate.hold]):
        handle = await client.start_workflow(Closing.run, "continue", id=workflow_id, task_queue=task_queue)
        await gate.entered.wait()
        waiting = asyncio.create_task(handle.execute_update(Closing.quick, "word", id="over"))
        await reaches(client, workflow_id, "over", ADMITTED)
        gate.opened.set()
        seen = await waiting
        assert await handle.result() == "word"
    last = await client.get_workflow_handle(workflow_id).describe()
    assert seen == f"word in {last.run_id}"
    assert last.run_id != handle.result_run_id
    for run_id, accepted in ((handle.result_run_id, 0), (last.run_id, 1)):
        run = client.get_workflow_handle(workflow_id, run_id=run_id)
        assert len(all_of(await events_of(run), "WORKFLOW_EXECUTION_UPDATE_ACCEPTED")) == accepted


async def test_a_closed_run_takes_no_update(client: Client, task_queue: str, workflow_id: str) -> None:
    async with new_worker(client, task_queue, workflows=[Account]):
        handle = await opened(client, task_queue, workflow_id)
        await handle.signal(Account.close)
        await handle.result()
        with pytest.raises(RPCError) as raised:
            await handle.execute_update(Account.deposit, 5)
    assert raised.value.status == RPCStatusCode.NOT_FOUND


async def test_an_update_waits_for_a_workflow_task_that_fails(
    client: Client, task_queue: str, workflow_id: str
) -> None:
    Faulty.left = 1
    async with new_worker(client, task_queue, workflows=[Faulty]):
        handle = await client.start_workflow(Faulty.run, id=workflow_id, task_queue=task_queue)
        assert await handle.execute_update(Faulty.mend) == "mended"
        await handle.terminate()
    failed = only(await events_of(handle), "WORKFLOW_TASK_FAILED").workflow_task_failed_event_attributes
    assert failed.failure.message == "a bug"
    assert names(await events_of(handle)).count("WORKFLOW_EXECUTION_UPDATE_ACCEPTED") == 1
