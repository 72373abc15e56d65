"""The mutable state of one run, and its blob.

A blob is one format byte and then MessagePack arrays, so fields may only ever be appended, each with a default:
a blob of an earlier format lacks its last fields. Times are nanoseconds since the epoch, lengths nanoseconds,
zero means "none" for both. Protobuf values are kept serialized.
"""

import msgspec

FORMAT = 1

RUNNING = 1
"""WorkflowExecutionStatus of an open run."""


class RetryPolicy(msgspec.Struct, array_like=True, frozen=True):
    """When and how often something is tried again; `maximum_attempts` 0 means without end."""

    initial_interval: int
    backoff_coefficient: float
    maximum_interval: int
    maximum_attempts: int
    non_retryable_types: tuple[str, ...] = ()


class Activity(msgspec.Struct, array_like=True):
    """An activity that is scheduled and not closed. `stamp` tells one dispatch of it from the next."""

    scheduled_event_id: int
    activity_id: str
    activity_type: str
    task_queue: str
    retry_policy: RetryPolicy
    scheduled_time: int
    first_scheduled_time: int
    schedule_to_close: int
    schedule_to_start: int
    start_to_close: int
    heartbeat_timeout: int
    priority: bytes = b""
    attempt: int = 1
    stamp: int = 0
    started_time: int = 0
    started_identity: str = ""
    request_id: str = ""
    heartbeat_time: int = 0
    heartbeat_details: bytes = b""
    cancel_requested: bool = False
    cancel_requested_event_id: int = 0
    last_failure: bytes = b""
    last_identity: str = ""
    last_attempt_complete_time: int = 0
    backing_off: bool = False
    worker_version: bytes = b""
    paused: bool = False
    pause_time: int = 0
    pause_identity: str = ""
    pause_reason: str = ""
    reset_requested: bool = False
    reset_heartbeat: bool = False


class Timer(msgspec.Struct, array_like=True):
    """A user timer that has not fired."""

    timer_id: str
    started_event_id: int
    fire_time: int


class WorkflowTask(msgspec.Struct, array_like=True):
    """The one pending workflow task of a run.

    With an attempt above 1 it is transient: its events are written only when it completes, until then
    `scheduled_event_id` and `started_event_id` are the ids they will get if nothing comes between.

    A speculative one, made for updates alone, has no events either: they are written before whatever is written next,
    and never when all it led to is that its updates were rejected.
    """

    scheduled_event_id: int
    attempt: int
    timeout: int
    scheduled_time: int
    original_scheduled_time: int
    task_queue: str
    sticky: bool
    schedule_to_start: int = 0
    started_event_id: int = 0
    started_time: int = 0
    request_id: str = ""
    identity: str = ""
    history_size: int = 0
    suggestions: tuple[int, ...] = ()
    stamp: int = 0
    worker_version: bytes = b""
    speculative: bool = False


class ResetPoint(msgspec.Struct, array_like=True, frozen=True):
    """The first workflow task a build of the worker completed: where a reset goes that undoes that build's work.

    `run_id` is empty for the run itself, else names the earlier run of the chain it belongs to. A run that another one
    went on for is kept until `expire_time`.
    """

    build_id: str
    binary_checksum: str
    completed_event_id: int
    time: int
    run_id: str = ""
    expire_time: int = 0


class Update(msgspec.Struct, array_like=True):
    """An update that is not completed.

    Attributes:
        request: a serialized temporal.api.update.v1.Request; empty once it is accepted, the event has it then.
        sent: whether the workflow task that a worker has, or had, carries it.
        accepted_event_id: of the event that accepted it; 0 before.
        in_history: whether a reset brought it, with an event that has its request.
    """

    request: bytes
    sent: bool = False
    accepted_event_id: int = 0
    in_history: bool = False


class Child(msgspec.Struct, array_like=True):
    """A child workflow whose end the run has not heard of; without `run_id` it is not known to have started.

    `run_id` names the first run of its chain. `started_event_id` is 0 as long as the event waits for its id.
    `asked_by` names the run that asked for it, if a reset has replaced that one before the child was known to start.
    """

    initiated_event_id: int
    workflow_id: str
    workflow_type: str
    namespace: str
    namespace_id: str
    close_policy: int
    run_id: str = ""
    started_event_id: int = 0
    asked_by: str = ""


class Parent(msgspec.Struct, array_like=True, frozen=True):
    """The run that started this one as its child, and the event in which it did."""

    namespace_id: str
    workflow_id: str
    run_id: str
    initiated_event_id: int


