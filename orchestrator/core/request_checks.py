"""Checks of single request fields that several RPCs and commands share, with a Temporal server's texts."""

from collections.abc import Iterable
from uuid import UUID

from google.protobuf.duration_pb2 import Duration
from temporalio.api.common.v1 import Link, WorkflowExecution
from temporalio.api.enums.v1 import TaskQueueKind
from temporalio.api.taskqueue.v1 import TaskQueue

from orchestrator.core.limits import Limits
from orchestrator.errors import InvalidArgument

RESERVED_PREFIX = "/_sys/"
NUL = "\0"


def too_long(text: str, limits: Limits) -> bool:
    """Whether an id or a name passes the length limit, in bytes of UTF-8."""
    length = len(text)
    return length > limits.id_length or (length * 4 > limits.id_length and len(text.encode()) > limits.id_length)


def check_name(text: str, name: str, limits: Limits) -> None:
    """An id or a name of a request: raises InvalidArgument `<name> length exceeds limit.`, or for what has a NUL."""
    if too_long(text, limits):
        raise InvalidArgument(f"{name} length exceeds limit.")
    check_nul(text, name)


def check_nul(text: str, name: str) -> None:
    """PostgreSQL stores no text with a NUL; refused everywhere, so that a run means the same on every database."""
    if NUL in text:
        raise InvalidArgument(f"{name} contains the character NUL.")


def check_execution(execution: WorkflowExecution | None) -> None:
    """An execution needs a workflow id, and a run id that is empty or a UUID."""
    if execution is None:
        raise InvalidArgument("Execution is not set on request.")
    if not execution.workflow_id:
        raise InvalidArgument("WorkflowId is not set on request.")
    check_nul(execution.workflow_id, "WorkflowId")
    if execution.run_id and not is_uuid(execution.run_id):
        raise InvalidArgument("Invalid RunId.")


def is_uuid(text: str) -> bool:
    """Whether a text is a UUID in the usual form with dashes."""
    if len(text) != 36:
        return False
    try:
        UUID(text)
    except ValueError:
        return False
    return True


def check_task_queue(queue: TaskQueue | None, limits: Limits) -> None:
    """A queue of a request needs a name that a client may use."""
    if queue is None:
        raise InvalidArgument("taskQueue is not set")
    check_queue_name(queue.name, limits)
    if queue.normal_name and queue.kind == TaskQueueKind.TASK_QUEUE_KIND_NORMAL:
        raise InvalidArgument(
            f"only sticky queues can have normal name. tq: {queue.name}, normal name: {queue.normal_name}"
        )


def check_queue_name(name: str, limits: Limits) -> None:
    """As `check_task_queue`, for a name alone."""
    if not name:
        raise InvalidArgument("missing task queue name")
    if too_long(name, limits):
        raise InvalidArgument("taskQueue length exceeds limit")
    if name.startswith(RESERVED_PREFIX):
        raise InvalidArgument(f"task queue name cannot start with reserved prefix {RESERVED_PREFIX}")
    check_nul(name, "taskQueue")


def duration_problem(message: Duration) -> str:
    """What is wrong with a duration, or an empty string."""
    seconds, nanos = message.seconds, message.nanos
    if seconds and nanos and (seconds < 0) != (nanos < 0):
        return "duration has seconds and nanos with different signs"
    if seconds < 0 or nanos < 0:
        return "negative duration"
    return ""


def check_links(links: Iterable[Link], limits: Limits) -> None:
    """Links of a request: not too many, not too large, each of a known kind with its fields."""
    found = list(links)
    if len(found) > limits.links:
        raise InvalidArgument(f"cannot attach more than {limits.links} links per request, got {len(found)}")
    for link in found:
        size = link.ByteSize()
        if size > limits.link_size:
            raise InvalidArgument(f"link exceeds allowed size of {limits.link_size}, got {size}")
        match link.WhichOneof("variant"):
            case "workflow_event":
                event = link.workflow_event
                if not event.namespace:
                    raise InvalidArgument("workflow event link must not have an empty namespace field")
                if not event.workflow_id:
                    raise InvalidArgument("workflow event link must not have an empty workflow ID field")
                if not event.run_id:
                    raise InvalidArgument("workflow event link must not have an empty run ID field")
            case "batch_job":
                if not link.batch_job.job_id:
                    raise InvalidArgument("batch job link must not have an empty job ID")
            case None:
                raise InvalidArgument("unsupported link variant")
