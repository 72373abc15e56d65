"""Starting children: what is in the way of one, and what is left when it is interrupted, or its parent goes away."""

import pytest
from temporalio.api.enums.v1 import ParentClosePolicy, StartChildWorkflowExecutionFailedCause, WorkflowIdReusePolicy

from orchestrator.core.transfers import TransferKind
from orchestrator.models import Execution
from tests.core import builders as build
from tests.services.paying import Paying, child, exists, last, owed, story, wait_for, wait_until_nothing_is_owed
from tests.store.consistency import current_run
from tests.store.process import Process

STARTED = "ChildWorkflowExecutionStarted"
START_FAILED = "StartChildWorkflowExecutionFailed"
_K = TransferKind
_P = ParentClosePolicy
_R = WorkflowIdReusePolicy
LEFT = {
    _P.PARENT_CLOSE_POLICY_TERMINATE: ["WorkflowExecutionTerminated"],
    _P.PARENT_CLOSE_POLICY_REQUEST_CANCEL: ["WorkflowExecutionCancelRequested", "WorkflowTaskScheduled"],
    _P.PARENT_CLOSE_POLICY_ABANDON: ["WorkflowTaskScheduled"],
}
"""What happens to a child whose parent has closed."""


def runs(workflow_id: str = "child") -> int:
    """How many runs of an id there are."""
    return Execution.objects.filter(workflow_id=workflow_id).count()


def asked(process: Paying, **fields: object) -> None:
    """A parent asks for a child; nothing is paid yet."""
    process.begin_workflow("parent")
    process.turn("parent", child(**fields))


def finish_child() -> None:
    """Another process pays all debts and is the child's worker; the parent hears of both start and end once."""
    with Paying() as process:
        wait_for("parent", STARTED)
        process.complete(process.poll("child").task_token)
        wait_for("parent", "ChildWorkflowExecutionCompleted")
        wait_until_nothing_is_owed()
    assert runs() == 1
    assert story("parent").count(STARTED) == story("parent").count("ChildWorkflowExecutionCompleted") == 1
    assert START_FAILED not in story("parent")


# What is in the way.


def take_id(process: Process, *, closed: bool) -> None:
    """Somebody else has the id of the child."""
    process.do(process.start("child", "child"))
    if closed:
        process.complete(process.poll("child").task_token)


@pytest.mark.parametrize(
    ("reuse", "closed", "begins"),
    [
        (_R.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, True, True),
        (_R.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, True, False),
        (_R.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, True, False),
        (_R.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING, True, True),
        (_R.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE, False, False),
        (_R.WORKFLOW_ID_REUSE_POLICY_ALLOW_DUPLICATE_FAILED_ONLY, False, False),
        (_R.WORKFLOW_ID_REUSE_POLICY_REJECT_DUPLICATE, False, False),
        (_R.WORKFLOW_ID_REUSE_POLICY_TERMINATE_IF_RUNNING, False, True),
    ],
)
def test_an_id_that_somebody_has(process: Paying, reuse: int, closed: bool, begins: bool) -> None:
    take_id(process, closed=closed)
    stranger = current_run("child")
    asked(process, workflow_id_reuse_policy=reuse)
    wait_until_nothing_is_owed()
    assert (STARTED in story("parent"), START_FAILED in story("parent")) == (begins, not begins)
    assert (current_run("child") != stranger) == begins
    assert story("child", stranger)[-1] == (
        "WorkflowExecutionCompleted" if closed else "WorkflowExecutionTerminated" if begins else "WorkflowTaskScheduled"
    )
    if not begins:
        cause = last("parent", START_FAILED).start_child_workflow_execution_failed_event_attributes.cause
        assert cause == (
            StartChildWorkflowExecutionFailedCause.START_CHILD_WORKFLOW_EXECUTION_FAILED_CAUSE_WORKFLOW_ALREADY_EXISTS
        )


# Interrupted.


@pytest.mark.parametrize("steps", [1, 2, 3, 4])
def test_a_start_that_was_interrupted_goes_on(on_sqlite: None, steps: int) -> None:
    with Paying(pays=False) as process:
        asked(process)
        process.pay_in_part(_K.START_CHILD, "parent", steps)
    finish_child()


def test_a_birth_that_is_repeated_finds_the_child(on_sqlite: None) -> None:
    with Paying(pays=False) as process:
        asked(process)
        for _ in range(3):
            process.pay_in_part(_K.START_CHILD, "parent", 2)
    assert owed() == [_K.START_CHILD, _K.RELEASE_CHILD]
    finish_child()


