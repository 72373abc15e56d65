"""What happens to the items of a queue, for those who want to know."""

from dataclasses import dataclass
from datetime import datetime
from enum import Enum
from typing import Any, Generic, TypeVar

from hugo.errors import Error
from hugo.task_queue.items import OwnershipToken

T = TypeVar("T")


class EventKind(Enum):
    """What happened."""

    ENQUEUED = "enqueued"
    LEASE_GRANTED = "lease-granted"
    HEARTBEAT = "heartbeat"
    COMPLETED = "completed"
    FAILED = "failed"
    RELEASED = "released"
    EXPIRED = "expired"
    REQUEUED = "requeued"
    DEAD_LETTERED = "dead-lettered"
    DRAINED = "drained"


@dataclass(frozen=True, slots=True)
class LifecycleEvent(Generic[T]):
    """One step of one item."""

    kind: EventKind
    queue: str
    value: T
    sequence_id: int
    attempt: int
    enqueued_at: datetime
    occurred_at: datetime
    pending: int
    """Pending items right after it."""
    active: int
    """Leases right after it."""
    token: OwnershipToken | None = None
    error: Error | None = None
    seconds: float = 0.0
    """How long was waited for room or an item, how long the item was leased, by how much a lease was extended."""
    details: Any = None
    """What a heartbeat reported."""
    from_drain: bool = False
    """Whether it came of draining, restoring or closing the queue."""
    from_expiration: bool = False
    """Whether it came of a lease that ran out."""

    @property
    def dead_letter(self) -> bool:
        """Whether the item's life ended undelivered."""
        return self.kind is EventKind.DEAD_LETTERED
