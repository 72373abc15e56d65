"""The server is killed between the halves of every effect between runs: nothing is lost, nothing is done twice."""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import pytest
from pytest_django import DjangoDbBlocker
from temporalio import workflow
from temporalio.client import Client, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import RetryPolicy
from temporalio.exceptions import ApplicationError
from temporalio.workflow import ParentClosePolicy

from orchestrator.core.transfers import TransferKind
from orchestrator.models import TransferTask
from tests.functional.conftest import new_database
from tests.functional.stored import check_stored
from tests.functional.workers import events_of, eventually, insist, names, new_worker
from tests.support.databases import Databases, alias
from tests.support.processes import free_port
from tests.support.server import Server

SOON = timedelta(seconds=1)
"""The timeout of workflow tasks: a worker may have got one from the server that died, or rather not have got it."""
_K = TransferKind


@workflow.defn
class Other:
    """A child, or a workflow to be signalled or cancelled."""

    @workflow.run
    async def run(self, how: str) -> str:
        if how == "wait":
            await workflow.wait_condition(lambda: False)
        if how == "retry" and workflow.info().attempt == 1:
            raise ApplicationError("not yet")
        if how == "continue" and not workflow.info().continued_run_id:
            workflow.continue_as_new(how)
        return "done"

    @workflow.signal
    def hello(self) -> None:
        """Changes nothing."""


@workflow.defn
class Asking:
    """Asks one thing of another workflow."""

    @workflow.run
    async def run(self, what: str, other: str) -> str:
        match what:
            case "signal":
                await workflow.get_external_workflow_handle(other).signal("hello")
            case "cancel":
                await workflow.get_external_workflow_handle(other).cancel()
            case "terminate" | "request_cancel" | "abandon":
                policy = ParentClosePolicy[what.upper()]
                await workflow.start_child_workflow(
                    Other.run, "wait", id=other, parent_close_policy=policy, task_timeout=SOON
                )
            case _:
                retries = RetryPolicy(initial_interval=timedelta(milliseconds=1)) if what == "retry" else None
                return await workflow.execute_child_workflow(
                    Other.run, what, id=other, retry_policy=retries, task_timeout=SOON
                )
        return "asked"


class MortalServer(Server):
    """A server that ends at the next moment of the kind it is told."""

    def command(self) -> list[str]:
        """See Server."""
        python, _, *rest = super().command()
        return [python, "-m", "tests.functional.mortal_server", str(self.order), *rest]

    def _environment(self) -> dict[str, str]:
        # Its next life waits for the end of this one's lease.
        return super()._environment() | {"HUGO_SHARD_LEASE": "1"}

    @property
    def order(self) -> Path:
        """The file it is told in."""
        return self.directory / "order"

    def die_at(self, kind: TransferKind, steps: int, payer: str) -> None:
        """Tells it."""
        self.order.write_text(f"{int(kind)} {steps} {payer}")

    async def rise(self) -> None:
        """Waits until it is dead, and starts it again."""
        assert self.process is not None
        await asyncio.to_thread(self.process.wait, 30)
        self.order.unlink()
        await asyncio.to_thread(self.start)


@dataclass(frozen=True)
class Moment:
    """When the server dies: so many steps into paying a debt of `payer`, the workflow that asks or the other one."""

    what: str
    kind: TransferKind
    steps: int
    payer: str = "asking"

    def __str__(self) -> str:
        return f"{self.what}-{self.kind.name.lower()}-{self.steps}"


def moments(what: str, kind: TransferKind, *steps: int, payer: str = "asking") -> list[Moment]:
    """One for each number of steps."""
    return [Moment(what, kind, each, payer) for each in steps]


