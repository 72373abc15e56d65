"""Removes a run from every table, in one transaction, on every database."""

from typing import Any

from django.db import connections, transaction
from django.db.models import Model

from orchestrator.models import (
    CurrentExecution,
    DispatchTask,
    Execution,
    HistoryNode,
    SignalRequests,
    TimerTask,
    TransferTask,
    VisibilityRecord,
)
from orchestrator.store.fencing_sql import hold
from orchestrator.store.ports import Fence, RunKey, WorkflowKey

_OF_A_RUN: tuple[type[Model], ...] = (
    Execution,
    SignalRequests,
    DispatchTask,
    TimerTask,
    TransferTask,
    VisibilityRecord,
)


def remove_run(alias: str, workflow: WorkflowKey, run: RunKey, but_for: int, fence: Fence | None) -> bool:
    """Removes the rows of a run, and the workflow id's if the run is still its current one.

    Args:
        alias: of the database.
        workflow: whose run it is.
        run: closed, or gone already.
        but_for: the kind of its own debt that asks for the removal.
        fence: the lease under which it is removed; None where a process is alone.

    Returns:
        False, and nothing is removed, while the run owes others something else.

    Raises:
        LeaseLost: the fence is over.
    """

    def rows(model: type[Model], **fields: Any) -> Any:
        return model._default_manager.using(alias).filter(shard_id=run.shard_id, **fields)

    with transaction.atomic(using=alias):
        if fence is not None:
            hold(connections[alias], [fence])
        # The order in which commits lock rows.
        rows(
            CurrentExecution,
            namespace_id=workflow.namespace_id,
            workflow_id=workflow.workflow_id,
            run_id=run.run_id,
        ).delete()
        if rows(TransferTask, run_id=run.run_id).exclude(kind=but_for).exists():
            transaction.set_rollback(True, using=alias)
            return False
        for model in _OF_A_RUN:
            rows(model, run_id=run.run_id).delete()
        rows(HistoryNode, branch_id=run.run_id).delete()
    return True
