"""Runs are removed from every table at once, also when the process that promised it is gone."""

from functools import partial

import pytest
from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.enums.v1 import WorkflowExecutionStatus
from temporalio.api.workflowservice.v1 import DeleteWorkflowExecutionRequest

from orchestrator.core.transfers import TransferKind
from orchestrator.errors import NotFound
from orchestrator.services.delete_workflow import delete_workflow_execution
from orchestrator.services.engine import Prepared
from orchestrator.services.transfer_kinds import pay
from tests.store import consistency
from tests.store.conftest import Opened
from tests.store.faults import Faulty
from tests.store.process import ALIAS, Process, until
from tests.store.rows import counts, creation, run_key, transfer, workflow_key

DELETE = int(TransferKind.DELETE)


def delete(process: Process, workflow_id: str, run_id: str = "") -> Prepared[object]:
    """DeleteWorkflowExecution."""
    request = DeleteWorkflowExecutionRequest(
        namespace="default", workflow_execution=WorkflowExecution(workflow_id=workflow_id, run_id=run_id)
    )
    return delete_workflow_execution(process.engine, process.namespace, request)


def payer(faulty: Faulty) -> Process:
    """A process that pays debts, its own and those of others."""
    process = Process(type(faulty)(ALIAS, faulty.shard_count))
    process.engine.transfers.pay = partial(pay, process.engine)
    return process


def empty() -> bool:
    """Whether no table has a row."""
    return not any(counts(ALIAS).values())


def test_an_open_run_is_ended_at_once_and_removed_by_whoever_is_there(process: Process, faulty: Faulty) -> None:
    started = process.do(process.start("w"))
    process.do(delete(process, "w"))
    process.do(delete(process, "w"))
    info = process.do(process.describe("w")).workflow_execution_info
    assert info.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED
    consistency.check_database()
    with payer(faulty):
        until(empty)
    for run_id in ("", started.response.run_id):
        with pytest.raises(NotFound):
            process.do(process.describe("w", run_id))
        with pytest.raises(NotFound):
            process.do(delete(process, "w", run_id))
    again = process.do(process.start("w"))
    assert again.response.run_id != started.response.run_id
    consistency.check_database()


def test_an_earlier_run_goes_and_the_current_one_stays(process: Process, faulty: Faulty) -> None:
    first = process.do(process.start("w")).response.run_id
    process.do(process.terminate("w"))
    second = process.do(process.start("w")).response.run_id
    process.do(delete(process, "w", first))
    with payer(faulty):
        until(lambda: counts(ALIAS)["execution"] == 1)
    assert process.do(process.describe("w")).workflow_execution_info.execution.run_id == second
    with pytest.raises(NotFound):
        process.do(process.describe("w", first))
    consistency.check_database()


def test_a_process_that_knows_a_run_forgets_it(process: Process, faulty: Faulty) -> None:
    """It has the open state in its cache while another process ends and removes the run."""
    process.do(process.start("w"))
    process.do(process.signal("w"))
    with payer(faulty) as other:
        other.do(delete(other, "w"))
        until(empty)
    with pytest.raises(NotFound):
        process.do(process.signal("w"))
    assert empty()


def test_all_rows_of_a_run_go_and_no_others(opened: Opened) -> None:
    before = opened.counts()
    kept, gone = run_key(), run_key()
    workflow = workflow_key(shard=gone.shard_id)
    opened.write(creation(kept))
    with_one = opened.counts()
    changes = creation(gone, workflow)
    changes.transfers.append(transfer(gone, 0)._replace(kind=DELETE))
    opened.write(changes)
    assert opened.store.remove_run(workflow, gone, DELETE, None)
    assert opened.counts() == with_one != before
    assert opened.store.remove_run(workflow, gone, DELETE, None)


def test_a_run_stays_while_it_owes_others_something(opened: Opened) -> None:
    run = run_key()
    workflow = workflow_key(shard=run.shard_id)
    changes = creation(run, workflow)
    changes.transfers += [transfer(run, 0)._replace(kind=DELETE), transfer(run, 5)]
    opened.write(changes)
    before = opened.counts()
    assert not opened.store.remove_run(workflow, run, DELETE, None)
    assert opened.counts() == before
