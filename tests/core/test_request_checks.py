"""Checks of request fields that several calls share, and the small conversions below them."""

import pytest
from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Priority, WorkflowExecution

from orchestrator.core import priority, wire
from orchestrator.core.limits import Limits
from orchestrator.core.request_checks import (
    check_execution,
    check_name,
    check_queue_name,
    duration_problem,
    is_uuid,
    too_long,
)
from orchestrator.errors import InvalidArgument

UUID = "0190a5a0-0000-7000-8000-000000000000"


@pytest.mark.parametrize(
    ("text", "expected"),
    [("", False), ("x" * 1000, False), ("x" * 1001, True), ("é" * 500, False), ("é" * 501, True), ("𝄞" * 251, True)],
)
def test_lengths_are_counted_in_bytes(text: str, expected: bool) -> None:
    assert too_long(text, Limits()) == expected
    if expected:
        with pytest.raises(InvalidArgument, match=r"^Name length exceeds limit\.$"):
            check_name(text, "Name", Limits())
    else:
        check_name(text, "Name", Limits())


def test_what_postgresql_cannot_store_is_refused() -> None:
    with pytest.raises(InvalidArgument, match=r"^Name contains the character NUL\.$"):
        check_name("a\0b", "Name", Limits())
    with pytest.raises(InvalidArgument, match=r"^taskQueue contains the character NUL\.$"):
        check_queue_name("a\0b", Limits())
    with pytest.raises(InvalidArgument, match=r"^fairness key contains the character NUL\.$"):
        priority.validate(Priority(fairness_key="a\0b"))


@pytest.mark.parametrize(
    ("execution", "text"),
    [
        (None, "Execution is not set on request."),
        (WorkflowExecution(), "WorkflowId is not set on request."),
        (WorkflowExecution(run_id=UUID), "WorkflowId is not set on request."),
        (WorkflowExecution(workflow_id="w", run_id="r"), "Invalid RunId."),
        (WorkflowExecution(workflow_id="\0", run_id=UUID), "WorkflowId contains the character NUL."),
    ],
)
def test_a_wrong_execution(execution: WorkflowExecution | None, text: str) -> None:
    with pytest.raises(InvalidArgument) as raised:
        check_execution(execution)
    assert raised.value.message == text


def test_a_right_execution() -> None:
    check_execution(WorkflowExecution(workflow_id="w"))
    check_execution(WorkflowExecution(workflow_id="w", run_id=UUID))


@pytest.mark.parametrize(
    ("text", "expected"),
    [(UUID, True), (UUID.upper(), True), (UUID.replace("-", ""), False), (f"{{{UUID}}}", False), ("x" * 36, False)],
)
def test_uuids(text: str, expected: bool) -> None:
    assert is_uuid(text) == expected


@pytest.mark.parametrize(
    ("seconds", "nanos", "problem"),
    [
        (0, 0, ""),
        (1, 1, ""),
        (-1, 0, "negative duration"),
        (0, -1, "negative duration"),
        (-1, -1, "negative duration"),
        (1, -1, "duration has seconds and nanos with different signs"),
        (-1, 1, "duration has seconds and nanos with different signs"),
    ],
)
def test_durations(seconds: int, nanos: int, problem: str) -> None:
    assert duration_problem(Duration(seconds=seconds, nanos=nanos)) == problem


@pytest.mark.parametrize(("key", "level"), [(0, 3), (1, 1), (3, 3), (5, 5), (9, 5)])
def test_priority_levels(key: int, level: int) -> None:
    assert priority.share(Priority(priority_key=key).SerializeToString()).level == level


@pytest.mark.parametrize(
    ("weight", "kept"),
    [(0.25, 250), (1e-9, 1), (1e300, 1_000_000), (float("inf"), 1_000_000), (float("nan"), 1)],
)
def test_weights_stay_within_their_bounds(weight: float, kept: int) -> None:
    assert priority.thousandths(weight) == kept


def test_a_priority_is_merged_field_by_field() -> None:
    workflow = Priority(priority_key=4, fairness_key="tenant", fairness_weight=2).SerializeToString()
    assert priority.merged(workflow, None) == workflow
    merged = Priority.FromString(priority.merged(workflow, Priority(priority_key=1)))
    assert merged == Priority(priority_key=1, fairness_key="tenant", fairness_weight=2)
    assert Priority.FromString(priority.merged(b"", Priority(priority_key=1))) == Priority(priority_key=1)


@pytest.mark.parametrize("number", [0, 1, wire.SECOND, 5 * wire.SECOND + 7, wire.LONGEST])
def test_times_and_lengths_survive_the_wire(number: int) -> None:
    assert wire.time_ns(wire.timestamp(number)) == number
    assert wire.length_ns(wire.duration(number)) == number


def test_what_is_too_long_is_cut() -> None:
    assert wire.length_ns(Duration(seconds=2**62)) == wire.LONGEST
    assert wire.length_ns(Duration(seconds=-(2**62))) == -wire.LONGEST
    assert wire.after(wire.LONGEST - 1, 5) == wire.LONGEST
    assert wire.after(3, 4) == 7


def test_zero_means_not_set() -> None:
    assert wire.optional_timestamp(0) is None
    assert wire.optional_duration(0) is None
