"""Request ids of signals: in lots beside the state, gone with the run, recognised by whoever has not seen them come."""

from typing import Any

from temporalio.api.common.v1 import WorkflowExecution
from temporalio.api.workflowservice.v1 import SignalWorkflowExecutionRequest

from orchestrator.core.signal_requests import LOT
from orchestrator.models import SignalRequests
from orchestrator.services.change_workflow import signal_workflow_execution
from orchestrator.services.engine import Prepared
from tests.store import consistency
from tests.store.conftest import Opened
from tests.store.consistency import signals
from tests.store.faults import Faulty
from tests.store.process import Process, until
from tests.store.rows import creation, run_key, update
from tests.store.test_deletion import delete, payer

SENT = 5 * LOT


def test_lots_are_read_as_they_were_written(opened: Opened) -> None:
    run, neighbour = run_key(), run_key()
    opened.write(creation(run))
    opened.write(creation(neighbour))
    opened.write(update(run, 2, requests=[(run, 0, b"first"), (run, 1, b"second")]))
    opened.write(update(run, 3, requests=[(run, 2, b"\x00third")]))
    with opened.store.transaction() as session:
        assert session.read_requests(run) == [b"first", b"second", b"\x00third"]
        assert session.read_requests(neighbour) == []


def send(process: Process, number: int) -> Prepared[Any]:
    """The signal with a number."""
    request = SignalWorkflowExecutionRequest(
        namespace="default",
        workflow_execution=WorkflowExecution(workflow_id="w"),
        signal_name=str(number),
        request_id=f"request-{number}",
    )
    return signal_workflow_execution(process.engine, process.namespace, request)


def test_a_repeated_signal_is_recognised_in_its_batch_later_and_by_another_process(
    process: Process, other: Process
) -> None:
    process.do(process.start("w"))
    process.together(*(send(process, number) for number in (*range(SENT), *range(SENT))))
    for sender in (process, other, process):
        sender.do(send(sender, 0))
        sender.together(*(send(sender, number) for number in range(SENT)))
    assert signals("w") == [str(number) for number in range(SENT)]
    assert SignalRequests.objects.count() == 4
    consistency.check_database()
    consistency.check_memory(process)


def test_lots_go_with_the_run(process: Process, faulty: Faulty) -> None:
    process.do(process.start("w"))
    process.together(*(send(process, number) for number in range(SENT)))
    process.do(delete(process, "w"))
    with payer(faulty):
        until(lambda: not SignalRequests.objects.exists())
