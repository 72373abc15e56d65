"""A start takes an unknown workflow id for new; the commit finds out when it was not."""

import pytest
from temporalio.api.enums.v1 import WorkflowIdReusePolicy

from orchestrator.errors import WorkflowExecutionAlreadyStarted
from orchestrator.models import Execution
from orchestrator.store.transition import Unit
from tests.store import consistency
from tests.store.process import Process


def test_an_id_of_a_closed_run_is_started_again(process: Process) -> None:
    first = process.do(process.start("w")).response.run_id
    process.do(process.terminate("w"))
    second = process.do(process.start("w")).response.run_id
    assert consistency.current_run("w") == second != first
    assert process.engine.unit_of_work.counters.operations == 3
    consistency.check_database()
    consistency.check_memory(process)


def test_a_wrong_guess_disturbs_no_other_call_of_the_batch(process: Process, other: Process) -> None:
    process.do(process.start("v"))
    other.do(other.start("w"))
    taken, signalled, fresh, again = process.together(
        process.start("w"), process.signal("v", "once"), process.start("u"), process.signal("u", "too")
    )
    assert isinstance(taken, WorkflowExecutionAlreadyStarted)
    assert [result for result in (signalled, fresh, again) if isinstance(result, BaseException)] == []
    assert consistency.signals("v") == ["once"]
    assert consistency.signals("u") == ["too"]
    assert Execution.objects.count() == 3
    consistency.check_database()
    consistency.check_memory(process)


def test_a_lane_that_guessed_wrong_looks_first(process: Process) -> None:
    rejecting = WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
    process.do(process.start("w"))
    process.do(process.terminate("w"))
    lane = process.lanes[0]
    guessed = 0
    for _ in range(5):
        cautious = lane._caution
        with pytest.raises(WorkflowExecutionAlreadyStarted):
            process.do(process.start("w", workflow_id_reuse_policy=rejecting))
        guessed += cautious == 0
    assert guessed == 1
    assert Execution.objects.count() == 1


def test_a_run_that_was_changed_elsewhere_is_no_wrong_guess(process: Process, other: Process) -> None:
    process.do(process.start("v"))
    other.do(other.signal("v", "elsewhere"))
    signalled, started = process.together(process.signal("v", "here"), process.start("w"))
    assert [each for each in (signalled, started) if isinstance(each, BaseException)] == []
    assert consistency.signals("v") == ["elsewhere", "here"]
    assert process.lanes[0]._caution == 0


def test_a_refusal_does_not_rest_on_a_guess(process: Process, other: Process) -> None:
    run_id = other.do(other.start("w")).response.run_id

    def name_of_run(unit: Unit) -> str:
        current = unit.current_run()
        if current is None:
            raise WorkflowExecutionAlreadyStarted("there is none", "", "")
        return current.state.run_id

    call = process.start("w")
    answer = process.run(process.engine.unit_of_work.execute(call.key, name_of_run, expects_new=True))
    assert answer == run_id


def test_starts_of_one_new_id_in_one_batch(process: Process) -> None:
    results = process.together(*(process.start("w") for _ in range(5)))
    refused = [result for result in results if isinstance(result, WorkflowExecutionAlreadyStarted)]
    assert len(refused) == 4
    assert Execution.objects.count() == 1
    consistency.check_database()


def test_a_signal_beside_the_start_of_a_taken_id_reaches_the_run(process: Process, other: Process) -> None:
    other.do(other.start("w"))
    refused, signalled = process.together(process.start("w"), process.signal("w", "here"))
    assert isinstance(refused, WorkflowExecutionAlreadyStarted)
    assert not isinstance(signalled, BaseException)
    assert consistency.signals("w") == ["here"]
