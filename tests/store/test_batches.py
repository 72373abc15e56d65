"""Group commit: what arrives together is one transaction, in order, and each operation fails or succeeds for itself."""

import asyncio
import threading
from typing import Any

import pytest
from temporalio.api.enums.v1 import WorkflowIdConflictPolicy

from orchestrator.core import closing, signals
from orchestrator.errors import InvalidArgument, NotFound, Unavailable, WorkflowExecutionAlreadyStarted
from orchestrator.models import DispatchTask, VisibilityRecord
from orchestrator.services.engine import Prepared
from orchestrator.store.cache import Cache
from orchestrator.store.lane import Lane, Request
from orchestrator.store.transition import Operation, Unit
from tests.store import consistency
from tests.store.process import ALIAS, Process, until
from tests.store.rows import counts, workflow_key

RUNNING, TERMINATED = 1, 5


def on(process: Process, workflow_id: str, operation: Operation) -> Prepared[Any]:
    """A call of our own making."""
    return Prepared(process.engine.key(process.namespace, workflow_id), operation)


def test_what_arrives_together_is_one_transaction(process: Process) -> None:
    counters = process.engine.unit_of_work.counters
    process.do(process.start("before"))
    transactions, operations = counters.transactions, counters.operations
    calls = [process.start(f"w-{index}") for index in range(40)]
    calls += [process.signal("before", str(index)) for index in range(10)]
    calls += [process.signal(f"w-{index}") for index in range(10)]
    results = process.together(*calls)
    assert [result for result in results if isinstance(result, BaseException)] == []
    assert (counters.transactions - transactions, counters.operations - operations) == (1, 60)
    assert counters.retried == 0
    assert len({result.response.run_id for result in results[:40]}) == 40
    consistency.check_database()
    consistency.check_memory(process)


def test_a_batch_has_a_limit(process: Process) -> None:
    process.engine.unit_of_work.batch_limit = 16
    process.together(*(process.start(f"w-{index}") for index in range(40)))
    assert process.engine.unit_of_work.counters.transactions == 3
    consistency.check_database()


def test_operations_of_one_run_apply_in_their_order(process: Process) -> None:
    process.do(process.start("w"))
    names = [str(index) for index in range(50)]
    process.together(*(process.signal("w", name) for name in names))
    assert consistency.signals("w") == names
    assert process.engine.unit_of_work.counters.transactions == 2


def test_a_run_lives_and_dies_in_one_batch(process: Process) -> None:
    started, *rest = process.together(
        process.start("w"), process.signal("w", "a"), process.terminate("w"), process.signal("w", "late")
    )
    assert [type(each).__name__ for each in rest[:2]] == [
        "SignalWorkflowExecutionResponse",
        "TerminateWorkflowExecutionResponse",
    ]
    assert isinstance(rest[2], NotFound)
    assert consistency.event_types("w") == [
        "workflow_execution_started",
        "workflow_task_scheduled",
        "workflow_execution_signaled",
        "workflow_execution_terminated",
    ]
    record = VisibilityRecord.objects.get()
    assert (str(record.run_id), record.status, record.history_length) == (started.response.run_id, TERMINATED, 4)
    assert not DispatchTask.objects.exists()
    consistency.check_database()
    consistency.check_memory(process)


def test_a_workflow_id_is_used_again_in_one_batch(process: Process) -> None:
    results = process.together(
        process.start("w"),
        process.terminate("w"),
        process.start("w"),
        process.start("w"),
        process.signal("w"),
        process.start(
            "w", workflow_id_conflict_policy=WorkflowIdConflictPolicy.WORKFLOW_ID_CONFLICT_POLICY_TERMINATE_EXISTING
        ),
    )
    assert isinstance(results[3], WorkflowExecutionAlreadyStarted)
    runs = [results[index].response.run_id for index in (0, 2, 5)]
    assert consistency.current_run("w") == runs[2]
    states = {str(row.run_id): row.status for row in VisibilityRecord.objects.all()}
    assert states == {runs[0]: TERMINATED, runs[1]: TERMINATED, runs[2]: RUNNING}
    assert process.engine.unit_of_work.counters.transactions == 1
    consistency.check_database()
    again = process.together(process.terminate("w"), process.start("w"), process.terminate("w"), process.start("w"))
    assert consistency.current_run("w") == again[3].response.run_id
    consistency.check_database()
    consistency.check_memory(process)