MOMENTS = [
    # Asked, the child born, its parent told, the child released.
    *moments("complete", _K.START_CHILD, 0, 2, 3, 4),
    # Looked up, the other one reached, the sender told.
    *moments("signal", _K.SIGNAL_EXTERNAL, 0, 2, 3),
    *moments("cancel", _K.CANCEL_EXTERNAL, 0, 2, 3),
    # Looked up, the parent told, the debt removed.
    *moments("complete", _K.CLOSE, 0, 2, 3, payer="other"),
    # Looked up, the child seen to, the debt removed.
    *moments("terminate", _K.CLOSE, 0, 2, 3),
    *moments("request_cancel", _K.CLOSE, 0, 2, 3),
    *moments("abandon", _K.START_CHILD, 2, 3),
    # Children that go on in another run.
    *moments("continue", _K.START_CHILD, 2, 3),
    *moments("continue", _K.CLOSE, 0, 2, 3, payer="other"),
    *moments("retry", _K.START_CHILD, 2, 3),
    *moments("retry", _K.CLOSE, 0, 2, 3, payer="other"),
]
BEGUN = ["START_CHILD_WORKFLOW_EXECUTION_INITIATED", "CHILD_WORKFLOW_EXECUTION_STARTED"]
ENDED = [*BEGUN, "CHILD_WORKFLOW_EXECUTION_COMPLETED"]
_S = WorkflowExecutionStatus
OUTCOMES: dict[str, tuple[list[str], list[WorkflowExecutionStatus]]] = {
    "complete": (ENDED, [_S.COMPLETED]),
    "continue": (ENDED, [_S.CONTINUED_AS_NEW, _S.COMPLETED]),
    "retry": (ENDED, [_S.FAILED, _S.COMPLETED]),
    "signal": (
        ["SIGNAL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED", "EXTERNAL_WORKFLOW_EXECUTION_SIGNALED"],
        [_S.RUNNING],
    ),
    "cancel": (
        [
            "REQUEST_CANCEL_EXTERNAL_WORKFLOW_EXECUTION_INITIATED",
            "EXTERNAL_WORKFLOW_EXECUTION_CANCEL_REQUESTED",
        ],
        [_S.CANCELED],
    ),
    "terminate": (BEGUN, [_S.TERMINATED]),
    "request_cancel": (BEGUN, [_S.CANCELED]),
    "abandon": (BEGUN, [_S.RUNNING]),
}
"""What the one that asks has in its history of the other, and how the runs of the other end."""


@pytest.fixture(scope="module", params=["sqlite", "mariadb", "postgres"])
def mortal(
    request: pytest.FixtureRequest,
    databases: Databases,
    tmp_path_factory: pytest.TempPathFactory,
    django_db_blocker: DjangoDbBlocker,
) -> Iterator[MortalServer]:
    """A server that dies once in each test. In the end nothing is owed and everything stored is sound."""
    url = new_database(databases, request, request.param)
    arguments = ("--transport", "aio", "--grpc-port", str(free_port()))
    with MortalServer(tmp_path_factory.mktemp(f"mortal-{request.param}"), url, arguments) as running:
        yield running
    with django_db_blocker.unblock(), alias(url) as name:
        check_stored(url)
        assert list(TransferTask.objects.using(name).all()) == []
    databases.drop(url)


async def runs_of(client: Client, workflow_id: str) -> list[WorkflowHandle[None, str]]:
    """The runs of a workflow, the earliest first."""
    found = [each async for each in client.list_workflows(f"WorkflowId = '{workflow_id}'")]
    ordered = sorted(found, key=lambda each: each.start_time)
    return [client.get_workflow_handle(each.id, run_id=each.run_id) for each in ordered]


async def statuses(runs: list[WorkflowHandle[None, str]]) -> list[WorkflowExecutionStatus | None]:
    """Theirs."""
    return [(await run.describe()).status for run in runs]


@pytest.mark.parametrize("moment", MOMENTS, ids=str)
async def test_every_effect_takes_place_once(mortal: MortalServer, task_queue: str, moment: Moment) -> None:
    asking_id, other_id = f"asking-{task_queue}", f"other-{task_queue}"
    events, ends = OUTCOMES[moment.what]
    client = await Client.connect(mortal.grpc)
    async with new_worker(client, task_queue, workflows=[Asking, Other]):
        if moment.what in ("signal", "cancel"):
            await client.start_workflow(Other.run, "wait", id=other_id, task_queue=task_queue, task_timeout=SOON)
        mortal.die_at(moment.kind, moment.steps, asking_id if moment.payer == "asking" else other_id)
        asking = await client.start_workflow(
            Asking.run, args=[moment.what, other_id], id=asking_id, task_queue=task_queue, task_timeout=SOON
        )
        await mortal.rise()
        assert await insist(asking.result) in ("asked", "done")

        async def ended() -> bool:
            return await statuses(await runs_of(client, other_id)) == ends

        await eventually(ended, f"{moment}: {ends}")
        runs = await runs_of(client, other_id)
        written = names([event for run in runs for event in await events_of(run)])
        about_other = [each for each in names(await events_of(asking)) if "CHILD" in each or "EXTERNAL" in each]
        assert about_other == events
        assert written.count("WORKFLOW_EXECUTION_SIGNALED") == (moment.what == "signal")
        assert written.count("WORKFLOW_EXECUTION_CANCEL_REQUESTED") == (moment.what in ("cancel", "request_cancel"))
        assert written.count("WORKFLOW_EXECUTION_STARTED") == len(ends)
        if ends == [_S.RUNNING]:
            await runs[0].terminate()
