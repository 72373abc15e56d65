"""A commit that fails at every moment: repeated or answered UNAVAILABLE, never half applied, never applied twice."""

import threading
from collections.abc import Iterator
from typing import Any

import pytest
from django.db import transaction

from orchestrator.core.deadlines import set_wake
from orchestrator.errors import Internal, NotFound, Unavailable, WorkflowExecutionAlreadyStarted
from orchestrator.models import DispatchTask
from orchestrator.services.engine import Prepared
from orchestrator.store import lane
from orchestrator.store.transition import Unit
from tests.store import consistency
from tests.store.faults import Faulty, Moment
from tests.store.process import ALIAS, Process, until
from tests.store.rows import counts

moments = pytest.mark.parametrize("moment", list(Moment), ids=lambda moment: moment.name.lower())


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses are as short as can be."""
    monkeypatch.setattr(lane, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(lane, "LONGEST_PAUSE", 0.01)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is waited for."""
    monkeypatch.setattr(lane, "PATIENCE", 0.0)


@pytest.fixture(autouse=True)
def consistent(process: Process, faulty: Faulty) -> Iterator[None]:
    """In the end all is well again, on disk and in memory."""
    yield
    faulty.always = None
    process.do(process.start("afterwards"))
    process.do(process.signal("afterwards"))
    assert consistency.signals("afterwards") == ["paid"]
    consistency.check_database()
    consistency.check_memory(process)


@moments
@pytest.mark.parametrize("times", [1, 3])
def test_a_call_is_applied_once(process: Process, faulty: Faulty, moment: Moment, times: int) -> None:
    process.do(process.start("w"))
    faulty.moments.extend([moment] * times)
    process.do(process.signal("w", "once"))
    assert consistency.signals("w") == ["once"]
    if moment is Moment.ANSWER:
        assert process.engine.unit_of_work.counters.retried == 0
        faulty.moments.clear()
    else:
        assert process.engine.unit_of_work.counters.retried == times
        assert not faulty.moments


@moments
def test_a_batch_is_applied_once(process: Process, faulty: Faulty, moment: Moment) -> None:
    process.do(process.start("w"))
    faulty.moments.append(moment)
    results = process.together(
        process.signal("w", "a"),
        process.start("w"),
        process.start("v"),
        process.signal("v", "b"),
        process.signal("w", "c"),
        process.signal("unknown"),
        process.terminate("v"),
    )
    refused = {1: WorkflowExecutionAlreadyStarted, 5: NotFound}
    for index, result in enumerate(results):
        assert isinstance(result, refused.get(index, object))
        assert isinstance(result, BaseException) == (index in refused)
    assert consistency.signals("w") == ["a", "c"]
    assert consistency.signals("v") == ["b"]
    # While the database is away, batches stay whole.
    assert process.engine.unit_of_work.counters.transactions == 2


@moments
def test_a_reserved_poll_gets_the_task_once(process: Process, faulty: Faulty, moment: Moment) -> None:
    polling = process.begin_poll()
    faulty.moments.append(moment)
    process.do(process.start("w"))
    assert polling.result(30).workflow_execution.workflow_id == "w"
    assert consistency.event_types("w").count("workflow_task_started") == 1
    assert not DispatchTask.objects.exists()
    assert process.waiting() == 0


@moments
def test_a_stored_task_goes_to_its_poll(process: Process, faulty: Faulty, moment: Moment) -> None:
    process.do(process.start("w"))
    faulty.moments.append(moment)
    polled = process.poll()
    assert polled.workflow_execution.workflow_id == "w"
    assert consistency.event_types("w").count("workflow_task_started") == 1
    process.complete(polled.task_token)


@moments
@pytest.mark.usefixtures("impatient")
def test_a_database_that_stays_away_is_unavailable(process: Process, faulty: Faulty, moment: Moment) -> None:
    process.do(process.start("w"))
    before = counts(ALIAS)
    polling = process.begin_poll("other")
    faulty.always = moment
    results = process.together(process.signal("w", "lost"), process.start("v"), process.start("u", "other"))
    if moment is Moment.ANSWER:
        assert not any(isinstance(result, BaseException) for result in results)
        assert consistency.signals("w") == ["lost"]
        assert polling.result(30).workflow_execution.workflow_id == "u"
        return
    assert [type(result) for result in results] == [Unavailable] * 3
    assert counts(ALIAS) == before
    assert process.waiting("other") == 1
    faulty.always = None
    process.do(process.start("u", "other"))
    assert polling.result(30).workflow_execution.workflow_id == "u"