@pytest.mark.parametrize("kind", [InvalidArgument, RuntimeError], ids=["refused", "broken"])
def test_an_operation_that_fails_leaves_no_trace(process: Process, kind: type[Exception]) -> None:
    process.do(process.start("w"))
    before = counts(ALIAS)

    def fails(unit: Unit) -> None:
        run = unit.run()
        signals.signal(run, name="never", input=None, identity="", header=None)
        run.state.memo["never"] = b""
        closing.terminate(run, reason="never", details=None, identity="")
        raise kind("no")

    def fails_after_starting(unit: Unit) -> None:
        process.start("new").operation(unit)
        raise kind("no")

    results = process.together(
        process.signal("w", "first"),
        on(process, "w", fails),
        on(process, "new", fails_after_starting),
        process.signal("w", "second"),
        on(process, "w", fails),
        process.signal("new"),
    )
    assert [isinstance(result, BaseException) for result in results] == [False, True, True, False, True, True]
    assert str(results[1]) == ("no" if kind is InvalidArgument else "something went wrong, please retry")
    assert consistency.signals("w") == ["first", "second"]
    assert counts(ALIAS) == before | {"history_node": before["history_node"] + 2}
    consistency.check_database()
    consistency.check_memory(process)


def test_a_refusal_writes_nothing_and_commits_nothing(process: Process) -> None:
    process.do(process.start("w"))
    before = counts(ALIAS)
    with pytest.raises(WorkflowExecutionAlreadyStarted):
        process.do(process.start("w"))
    with pytest.raises(NotFound):
        process.do(process.signal("unknown"))
    assert counts(ALIAS) == before
    consistency.check_memory(process)


def test_what_follows_a_commit_cannot_undo_it(process: Process) -> None:
    process.do(process.start("w"))
    called: list[str] = []

    def broken() -> None:
        called.append("broken")
        raise RuntimeError("after the commit")

    def signals_and_breaks(unit: Unit) -> str:
        unit.after_commit(broken)
        unit.after_commit(lambda: called.append("next"))
        process.signal("w", "once").operation(unit)
        return "done"

    results = process.together(on(process, "w", signals_and_breaks), process.signal("w", "beside"))
    assert results[0] == "done"
    assert called == ["broken", "next"]
    assert consistency.signals("w") == ["once", "beside"]
    consistency.check_memory(process)


def test_a_text_no_database_takes_fails_alone(process: Process) -> None:
    """PostgreSQL has no text with NUL. Services refuse it; should one get through, its neighbours do not suffer."""
    results = process.together(
        process.start("a"), on(process, "nul \0", process.start("b").operation), process.start("c")
    )
    assert [isinstance(results[index], BaseException) for index in (0, 2)] == [False, False]
    consistency.check_database()


def test_stopping_commits_what_has_queued(process: Process) -> None:
    calls = [process.start(f"w-{index}") for index in range(5)]

    async def enqueue_and_stop() -> list[Any]:
        futures = [process.engine.unit_of_work.enqueue(call.key, call.operation) for call in calls]
        for lane in process.lanes:
            lane.stop()
        with pytest.raises(Unavailable):
            await process.engine.unit_of_work.enqueue(calls[0].key, calls[0].operation)
        return await asyncio.gather(*futures)

    assert len({result.response.run_id for result in process.run(enqueue_and_stop())}) == 5
    consistency.check_database()


def test_a_task_scheduled_and_started_in_one_batch_has_no_row(process: Process) -> None:
    polling = process.begin_poll()
    process.together(process.start("a"), process.start("b"))
    assert polling.result(30).workflow_execution.workflow_id == "a"
    assert [row.workflow_id for row in DispatchTask.objects.all()] == ["b"]
    assert process.poll().workflow_execution.workflow_id == "b"
    assert not DispatchTask.objects.exists()
    consistency.check_database()
    consistency.check_memory(process)


@pytest.mark.parametrize(("answered", "enough"), [(2, 4), (5, 10)])
def test_a_lane_that_has_answered_several_calls_waits_for_what_they_bring(
    monkeypatch: pytest.MonkeyPatch, process: Process, answered: int, enough: int
) -> None:
    monkeypatch.setattr("orchestrator.store.lane.LONGEST_REST", 3600)
    lane = Lane("lane", process.engine.unit_of_work, Cache(1, 1))
    waiting = threading.Thread(target=lane._await_more, args=(answered, 3600), daemon=True)
    waiting.start()
    until(lambda: lane._enough == enough)
    for _ in range(enough - 1):
        lane.put(Request(workflow_key(), lambda unit: None, "", False))
    assert not lane._has_more()
    assert waiting.is_alive()
    lane.put(Request(workflow_key(), lambda unit: None, "", False))
    waiting.join()


def test_a_lane_that_stops_does_not_wait_for_more(monkeypatch: pytest.MonkeyPatch, process: Process) -> None:
    monkeypatch.setattr("orchestrator.store.lane.LONGEST_REST", 3600)
    lane = Lane("lane", process.engine.unit_of_work, Cache(1, 1))
    waiting = threading.Thread(target=lane._await_more, args=(2, 3600), daemon=True)
    waiting.start()
    lane.stop()
    waiting.join()


def test_a_call_that_comes_alone_waits_for_nobody(monkeypatch: pytest.MonkeyPatch, process: Process) -> None:
    monkeypatch.setattr("orchestrator.store.lane.LONGEST_REST", 3600)
    lane = Lane("lane", process.engine.unit_of_work, Cache(1, 1))
    lane._await_more(1, 3600)
