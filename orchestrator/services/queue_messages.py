"""What processes tell each other of the tasks and the polls of a task queue; see `hand_over`."""

from orchestrator.services.peers import Message
from orchestrator.services.pollers import QueueKey
from orchestrator.store.ports import Task


class TasksSent(Message, frozen=True):
    """Stored tasks, on the way to the home of their queue or to polls that wait."""

    tasks: list[Task]
    hops: int = 0


class PollsWaiting(Message, frozen=True):
    """How many polls of the sender wait, told to the home of a queue."""

    queue: QueueKey
    count: int


class NoPollWaits(Message, frozen=True):
    """The answer of the home when it gets tasks, and has as many already.

    Attributes:
        clocks: of fairness, by level.
        first: the priority of the first task that waits there; 0 for none.
    """

    queue: QueueKey
    clocks: dict[int, int]
    first: int = 0


class ConfigsChanged(Message, frozen=True):
    """An operator has changed the configuration of a queue."""
