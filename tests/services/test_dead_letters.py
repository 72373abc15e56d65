"""Poison in a database: it is put aside with its error, others go on, and it is done when it is put back."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from orchestrator.conf import HugoSettings
from orchestrator.core.transfers import TransferKind
from orchestrator.core.wire import duration
from orchestrator.models import DeadLetter, Execution, TimerTask
from orchestrator.services import dead_letters
from orchestrator.services.redrive import redrive
from tests.core import builders as build
from tests.services.paying import Paying, child, owed, story, wait_for, wait_until_nothing_is_owed
from tests.store.process import until

ATTEMPTS = 3
FAR = 3600 * 10**9

pytestmark = pytest.mark.usefixtures("default_database", "quick")


@pytest.fixture
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses that nobody notices."""
    monkeypatch.setattr(dead_letters, "FIRST_PAUSE", 0.001)
    monkeypatch.setattr(dead_letters, "LONGEST_PAUSE", 0.002)


def process() -> Paying:
    """A server that gives up soon."""
    return Paying(settings=HugoSettings(sweep_interval=3600, dead_letter_attempts=ATTEMPTS))


@contextmanager
def damaged(workflow_id: str) -> Iterator[None]:
    """Spoils the state of a run; no process has it in memory."""
    row = Execution.objects.get(workflow_id=workflow_id)
    Execution.objects.filter(id=row.id).update(state=bytes(row.state)[:-7])
    yield
    Execution.objects.filter(id=row.id).update(state=bytes(row.state))


def expire(*workflow_ids: str) -> None:
    """The stored wake-ups of runs are due, although nothing in the runs is: they move to when it is."""
    assert TimerTask.objects.filter(workflow_id__in=workflow_ids).update(fire_time=1) == len(workflow_ids)


def next_wake(workflow_id: str) -> int:
    """The stored wake-up of a run; 0 without one."""
    row = TimerTask.objects.filter(workflow_id=workflow_id).first()
    return row.fire_time if row is not None else 0


def the_letter() -> DeadLetter:
    """Once there is one."""
    until(DeadLetter.objects.exists, "a dead letter")
    return DeadLetter.objects.get()


def test_a_signal_to_a_damaged_run_waits_for_an_operator() -> None:
    with Paying(pays=False) as earlier:
        for workflow_id in ("target", "other", "sender"):
            earlier.begin_workflow(workflow_id)
        earlier.turn("sender", build.signal_external("target"), build.signal_external("other"))
    with damaged("target"), process():
        letter = the_letter()
        wait_until_nothing_is_owed()
        assert story("other").count("WorkflowExecutionSignaled") == 1
        assert (letter.queue, letter.kind, letter.attempts) == ("transfer", TransferKind.SIGNAL_EXTERNAL, ATTEMPTS)
        assert letter.error.startswith("StateFormatError: damaged state blob: ")
        assert "Traceback" in letter.error
        assert letter.first_failure <= letter.last_failure
    with process() as mended:
        assert redrive(mended.engine, [letter.id]) == 1
        wait_for("sender", "ExternalWorkflowExecutionSignaled", 2)
        wait_until_nothing_is_owed()
    assert story("target").count("WorkflowExecutionSignaled") == 1
    assert not DeadLetter.objects.exists()


def test_a_damaged_parent_is_told_of_its_child_when_it_is_mended() -> None:
    with process() as earlier:
        earlier.begin_workflow("parent")
        earlier.turn("parent", child())
        wait_for("parent", "ChildWorkflowExecutionStarted")
        wait_until_nothing_is_owed()
    with damaged("parent"), process() as running:
        running.do(running.terminate("child"))
        letter = the_letter()
        assert letter.kind == TransferKind.CLOSE
    with process() as mended:
        redrive(mended.engine, [letter.id])
        wait_for("parent", "ChildWorkflowExecutionTerminated")
    assert owed() == []


def test_wake_ups_that_always_fail_do_not_stop_the_others() -> None:
    with process() as earlier:
        for workflow_id in ("damaged", "sound"):
            earlier.do(earlier.start(workflow_id, workflow_execution_timeout=duration(FAR)))
    with damaged("damaged"):
        expire("damaged", "sound")
        with process():
            letter = the_letter()
            until(lambda: next_wake("sound") > FAR, "the next wake-up")
            assert not TimerTask.objects.filter(workflow_id="damaged").exists()
            assert (letter.queue, letter.workflow_id, letter.attempts) == ("timer", "damaged", ATTEMPTS)
            assert letter.error.startswith("StateFormatError: ")
    with process() as mended:
        redrive(mended.engine, [letter.id])
        until(lambda: next_wake("damaged") > FAR, "the next wake-up")
    assert not DeadLetter.objects.exists()