class ExecutionState(msgspec.Struct, array_like=True, dict=True):
    """All a run is, but for its history.

    Fields of a newer version come last, and are kept as they are in the attribute `newer`, which most states lack.

    `updates` are those not completed, in the order of their admission; `completed_updates` has the event that completed
    each of the others. `signal_request_ids` are the latest, `signal_request_lots` counts the lots of earlier ones.
    """

    namespace_id: str
    workflow_id: str
    run_id: str
    first_run_id: str
    workflow_type: str
    task_queue: str
    start_time: int
    execution_time: int
    execution_timeout: int
    run_timeout: int
    task_timeout: int
    create_request_id: str
    status: int = RUNNING
    close_time: int = 0
    run_expiration: int = 0
    execution_expiration: int = 0
    next_event_id: int = 1
    history_size: int = 0
    transitions: int = 0
    workflow_task: WorkflowTask | None = None
    workflow_task_attempt: int = 1
    previous_started_event_id: int = 0
    completed_workflow_tasks: int = 0
    sticky_queue: str = ""
    sticky_timeout: int = 0
    backoff_until: int = 0
    close_attempted: bool = False
    cancel_requested: bool = False
    cancel_request_id: str = ""
    signals: int = 0
    signal_request_ids: list[str] = []
    request_ids: dict[str, tuple[int, int]] = {}
    activities: dict[int, Activity] = {}
    timers: dict[str, Timer] = {}
    buffered: list[bytes] = []
    memo: dict[str, bytes] = {}
    search_attributes: dict[str, bytes] = {}
    retry_policy: RetryPolicy | None = None
    attempt: int = 1
    cron_schedule: str = ""
    priority: bytes = b""
    user_metadata: bytes = b""
    worker_version: bytes = b""
    wake_time: int = 0
    next_stamp: int = 1
    original_start_time: int = 0
    reset_points: list[ResetPoint] = []
    reset_run_id: str = ""
    last_reset_time: int = 0
    updates: dict[str, Update] = {}
    completed_updates: dict[str, int] = {}
    children: dict[int, Child] = {}
    external_signals: list[int] = []
    external_cancels: list[int] = []
    external_request_ids: list[str] = []
    parent: Parent | None = None
    root_workflow_id: str = ""
    root_run_id: str = ""
    deleting: bool = False
    versioning_override: bytes = b""
    signal_request_lots: int = 0

    @property
    def running(self) -> bool:
        """Whether the run is open."""
        return self.status == RUNNING


class StateFormatError(ValueError):
    """A blob that this code cannot read: written by a newer version, or damaged."""


FIELDS = len(ExecutionState.__struct_fields__)
_FORMAT = bytes((FORMAT,))
_NO_NEWER = b"\xdc" + FIELDS.to_bytes(2, "big")
"""How the array of a state begins that has no fields this code does not know; of fewer of them, it is less."""
_fields = msgspec.msgpack.Decoder(list[msgspec.Raw])
_encoder = msgspec.msgpack.Encoder()
_decoder = msgspec.msgpack.Decoder(ExecutionState)


def encode(state: ExecutionState) -> bytes:
    """The blob of a state."""
    newer: list[msgspec.Raw] = getattr(state, "newer", [])
    if not newer:
        return _FORMAT + _encoder.encode(state)
    known = _encoder.encode(state)[len(_header(FIELDS)) :]
    return b"".join((_FORMAT, _header(FIELDS + len(newer)), known, *(bytes(field) for field in newer)))


def decode(blob: bytes) -> ExecutionState:
    """The state of a blob; raises StateFormatError when it cannot be read."""
    if not blob or blob[0] != FORMAT:
        raise StateFormatError(f"state blob of format {blob[0] if blob else 'none'}; this version reads up to {FORMAT}")
    body = memoryview(blob)[1:]
    try:
        state = _decoder.decode(body)
        if len(blob) > 3 and blob[1:4] > _NO_NEWER:
            state.newer = [msgspec.Raw(bytes(field)) for field in _fields.decode(body)[FIELDS:]]  # type: ignore[attr-defined]
    except msgspec.MsgspecError as error:
        raise StateFormatError(f"damaged state blob: {error}") from error
    return state


def _header(count: int) -> bytes:
    """How MessagePack begins an array of so many elements, of 16 at least."""
    return b"\xdc" + count.to_bytes(2, "big")
