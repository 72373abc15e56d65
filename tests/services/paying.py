"""A server process that pays what runs owe, without transports: raw calls in, stored rows and histories out."""

import uuid
from contextlib import suppress
from functools import partial

from temporalio.api.command.v1 import Command
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.history.v1 import HistoryEvent
from temporalio.api.taskqueue.v1 import TaskQueue
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest, ResetWorkflowExecutionRequest

from orchestrator.conf import HugoSettings
from orchestrator.core.transfers import TransferKind
from orchestrator.models import CurrentExecution, Execution, TransferTask
from orchestrator.services.bootstrap import check_database
from orchestrator.services.composition import store_of
from orchestrator.services.delete_workflow import delete_workflow_execution
from orchestrator.services.reset_workflow import reset_workflow_execution
from orchestrator.services.transfer_kinds import KINDS, pay
from orchestrator.store.ports import Transfer
from tests.core import builders as build
from tests.core.simulation import name_of
from tests.store.consistency import current_run, events_of
from tests.store.process import ALIAS, Process, until
from tests.support.mortal import Mortal

NOTHING = build.record_marker()
"""What a workflow does that goes on."""


class Paying(Process):
    """A process whose workflows have a task queue each, named as they are.

    Args:
        pays: whether debts are paid; if not, they stay, as if the process died before.
        settings: of the library.
    """

    def __init__(self, *, pays: bool = True, settings: HugoSettings | None = None) -> None:
        super().__init__(store_of(ALIAS, check_database(ALIAS).shard_count), settings)
        if pays:
            self.engine.transfers.pay = partial(pay, self.engine)

    def begin_workflow(self, workflow_id: str) -> str:
        """Starts a workflow on a queue of its own; returns its run id."""
        run_id: str = self.do(self.start(workflow_id, workflow_id)).response.run_id
        return run_id

    def turn(self, workflow_id: str, *commands: Command) -> None:
        """A worker takes and completes the workflow task."""
        self.complete(self.poll(workflow_id).task_token, *commands or [NOTHING])

    def pay_in_part(self, kind: TransferKind, workflow_id: str, steps: int) -> None:
        """Takes some steps of the payment of the oldest such debt, and leaves it at that."""
        rows = TransferTask.objects.filter(kind=kind, workflow_id=workflow_id).order_by("id")
        row = rows.values_list(*Transfer._fields)[0]
        transfer = Transfer(*row)._replace(namespace_id=str(row[1]), run_id=str(row[3]))
        with suppress(Ended):
            self.run(KINDS[kind](Mortal(self.engine, steps, end), transfer))  # type: ignore[arg-type]

    def reset(self, workflow_id: str, finish_event_id: int) -> str:
        """Resets the current run to a workflow task; returns the id of the new one."""
        request = ResetWorkflowExecutionRequest(
            namespace="default",
            workflow_execution=WorkflowExecution(workflow_id=workflow_id),
            reason="test",
            workflow_task_finish_event_id=finish_event_id,
            request_id=str(uuid.uuid4()),
        )
        return self.do(reset_workflow_execution(self.engine, self.namespace, request)).run_id

    def remove(self, workflow_id: str) -> None:
        """Deletes the current run, and returns once it is gone."""
        execution = WorkflowExecution(workflow_id=workflow_id, run_id=current_run(workflow_id))
        request = DeleteWorkflowExecutionRequest(namespace="default", workflow_execution=execution)
        self.do(delete_workflow_execution(self.engine, self.namespace, request))
        until(lambda: not Execution.objects.filter(run_id=execution.run_id).exists(), "the removal")


class Ended(Exception):
    """A payment was left at what is done of it."""


def end() -> None:
    """Leaves it."""
    raise Ended


def child(workflow_id: str = "child", **fields: object) -> Command:
    """StartChildWorkflowExecution, with a queue of its own."""
    return build.start_child(workflow_id, task_queue=TaskQueue(name=workflow_id), **fields)


def story(workflow_id: str, run_id: str = "") -> list[str]:
    """The names of the events of a run; of the current one without a run id."""
    return [name_of(event) for event in events_of(run_id or current_run(workflow_id))]


def last(workflow_id: str, name: str) -> HistoryEvent:
    """The latest event of a type in the current run."""
    return next(event for event in reversed(events_of(current_run(workflow_id))) if name_of(event) == name)


def wait_for(workflow_id: str, name: str, count: int = 1) -> None:
    """Returns once an event is in the history of the current run as often."""
    until(lambda: exists(workflow_id) and story(workflow_id).count(name) >= count, f"{name} of {workflow_id}")


def exists(workflow_id: str) -> bool:
    """Whether there was ever such a workflow."""
    return CurrentExecution.objects.filter(workflow_id=workflow_id).exists()


def owed() -> list[int]:
    """The kinds of all debts there are, in their order."""
    return list(TransferTask.objects.order_by("id").values_list("kind", flat=True))


def wait_until_nothing_is_owed() -> None:
    """Returns once all debts are paid."""
    until(lambda: not owed(), "the payment of all debts")
