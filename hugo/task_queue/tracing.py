"""The operations of a queue as spans."""

from datetime import timedelta
from typing import Any

from hugo.diagnostics.spans import Attribute, Span, SpanKind, start_span
from hugo.task_queue.events import EventKind, LifecycleEvent

_OPERATIONS = {
    EventKind.ENQUEUED: "enqueue",
    EventKind.LEASE_GRANTED: "lease",
    EventKind.COMPLETED: "complete",
    EventKind.HEARTBEAT: "heartbeat",
    EventKind.REQUEUED: "fail.requeue",
    EventKind.DEAD_LETTERED: "fail.deadletter",
}
# The operations that may wait.
_KINDS = {EventKind.ENQUEUED: SpanKind.PRODUCER, EventKind.LEASE_GRANTED: SpanKind.CONSUMER}


def trace(event: LifecycleEvent[Any], cause: Span | None) -> Span | None:
    """The span of the operation behind an event, ended; None if it was no worker's or producer's operation.

    It is linked to the span that caused it.
    """
    if event.kind not in _OPERATIONS or event.from_drain or event.from_expiration:
        return None
    operation = _OPERATIONS[event.kind]
    waited = event.seconds if event.kind in _KINDS else 0.0
    attributes: dict[str, Attribute] = {
        "taskqueue.operation": operation,
        "taskqueue.name": event.queue,
        "taskqueue.sequence_id": event.sequence_id,
        "taskqueue.attempt": event.attempt,
    }
    if event.token is not None:
        attributes["taskqueue.token"] = str(event.token)
    if event.error is not None and event.error.code is not None:
        attributes["taskqueue.error.code"] = event.error.code
    span = start_span(
        f"TaskQueue.{operation}",
        attributes,
        kind=_KINDS.get(event.kind, SpanKind.INTERNAL),
        start=event.occurred_at - timedelta(seconds=waited),
        links=() if cause is None else (cause,),
    )
    span.end(at=event.occurred_at)
    return span