def test_the_question_for_the_outcome_is_repeated(process: Process, faulty: Faulty) -> None:
    process.do(process.start("w"))
    faulty.moments.append(Moment.ANSWER)
    faulty.deaf = 5
    process.do(process.signal("w", "once"))
    assert consistency.signals("w") == ["once"]
    assert (faulty.deaf, faulty.asked) == (0, 1)


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize("moment", [Moment.COMMIT, Moment.ANSWER], ids=["not_applied", "applied"])
@pytest.mark.parametrize("how", ["deaf", "forgetful"])
def test_an_outcome_nobody_can_tell_is_not_guessed(process: Process, faulty: Faulty, moment: Moment, how: str) -> None:
    process.do(process.start("w"))
    polling = process.begin_poll("other")
    faulty.moments.append(moment)
    if how == "deaf":
        faulty.deaf = 1
    else:
        faulty.forgetful = True
    results = process.together(process.signal("w", "once"), process.start("v", "other"))
    assert [str(result) for result in results] == [
        "the outcome of the call is unknown, the database does not answer"
    ] * 2
    assert process.waiting("other") == 1
    applied = moment is Moment.ANSWER
    assert consistency.signals("w") == ["once"] * applied
    faulty.forgetful = False
    process.do(process.signal("w", "next"))
    assert consistency.signals("w") == ["once"] * applied + ["next"]
    # A task given to a poll that was not told is given again when its time is up; here the run just ends.
    process.do(process.start("u", "other"))
    assert polling.result(30).workflow_execution.workflow_id == "u"


def test_a_conflict_asks_for_no_outcome(process: Process, other: Process, faulty: Faulty) -> None:
    process.do(process.start("w"))
    other.do(other.signal("w", "theirs"))
    process.do(process.signal("w", "mine"))
    assert faulty.asked == 0
    assert consistency.signals("w") == ["theirs", "mine"]


def test_a_question_that_breaks_is_no_reason_to_repeat(
    process: Process, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.do(process.start("w"))

    def breaks(changes: object) -> bool:
        raise LookupError

    monkeypatch.setattr(faulty, "was_applied", breaks)
    faulty.moments.append(Moment.ANSWER)
    with pytest.raises(Unavailable):
        process.do(process.signal("w", "once"))
    assert consistency.signals("w") == ["once"]


def test_an_operation_that_meets_a_dead_connection_is_repeated(process: Process, faulty: Faulty) -> None:
    process.do(process.start("w"))
    failures = [faulty.failure("injected"), faulty.failure("injected")]

    def reads(unit: Unit) -> None:
        process.signal("w", "once").operation(unit)
        if failures:
            raise failures.pop()

    key = process.engine.key(process.namespace, "w")
    results: list[Any] = process.together(process.signal("w", "first"), Prepared(key, reads))
    assert not any(isinstance(result, BaseException) for result in results)
    assert consistency.signals("w") == ["first", "once"]


def test_a_defect_in_the_store_fails_only_who_meets_it(
    process: Process, faulty: Faulty, monkeypatch: pytest.MonkeyPatch
) -> None:
    process.together(process.start("w"), process.start("v"))

    def breaks(run: Any) -> None:
        if run.state.workflow_id == "v":
            raise LookupError
        set_wake(run)

    monkeypatch.setattr("orchestrator.store.transition.set_wake", breaks)
    good, bad = process.together(process.signal("w", "good"), process.signal("v", "bad"))
    monkeypatch.undo()
    assert isinstance(bad, Internal)
    assert not isinstance(good, BaseException)
    assert consistency.signals("w") == ["good"]
    assert consistency.signals("v") == []


@pytest.mark.usefixtures("impatient")
def test_a_poll_that_ends_while_it_is_reserved_is_not_revived(process: Process, faulty: Faulty) -> None:
    """Its caller hangs up during the commit that fails: the task of the next commit goes to its row."""
    reserved, cancelled = threading.Event(), threading.Event()
    polling = process.begin_poll()

    def holds(unit: Unit) -> None:
        process.start("w").operation(unit)
        unit.after_rollback(lambda: (reserved.set(), cancelled.wait(30)))

    faulty.moments.append(Moment.WRITE)
    running = process.begin(process.engine.execute(Prepared(process.engine.key(process.namespace, "w"), holds)))
    assert reserved.wait(30)
    polling.cancel()
    until(lambda: process.run(_nothing()) is None)
    cancelled.set()
    with pytest.raises(Unavailable):
        running.result(30)
    assert process.waiting() == 0
    process.do(process.start("w"))
    assert [row.workflow_id for row in DispatchTask.objects.all()] == ["w"]


async def _nothing() -> None:
    """A turn of the loop."""


@pytest.mark.usefixtures("impatient")
def test_a_restored_poll_gets_what_came_meanwhile(process: Process, faulty: Faulty) -> None:
    """A task that was stored while the only poll was reserved must not wait beside it."""
    reserved, offered = threading.Event(), threading.Event()
    polling = process.begin_poll()

    def holds(unit: Unit) -> None:
        process.start("w").operation(unit)
        unit.after_rollback(lambda: (reserved.set(), offered.wait(30)))

    faulty.moments.append(Moment.WRITE)
    running = process.begin(process.engine.execute(Prepared(process.engine.key(process.namespace, "w"), holds)))
    assert reserved.wait(30)
    process.engine.execute_joined(process.start("v"))
    offered.set()
    with pytest.raises(Unavailable):
        running.result(30)
    assert polling.result(30).workflow_execution.workflow_id == "v"


def test_joined_calls_leave_nothing_when_the_commit_fails(process: Process, faulty: Faulty) -> None:
    """The caller's own transaction fails, not ours: the lane's state is still the stored one."""
    process.do(process.start("w"))

    def rolls_back() -> None:
        with transaction.atomic():
            process.engine.execute_joined(process.signal("w", "never"))
            transaction.set_rollback(True)

    rolls_back()
    process.do(process.signal("w", "after"))
    assert consistency.signals("w") == ["after"]
