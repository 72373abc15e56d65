"""The blob of a state: nothing is lost in it, and blobs of earlier code stay readable."""

from pathlib import Path

import msgspec
import pytest

from orchestrator.core import state as states
from orchestrator.core.state import (
    Activity,
    ExecutionState,
    RetryPolicy,
    StateFormatError,
    Timer,
    WorkflowTask,
    decode,
    encode,
)

BLOBS = Path(__file__).parent / "blobs"
"""Blobs as they were stored once; none of them is ever changed."""

POLICY = RetryPolicy(1, 2.0, 100, 3, ("Fatal",))
FIRST = ExecutionState(
    namespace_id="namespace",
    workflow_id="workflow",
    run_id="run",
    first_run_id="first",
    workflow_type="Order",
    task_queue="queue",
    start_time=1,
    execution_time=2,
    execution_timeout=3,
    run_timeout=4,
    task_timeout=5,
    create_request_id="request",
    status=2,
    close_time=6,
    run_expiration=7,
    execution_expiration=8,
    next_event_id=9,
    history_size=10,
    transitions=11,
    workflow_task=WorkflowTask(
        12, 13, 14, 15, 16, "queue", True, 17, 18, 19, "request", "identity", 20, (1, 2), 21, b"version"
    ),
    workflow_task_attempt=22,
    previous_started_event_id=23,
    completed_workflow_tasks=24,
    sticky_queue="sticky",
    sticky_timeout=25,
    backoff_until=26,
    close_attempted=True,
    cancel_requested=True,
    cancel_request_id="cancel",
    signals=27,
    signal_request_ids=["one", "two"],
    request_ids={"request": (1, 1)},
    activities={
        28: Activity(
            28, "id", "type", "queue", POLICY, 29, 30, 31, 32, 33, 34, b"priority", 35, 36, 37, "identity", "request",
            38, b"details", True, 39, b"failure", "last", 40, True,
        )
    },
    timers={"timer": Timer("timer", 41, 42)},
    buffered=[b"event"],
    memo={"memo": b"payload"},
    search_attributes={"attribute": b"payload"},
    retry_policy=POLICY,
    attempt=43,
    cron_schedule="* * * * *",
    priority=b"priority",
    user_metadata=b"metadata",
    worker_version=b"version",
    wake_time=44,
    next_stamp=45,
    original_start_time=46,
)  # fmt: skip
"""What the blob `format_1_first` holds: the fields of the first code that stored any, all of them set."""


def test_reads_blobs_of_every_earlier_format() -> None:
    assert decode((BLOBS / "format_1_first").read_bytes()) == FIRST


def test_the_first_blob_has_a_value_in_every_field_it_knows() -> None:
    values = msgspec.msgpack.decode((BLOBS / "format_1_first").read_bytes()[1:])
    assert all(values)
    defaults = msgspec.structs.asdict(ExecutionState(*[""] * 6, *[0] * 5, ""))
    known = list(defaults)[: len(values)]
    assert known[-1] == "original_start_time"
    assert [name for name in known if getattr(FIRST, name) == defaults[name]] == []


def test_fields_that_a_blob_lacks_have_their_defaults() -> None:
    required = msgspec.msgpack.encode(["n", "w", "r", "f", "t", "q", 1, 2, 3, 4, 5, "id"])
    assert decode(bytes((states.FORMAT,)) + required) == ExecutionState(
        "n", "w", "r", "f", "t", "q", 1, 2, 3, 4, 5, "id"
    )


def test_a_blob_is_a_format_number_and_an_array() -> None:
    blob = encode(FIRST)
    assert blob[0] == states.FORMAT == 1
    assert isinstance(msgspec.msgpack.decode(blob[1:]), list)
    assert decode(blob) == FIRST


@pytest.mark.parametrize("blob", [b"", b"\x00", b"\x02\x90", b"\x01", b"\x01\x90", b"\x01\xc1", encode(FIRST)[:-9]])
def test_a_blob_that_cannot_be_read(blob: bytes) -> None:
    with pytest.raises(StateFormatError):
        decode(blob)


def test_states_share_nothing() -> None:
    first, second = decode(encode(FIRST)), decode(encode(FIRST))
    first.timers.clear()
    first.signal_request_ids.append("three")
    assert second == FIRST
    bare = ExecutionState(*[""] * 6, *[0] * 5, "")
    bare.memo["key"] = b""
    assert not ExecutionState(*[""] * 6, *[0] * 5, "").memo


@pytest.mark.parametrize("number", [0, 1, -1, 2**31, 2**63 - 1, -(2**63)])
def test_numbers_of_64_bits_survive(number: int) -> None:
    state = decode(encode(FIRST))
    state.start_time = state.timers["timer"].fire_time = number
    assert decode(encode(state)) == state


class Newer(ExecutionState, array_like=True, dict=True):
    """The state of a later version."""

    colour: str = ""
    shapes: list[int] = []


def test_fields_of_a_newer_version_survive_a_transition_of_this_one() -> None:
    values = {name: getattr(FIRST, name) for name in FIRST.__struct_fields__}
    blob = encode(Newer(**values, colour="blue", shapes=[1, 2, 3]))
    state = decode(blob)
    assert state == FIRST
    assert encode(state) == blob
    state.transitions += 1
    newer = msgspec.msgpack.decode(encode(state)[1:], type=Newer)
    assert (newer.transitions, newer.colour, newer.shapes) == (FIRST.transitions + 1, "blue", [1, 2, 3])


NESTED = {
    "Activity": 32,
    "Child": 9,
    "Parent": 4,
    "ResetPoint": 6,
    "RetryPolicy": 5,
    "Timer": 3,
    "Update": 4,
    "WorkflowTask": 17,
}
"""Fields of the Structs inside a state."""


def test_structs_inside_a_state_get_no_field_that_must_not_be_lost() -> None:
    """During a deploy a process of the version before writes them without the fields it does not know.

    So what is new goes into fields of ExecutionState, which such a process keeps. One whose loss does no harm may be
    appended here; then change its number in NESTED.
    """
    nested = {
        name: len(each.__struct_fields__)
        for name, each in vars(states).items()
        if isinstance(each, type) and issubclass(each, msgspec.Struct) and each is not ExecutionState
    }
    assert nested == NESTED
