"""The end of a run: what its parent is told, and what becomes of its children."""

import pytest
from temporalio.api.enums.v1 import ParentClosePolicy

from orchestrator.core.transfers import TransferKind
from tests.core import builders as build
from tests.services.paying import NOTHING, Paying, child, last, story, wait_for, wait_until_nothing_is_owed
from tests.store.consistency import current_run

STARTED = "ChildWorkflowExecutionStarted"
COMPLETED = "ChildWorkflowExecutionCompleted"
_P = ParentClosePolicy


def family(process: Paying, **fields: object) -> None:
    """A parent that has seen its child start."""
    process.begin_workflow("parent")
    process.turn("parent", child(**fields))
    wait_for("parent", STARTED)
    process.turn("parent")
    wait_until_nothing_is_owed()


def end(process: Paying, workflow_id: str) -> None:
    """A worker completes a workflow."""
    process.do(process.signal(workflow_id))
    process.complete(process.poll(workflow_id).task_token)


# The parent is told.


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_news_that_were_interrupted_are_told_once(on_sqlite: None, steps: int) -> None:
    with Paying() as process:
        family(process)
    with Paying(pays=False) as process:
        end(process, "child")
        process.pay_in_part(TransferKind.CLOSE, "child", steps)
    with Paying():
        wait_until_nothing_is_owed()
    assert story("parent").count(COMPLETED) == 1
    assert story("parent")[-1] == "WorkflowTaskScheduled"


def test_the_last_run_of_a_chain_tells(process: Paying) -> None:
    family(process)
    process.turn("child", build.continue_as_new())
    first = current_run("child")
    process.do(process.signal("child"))
    end(process, "child")
    wait_for("parent", COMPLETED)
    attributes = last("parent", COMPLETED).child_workflow_execution_completed_event_attributes
    assert attributes.workflow_execution.run_id == current_run("child") == first


def test_a_parent_that_is_over_is_not_told(process: Paying) -> None:
    family(process, parent_close_policy=_P.PARENT_CLOSE_POLICY_ABANDON)
    process.do(process.terminate("parent"))
    told = story("parent")
    end(process, "child")
    wait_until_nothing_is_owed()
    assert story("parent") == told


def test_a_parent_that_went_on_is_not_told(process: Paying) -> None:
    family(process, parent_close_policy=_P.PARENT_CLOSE_POLICY_ABANDON)
    process.do(process.signal("parent"))
    process.turn("parent", build.continue_as_new())
    end(process, "child")
    wait_until_nothing_is_owed()
    assert COMPLETED not in story("parent")


def test_a_parent_that_is_deleted_is_not_told(process: Paying) -> None:
    family(process, parent_close_policy=_P.PARENT_CLOSE_POLICY_ABANDON)
    process.remove("parent")
    end(process, "child")
    wait_until_nothing_is_owed()
    assert story("child")[-1] == "WorkflowExecutionCompleted"


def test_the_run_that_resets_have_made_is_told(process: Paying) -> None:
    family(process)
    process.reset("parent", 9)
    process.reset("parent", 9)
    end(process, "child")
    wait_for("parent", COMPLETED)
    attributes = last("parent", COMPLETED).child_workflow_execution_completed_event_attributes
    assert (attributes.initiated_event_id, attributes.started_event_id) == (5, 6)


def test_the_run_that_was_reset_to_before_it_asked_is_not_told(process: Paying) -> None:
    family(process)
    process.reset("parent", 4)
    process.turn("parent", child("another child"))
    wait_for("parent", STARTED)
    end(process, "child")
    wait_until_nothing_is_owed()
    assert COMPLETED not in story("parent")


def test_another_child_that_the_same_event_asks_for_has_not_ended(process: Paying) -> None:
    process.begin_workflow("parent")
    process.turn("parent")
    process.do(process.signal("parent"))
    process.turn("parent", child())
    wait_for("parent", STARTED)
    asked = last("parent", "StartChildWorkflowExecutionInitiated").event_id
    process.reset("parent", 4)
    process.turn("parent", NOTHING, child("another child"))
    wait_for("parent", STARTED)
    assert last("parent", "StartChildWorkflowExecutionInitiated").event_id == asked
    end(process, "child")
    wait_until_nothing_is_owed()
    assert COMPLETED not in story("parent")


def test_a_reset_child_tells_for_both(process: Paying) -> None:
    family(process)
    process.do(process.signal("child"))
    process.turn("child")
    process.reset("child", 5)
    assert COMPLETED not in story("parent")
    process.complete(process.poll("child").task_token)
    wait_for("parent", COMPLETED)
    attributes = last("parent", COMPLETED).child_workflow_execution_completed_event_attributes
    assert attributes.workflow_execution.run_id == current_run("child")


# Children are left.

LEFT = {
    _P.PARENT_CLOSE_POLICY_TERMINATE: "WorkflowExecutionTerminated",
    _P.PARENT_CLOSE_POLICY_REQUEST_CANCEL: "WorkflowExecutionCancelRequested",
}


@pytest.mark.parametrize("steps", [1, 2, 3])
@pytest.mark.parametrize("policy", list(LEFT))
def test_a_policy_that_was_interrupted_is_applied_once(
    on_sqlite: None, policy: ParentClosePolicy.ValueType, steps: int
) -> None:
    with Paying() as process:
        family(process, parent_close_policy=policy)
    with Paying(pays=False) as process:
        end(process, "parent")
        process.pay_in_part(TransferKind.CLOSE, "parent", steps)
    with Paying():
        wait_until_nothing_is_owed()
    assert story("child").count(LEFT[policy]) == 1


@pytest.mark.parametrize("policy", list(LEFT))
def test_the_run_a_child_has_gone_on_with_is_the_one_that_is_left(
    process: Paying, policy: ParentClosePolicy.ValueType
) -> None:
    family(process, parent_close_policy=policy)
    first = current_run("child")
    process.turn("child", build.continue_as_new())
    end(process, "parent")
    wait_until_nothing_is_owed()
    assert current_run("child") != first
    assert LEFT[policy] in story("child")


def test_a_stranger_that_has_the_id_of_a_child_is_left_alone(on_sqlite: None) -> None:
    with Paying() as process:
        family(process)
    with Paying(pays=False) as process:
        end(process, "child")
        process.begin_workflow("child")
        end(process, "parent")
    with Paying():
        wait_until_nothing_is_owed()
    assert story("child") == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]


def test_a_child_of_a_child_ends_with_both(process: Paying) -> None:
    family(process)
    process.turn("child", child("grandchild"))
    wait_for("child", STARTED)
    process.do(process.terminate("parent"))
    wait_until_nothing_is_owed()
    assert story("child")[-1] == story("grandchild")[-1] == "WorkflowExecutionTerminated"


def test_a_reset_leaves_children_alone(process: Paying) -> None:
    family(process)
    process.reset("parent", 9)
    wait_until_nothing_is_owed()
    assert story("child") == ["WorkflowExecutionStarted", "WorkflowTaskScheduled"]
