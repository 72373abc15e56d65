"""How a task queue behaves."""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class TaskQueueOptions:
    """All durations are in seconds. Raises ValueError for a number out of range."""

    name: str = "task-queue"
    """Names the queue in measurements."""
    capacity: int = 512
    """Pending items beyond which `enqueue` waits; what comes back from workers may exceed it."""
    lease_duration: float = 30.0
    """How long a lease lasts without a heartbeat."""
    heartbeat_interval: float = 5.0
    """A heartbeat sooner than this after the grant or the last extension extends nothing; 0 lets every one count."""
    lease_sweep_interval: float = 1.0
    """How often leases that ran out are looked for."""
    requeue_delay: float = 0.0
    """How long a failed item waits before it can be leased again."""
    max_delivery_attempts: int = 5
    """Deliveries after which a failing item becomes a dead letter."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "name", self.name.strip())
        if not self.name:
            raise ValueError("The name of a queue is not blank.")
        if self.capacity <= 0 or self.lease_duration <= 0 or self.lease_sweep_interval <= 0:
            raise ValueError("Capacity, lease duration and sweep interval are positive.")
        if self.heartbeat_interval < 0 or self.requeue_delay < 0:
            raise ValueError("Heartbeat interval and requeue delay are not negative.")
        if self.max_delivery_attempts < 1:
            raise ValueError("There is at least one delivery attempt.")
