"""Two processes on one database: starts are linearizable, and no answer rests on a state the other has changed."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from temporalio.api.enums.v1 import WorkflowExecutionStatus, WorkflowIdReusePolicy

from orchestrator.errors import NotFound, WorkflowExecutionAlreadyStarted
from orchestrator.models import Execution
from orchestrator.services.engine import Prepared
from orchestrator.store.lane import SUSPICION
from orchestrator.store.transition import Unit
from tests.store import consistency
from tests.store.process import Process
from tests.support.databases import ROOT, server_environment

STARTS = 25


def outcome(result: object) -> str:
    """The run id of a start, or the name of its error."""
    return type(result).__name__ if isinstance(result, BaseException) else result.response.run_id  # type: ignore[attr-defined]


def judge(outcomes: list[str]) -> None:
    """Of fifty starts one was granted, and the database holds that run alone."""
    refused = [each for each in outcomes if each == WorkflowExecutionAlreadyStarted.__name__]
    assert (len(outcomes), len(refused)) == (2 * STARTS, 2 * STARTS - 1)
    assert consistency.current_run("w") in outcomes
    assert Execution.objects.count() == 1
    consistency.check_database()


def test_fifty_starts_in_two_engines(process: Process, other: Process) -> None:
    running = [each.begin(each.engine.execute(each.start("w"))) for _ in range(STARTS) for each in (process, other)]
    results = [each.exception(30) or each.result() for each in running]
    judge([outcome(result) for result in results])


@contextmanager
def second_process(url: str) -> Iterator[subprocess.Popen[str]]:
    """An engine in an operating system process, ready to start `w` as often as it is told."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.store.second_process"],
        cwd=ROOT,
        env=server_environment(url) | {"PATH": ""},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        yield child


def test_fifty_starts_in_two_operating_system_processes(process: Process, default_database: str) -> None:
    with second_process(default_database) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        child.stdin.write(f"{STARTS} w\n")
        child.stdin.flush()
        running = [process.begin(process.engine.execute(process.start("w"))) for _ in range(STARTS)]
        mine = [each.exception(30) or each.result() for each in running]
        theirs: list[str] = json.loads(child.stdout.readline())
    judge([outcome(result) for result in mine] + theirs)


def test_a_write_on_a_stale_state_is_repeated_from_the_database(process: Process, other: Process) -> None:
    process.do(process.start("w"))
    for index in range(3):
        other.do(other.signal("w", f"other {index}"))
        process.do(process.signal("w", f"mine {index}"))
    assert consistency.signals("w") == [f"{who} {index}" for index in range(3) for who in ("other", "mine")]
    assert process.engine.unit_of_work.counters.retried == 0, "it waits for nobody"
    consistency.check_database()
    consistency.check_memory(process)


def test_a_stale_state_disturbs_no_other_workflow_of_the_batch(process: Process, other: Process) -> None:
    ids = [f"w-{index}" for index in range(6)]
    process.together(*(process.start(each) for each in ids))
    other.do(other.signal("w-2", "other"))
    counters = process.engine.unit_of_work.counters
    before = counters.transactions
    results = process.together(*(process.signal(each, str(n)) for n in range(2) for each in ids))
    assert counters.transactions == before + 1
    assert [result for result in results if isinstance(result, BaseException)] == []
    for each in ids:
        assert consistency.signals(each) == [*(["other"] if each == "w-2" else []), "0", "1"]
    consistency.check_database()
    consistency.check_memory(process)


def test_a_lane_that_was_overtaken_looks_first_for_a_while(process: Process, other: Process) -> None:
    process.do(process.start("w"))
    suspected = []
    for index in range(4):
        other.do(other.signal("w", str(index)))
        suspected.append(process.lanes[0]._suspicion > 0)
        process.do(process.signal("w"))
    assert suspected == [False, True, True, True]
    for _ in range(SUSPICION):
        process.do(process.signal("w"))
    assert process.lanes[0]._suspicion == 0
    consistency.check_memory(process)


def test_writers_of_one_run_in_both_lose_nothing(process: Process, other: Process) -> None:
    process.do(process.start("w"))
    names = [(each, f"{number} {index}") for index in range(25) for number, each in enumerate((process, other))]
    running = [each.begin(each.engine.execute(each.signal("w", name))) for each, name in names]
    for each in running:
        each.result(30)
    assert sorted(consistency.signals("w")) == sorted(name for _, name in names)
    consistency.check_database()