def test_a_child_knows_what_its_parent_owes_it(on_sqlite: None) -> None:
    with Paying(pays=False) as process:
        asked(process)
        process.pay_in_part(_K.START_CHILD, "parent", 2)
        process.pay_in_part(_K.RELEASE_CHILD, "child", 2)
        assert story("parent")[-2:] == [STARTED, "WorkflowTaskScheduled"]
        assert owed() == [_K.RELEASE_CHILD]
    finish_child()


def test_a_child_that_ends_before_its_parent_knows_of_it(on_sqlite: None) -> None:
    with Paying(pays=False) as process:
        asked(process)
        process.pay_in_part(_K.START_CHILD, "parent", 2)
        process.do(process.terminate("child"))
        process.pay_in_part(_K.CLOSE, "child", 9)
        assert owed() == [_K.RELEASE_CHILD]
    with Paying():
        wait_until_nothing_is_owed()
    assert story("parent")[-3:] == [STARTED, "ChildWorkflowExecutionTerminated", "WorkflowTaskScheduled"]
    assert runs() == 1


# The parent goes away.


@pytest.mark.parametrize("policy", list(LEFT))
def test_a_closed_parent_has_no_child_begun(on_sqlite: None, policy: int) -> None:
    with Paying(pays=False) as process:
        process.begin_workflow("parent")
        process.turn("parent", child(parent_close_policy=policy), build.complete_workflow())
    with Paying():
        wait_until_nothing_is_owed()
    assert not exists("child")


@pytest.mark.parametrize("policy", list(LEFT))
def test_a_child_whose_parent_closes_before_it_knows_of_it(
    on_sqlite: None, policy: ParentClosePolicy.ValueType
) -> None:
    with Paying(pays=False) as process:
        asked(process, parent_close_policy=policy)
        process.pay_in_part(_K.START_CHILD, "parent", 2)
        process.do(process.terminate("parent"))
    with Paying():
        wait_until_nothing_is_owed()
    assert story("child") == ["WorkflowExecutionStarted", *LEFT[policy]]
    assert STARTED not in story("parent")


def test_a_child_whose_parent_is_deleted_goes_on(on_sqlite: None) -> None:
    with Paying(pays=False) as process:
        asked(process)
        process.pay_in_part(_K.START_CHILD, "parent", 3)
        process.do(process.terminate("parent"))
        Execution.objects.filter(workflow_id="parent").delete()
    with Paying():
        wait_until_nothing_is_owed()
    assert story("child") == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]


# A reset puts another parent in the place of the one that asked.


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_a_child_is_that_of_the_run_a_reset_made(on_sqlite: None, steps: int) -> None:
    with Paying(pays=False) as process:
        process.begin_workflow("parent")
        task = process.poll("parent")
        process.do(process.signal("parent"))
        process.complete(task.task_token, child())
        process.turn("parent")
        process.pay_in_part(_K.START_CHILD, "parent", steps)
        asking = current_run("parent")
        assert story("parent")[4:8] == [
            "StartChildWorkflowExecutionInitiated",
            "WorkflowExecutionSignaled",
            "WorkflowTaskScheduled",
            "WorkflowTaskStarted",
        ]
        process.reset("parent", 9)
        process.reset("parent", 9)
        assert current_run("parent") != asking
    finish_child()


def test_what_the_replaced_parent_owes_begins_nothing(on_sqlite: None) -> None:
    with Paying(pays=False) as process:
        process.begin_workflow("parent")
        task = process.poll("parent")
        process.do(process.signal("parent"))
        process.complete(task.task_token, child())
        process.turn("parent")
        process.reset("parent", 9)
        assert owed() == [_K.START_CHILD, _K.START_CHILD]
        process.pay_in_part(_K.START_CHILD, "parent", 9)
        assert not exists("child")
        assert STARTED not in story("parent")
    finish_child()


def test_a_child_the_reset_forgot_is_released(on_sqlite: None) -> None:
    with Paying(pays=False) as process:
        asked(process)
        process.pay_in_part(_K.START_CHILD, "parent", 2)
        process.reset("parent", 4)
    with Paying():
        wait_until_nothing_is_owed()
    assert story("child") == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]
    assert STARTED not in story("parent")
