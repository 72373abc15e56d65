"""An item on its way through a queue."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Generic, NamedTuple, TypeVar
from uuid import UUID

from hugo.diagnostics.spans import Span
from hugo.errors import Error

T = TypeVar("T")


class OwnershipToken(NamedTuple):
    """Who holds an item: the item's number, which delivery of it, and the lease. Later deliveries compare greater."""

    sequence_id: int
    attempt: int
    lease_id: UUID

    def __str__(self) -> str:
        return f"{self.sequence_id}:{self.attempt}:{self.lease_id.hex}"


@dataclass(slots=True, eq=False)
class PendingItem(Generic[T]):
    """An item that waits for a worker, as `drain` hands it out and `restore` takes it."""

    value: T
    sequence_id: int
    enqueued_at: datetime
    attempt: int = 1
    """Which delivery the next one will be, counted from 1."""
    last_error: Error | None = None
    last_token: OwnershipToken | None = None
    span: Span | None = field(default=None, repr=False)
    """What traced the enqueuing, in a process that traces: the deliveries are linked to it."""


@dataclass(frozen=True, slots=True)
class DeadLetter(Generic[T]):
    """An item that is not delivered again, and why."""

    value: T
    error: Error
    attempt: int
    """The last delivery there was."""
    enqueued_at: datetime
    sequence_id: int
    last_token: OwnershipToken | None