def test_a_refusal_does_not_rest_on_a_stale_state(process: Process, other: Process) -> None:
    process.do(process.start("w"))
    with pytest.raises(WorkflowExecutionAlreadyStarted):
        process.do(process.start("w"))
    other.do(other.terminate("w"))
    process.do(process.start("w"))
    assert Execution.objects.count() == 2
    consistency.check_database()


def test_a_success_without_a_change_does_not_rest_on_a_stale_state(process: Process, other: Process) -> None:
    run_id = process.do(process.start("w")).response.run_id
    process.do(process.signal("w"))
    other.do(other.terminate("w"))
    described = process.do(process.describe("w", run_id)).workflow_execution_info
    assert described.status == WorkflowExecutionStatus.WORKFLOW_EXECUTION_STATUS_TERMINATED
    with pytest.raises(NotFound):
        process.do(process.signal("w", run_id=run_id))
    rejecting = WorkflowIdReusePolicy.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE
    with pytest.raises(WorkflowExecutionAlreadyStarted, match="already finished"):
        process.do(process.start("w", workflow_id_reuse_policy=rejecting))


def test_a_reading_sees_what_the_other_has_committed(process: Process, other: Process) -> None:
    run_id = process.do(process.start("w")).response.run_id
    for index in range(3):
        other.do(other.signal("w", str(index)))
        reading, named = process.together(process.describe("w"), process.describe("w", run_id))
        assert reading.workflow_execution_info.history_length == 3 + index
        assert named.workflow_execution_info.history_length == 3 + index


def fresh(process: Process, workflow_id: str, run_id: str = "") -> Any:
    """A look that expects others to have changed the run: (run id, version, running)."""

    def look(unit: Unit) -> tuple[str, int, bool]:
        run = unit.run()
        return run.state.run_id, unit.loaded(run).version, run.state.running

    return process.do(Prepared(process.describe(workflow_id).key, look, run_id, fresh=True))


def test_a_look_that_expects_others_to_have_changed_the_run_meets_no_conflict(process: Process, other: Process) -> None:
    run_id = process.do(process.start("w")).response.run_id
    for version in range(2, 5):
        other.do(other.signal("w"))
        assert fresh(process, "w") == (run_id, version, True)
        assert fresh(process, "w", run_id) == (run_id, version, True)
    process.do(process.signal("w"))
    assert process.engine.unit_of_work.counters.retried == 0
    consistency.check_memory(process)


def test_a_look_that_expects_changes_finds_the_run_that_is_current_by_now(process: Process, other: Process) -> None:
    first = process.do(process.start("w")).response.run_id
    other.do(other.terminate("w"))
    assert fresh(process, "w") == (first, 2, False)
    process.do(process.start("v"))
    other.do(other.terminate("v"))
    second = other.do(other.start("v")).response.run_id
    assert fresh(process, "v") == (second, 1, True)
    process.do(process.signal("v"))
    assert process.engine.unit_of_work.counters.retried == 0
    consistency.check_memory(process)


def test_a_task_scheduled_in_one_is_found_by_a_poll_of_the_other(process: Process, other: Process) -> None:
    process.do(process.start("w"))
    polled = other.poll()
    assert polled.workflow_execution.workflow_id == "w"
    other.complete(polled.task_token)
    assert consistency.event_types("w")[-1] == "workflow_execution_completed"
    with pytest.raises(NotFound):
        process.do(process.signal("w"))
    consistency.check_database()


def test_a_task_known_to_both_is_started_once(process: Process, other: Process) -> None:
    first = process.begin_poll()
    process.do(process.start("u"))
    assert first.result(30).workflow_execution.workflow_id == "u"
    process.do(process.start("w"))
    assert other.poll().workflow_execution.workflow_id == "w"
    late = process.begin_poll()
    assert not late.done()
    process.do(process.start("v"))
    assert late.result(30).workflow_execution.workflow_id == "v"
    assert consistency.event_types("w").count("workflow_task_started") == 1
    consistency.check_database()
    consistency.check_memory(process)
